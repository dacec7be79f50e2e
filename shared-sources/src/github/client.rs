//! One job's way to one API: requests in turn, patient where waiting helps, and with the token for that host alone.
//!
//! A redirect is followed only within scheme, host and port, so nothing that the API answers sends token or request
//! elsewhere. Whatever fails for the moment is tried a few times; then the job fails: an answer that didn't come is
//! never taken for "nothing there".

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use shared_service::Backoff;
use tracing::{debug, info};
use url::Url;

use super::GithubSettings;
use super::pace::Pace;
use super::refusal::Refusal;
use super::shown::shown;
use crate::SourceError;
use crate::tools::http;
use crate::tools::memory::{self, Reserved};

/// Attempts after the first one.
const RETRIES: usize = 5;
const MAX_PAUSE: Duration = Duration::from_mins(1);
const MAX_REDIRECTS: usize = 5;
/// Longest answer that says why there is no content, bytes.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;
/// Longest part of a name or path that is shown.
const MAX_SHOWN_CHARS: usize = 200;

const API_VERSION: (&str, &str) = ("x-github-api-version", "2022-11-28");

/// A successful answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why a request gave nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// What was asked for isn't there; with what GitHub said.
    Missing(String),
    /// The repository has no commit yet.
    Empty,
    /// Anything else.
    Source(SourceError),
}

impl Failure {
    /// The error of a job that can't go on without what is missing.
    pub(super) fn or_missing(self, error: impl FnOnce(&str) -> SourceError) -> SourceError {
        match self {
            Self::Missing(said) => error(&said),
            Self::Empty => error("it is empty"),
            Self::Source(error) => error,
        }
    }
}

/// Asks one API with one token.
#[derive(Debug)]
pub(super) struct ApiClient {
    http: Client,
    token: SecretString,
    pub(super) base: Url,
    /// For texts.
    pub(super) host: String,
    pace: Arc<Pace>,
    limits: GithubSettings,
}

impl ApiClient {
    /// A client for the API at `base`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SourceError::Misconfigured`] if the token can't be one, [`SourceError::Failed`] if this machine can't do TLS.
    pub(super) fn new(base: &Url, token: &str, limits: &GithubSettings) -> Result<Self, SourceError> {
        let http =
            http::client(base).default_headers(headers(token)?).redirect(redirect::Policy::custom(redirect)).build();
        Ok(Self {
            http: http.map_err(|error| SourceError::Failed(format!("no client for GitHub: {}", http::why(&error))))?,
            token: token.trim().into(),
            base: base.clone(),
            host: http::server(base),
            pace: Pace::shared(base, token.trim()),
            limits: limits.clone(),
        })
    }

    /// Gets `url`: waits for its turn and while the rate limit lasts, and tries again what failed for the moment.
    ///
    /// # Errors
    /// [`Failure`]; nothing is worth a try any more then.
    pub(super) async fn get(&self, url: &Url, accept: &'static str, size: AnswerSize) -> Result<Answer, Failure> {
        let mut pauses = Backoff::new(self.limits.retry_delay, MAX_PAUSE).pauses().take(RETRIES);
        let refusal_delay = self.limits.refusal_delay;
        // A refusal that names no time wants at least this long, and up to half of a pause is taken off.
        let mut refusals = Backoff::new(refusal_delay.saturating_mul(2), refusal_delay.saturating_mul(32)).pauses();
        loop {
            self.pace.turn(self.limits.request_interval).await;
            // Only now, and anew for each attempt: nobody holds room while the rate limit lasts.
            let room = size.room().await;
            let outcome = self.try_get(url, accept, size, room).await;
            if !matches!(outcome, Err(Refusal::Limited(_) | Refusal::Unavailable(_))) {
                self.pace.answered();
            }
            match outcome {
                Ok(answer) => return Ok(answer),
                Err(Refusal::Missing(said)) => return Err(Failure::Missing(said)),
                Err(Refusal::Empty) => return Err(Failure::Empty),
                Err(Refusal::Final(error)) => return Err(Failure::Source(error)),
                Err(Refusal::Limited(wait)) => {
                    let wait = wait.unwrap_or_else(|| refusals.pause());
                    self.hold(wait.max(self.limits.retry_delay)).map_err(Failure::Source)?;
                }
                Err(Refusal::Unavailable(why)) => {
                    let Some(pause) = pauses.next() else {
                        return Err(Failure::Source(SourceError::Unreachable(format!(
                            "{why}; tried {RETRIES} times more"
                        ))));
                    };
                    debug!(path = self.shown(url.path()), why, "GitHub did not answer; trying again");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// A name or path of the server as it may be shown.
    pub(super) fn shown(&self, name: &str) -> String {
        shown(name, self.token.expose_secret(), MAX_SHOWN_CHARS)
    }

    async fn try_get(
        &self,
        url: &Url,
        accept: &'static str,
        size: AnswerSize,
        room: Option<Reserved>,
    ) -> Result<Answer, Refusal> {
        let sent = self.http.get(url.clone()).header(ACCEPT, accept).send().await;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let headers = response.headers().clone();
        let body = self.body(response, size).await?;
        if !status.is_success() {
            return Err(Refusal::of(&self.host, self.token.expose_secret(), status, &headers, &body));
        }
        match size {
            AnswerSize::Exactly(bytes) if body.len() != bytes => Err(Refusal::Unavailable(format!(
                "GitHub at {} sent {} bytes of a file of {bytes}",
                self.host,
                body.len()
            ))),
            AnswerSize::Exactly(_) | AnswerSize::AtMost(_) => {
                let body = match room {
                    Some(mut room) => room.hold(body),
                    None => body.into(),
                };
                Ok(Answer { headers, body })
            }
        }
    }

    /// The body, or of a refusal its beginning.
    async fn body(&self, mut response: reqwest::Response, size: AnswerSize) -> Result<Vec<u8>, Refusal> {
        let status = response.status();
        let max_bytes = if status.is_success() { size.max_bytes() } else { MAX_REFUSAL_BYTES };
        let mut body = match size {
            AnswerSize::Exactly(bytes) if status.is_success() => Vec::with_capacity(bytes),
            AnswerSize::Exactly(_) | AnswerSize::AtMost(_) => Vec::new(),
        };
        while let Some(part) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len().saturating_add(part.len()) > max_bytes {
                if status.is_success() {
                    let text = format!("GitHub at {} sent more than {max_bytes} bytes", self.host);
                    return Err(Refusal::Final(SourceError::Failed(text)));
                }
                break;
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    fn hold(&self, wait: Duration) -> Result<(), SourceError> {
        info!(host = self.host, wait_seconds = wait.as_secs(), "GitHub's rate limit is used up; waiting");
        self.pace.hold(wait, self.limits.max_wait).map_err(|_| {
            SourceError::Unreachable(format!(
                "GitHub at {} refuses requests because of its rate limit, for {} more: longer than a job waits",
                self.host,
                humantime::format_duration(Duration::from_secs(wait.as_secs()))
            ))
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Refusal {
        Refusal::Unavailable(format!("cannot reach GitHub at {}: {}", self.host, http::why(error)))
    }
}

/// How long a successful answer may be, bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum AnswerSize {
    /// This and no other, or it broke off.
    Exactly(usize),
    /// Longer ones aren't read.
    AtMost(usize),
}

impl AnswerSize {
    const fn max_bytes(self) -> usize {
        match self {
            Self::Exactly(bytes) | Self::AtMost(bytes) => bytes,
        }
    }

    /// Waits for room for a file; what isn't kept needs none.
    async fn room(self) -> Option<Reserved> {
        match self {
            Self::Exactly(bytes) => Some(memory::reserve(bytes).await),
            Self::AtMost(_) => None,
        }
    }
}

fn headers(token: &str) -> Result<HeaderMap, SourceError> {
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| {
        SourceError::Misconfigured("the personal access token holds characters that none has".to_owned())
    })?;
    authorization.set_sensitive(true);
    let (name, version) = API_VERSION;
    Ok(HeaderMap::from_iter([
        (AUTHORIZATION, authorization),
        (HeaderName::from_static(name), HeaderValue::from_static(version)),
    ]))
}

/// Follows a redirect only to where the request was sent anyway; the answer to any other is the redirect itself.
fn redirect(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let is_same_host = attempt.previous().iter().all(|earlier| earlier.origin() == attempt.url().origin());
    if is_same_host && attempt.previous().len() <= MAX_REDIRECTS { attempt.follow() } else { attempt.stop() }
}
