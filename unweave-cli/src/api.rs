//! The API, as any of its clients uses it: by URL and key.

use std::time::Duration;

use clap::Args;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use shared_service::settings::http_url;
use url::Url;

use crate::failure::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Without a byte of an answer. A DELETE waits for a sync to stop, and says nothing meanwhile.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// No answer that is read whole is longer.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// What a server says of a refusal is shown up to here.
const MAX_REASON_CHARS: usize = 500;

/// Where the API is, and by which key.
#[derive(Debug, Args)]
pub struct Service {
    /// The API, such as https://unweave.example.com
    #[arg(long, env = "UNWEAVE_URL", value_name = "URL", hide_env_values = true)]
    url: Option<SecretString>,
    /// An API key; a secret
    #[arg(long, env = "UNWEAVE_API_KEY", value_name = "KEY", hide_env_values = true)]
    api_key: Option<SecretString>,
}

impl Service {
    /// Whether somebody named it.
    pub const fn is_named(&self) -> bool {
        self.url.is_some()
    }

    /// Nothing is sent yet.
    pub fn open(&self) -> Result<Api, Failure> {
        let url =
            self.url.as_ref().ok_or_else(|| Failure::Usage("--url or UNWEAVE_URL: where the API is".to_owned()))?;
        let url = http_url(url.expose_secret()).map_err(|error| Failure::Usage(format!("UNWEAVE_URL: {error}")))?;
        let mut http = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent(concat!("unweave/", env!("CARGO_PKG_VERSION")));
        if url.scheme() != "https" {
            // Without TLS the system's certificates aren't needed.
            http = http.tls_certs_only([]);
        }
        let http = http.build().map_err(|error| Failure::Unchecked(error.to_string()))?;
        Ok(Api { http, url, key: self.api_key.clone() })
    }
}

/// A client of the API.
#[derive(Debug, Clone)]
pub struct Api {
    http: Client,
    url: Url,
    key: Option<SecretString>,
}

/// Why a request wasn't answered with what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// It is asked again later: nobody answered, or the service can't now.
    #[error("{why}")]
    Later {
        /// Why.
        why: String,
        /// After how long, if the service said so.
        after: Option<Duration>,
    },
    /// It is refused.
    #[error("{status}: {why}")]
    Refused {
        /// How.
        status: StatusCode,
        /// Why, as the service says it.
        why: String,
    },
    /// What was answered isn't what the API answers.
    #[error("{0}")]
    Strange(String),
}

impl From<reqwest::Error> for ApiError {
    fn from(error: reqwest::Error) -> Self {
        // Without the URL, which may hold more than a host; with what lies behind it, such as "connection refused".
        let error = error.without_url();
        let mut why = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            why = format!("{why}: {error}");
            cause = error.source();
        }
        Self::Later { why, after: None }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let text = error.to_string();
        match error {
            ApiError::Refused { status: StatusCode::NOT_FOUND, .. } => Self::refused("not_found", text),
            ApiError::Refused { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, .. } => {
                Self::Usage(format!("UNWEAVE_API_KEY: {text}"))
            }
            ApiError::Refused { status: StatusCode::CONFLICT, .. } => Self::refused("conflict", text),
            ApiError::Refused { .. } | ApiError::Later { .. } | ApiError::Strange(_) => Self::Unchecked(text),
        }
    }
}

impl Api {
    /// A request; the parts of the path are escaped here.
    pub fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, ApiError> {
        self.request_with(method, path, &[])
    }

    /// The same with parameters.
    pub fn request_with(
        &self,
        method: Method,
        path: &[&str],
        parameters: &[(&str, &str)],
    ) -> Result<RequestBuilder, ApiError> {
        let mut url = self.url.clone();
        let bad = || ApiError::Strange("UNWEAVE_URL can't have a path behind it".to_owned());
        url.path_segments_mut().map_err(|()| bad())?.pop_if_empty().extend(path);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let request = self.http.request(method, url);
        Ok(match &self.key {
            Some(key) => request.header("x-api-key", key.expose_secret()),
            None => request,
        })
    }

    /// What is at a path.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, ApiError> {
        read(answered(self.request(Method::GET, path)?.send().await?).await?).await
    }
}

/// The answer, if it is one of success.
///
/// # Errors
/// [`ApiError`].
pub async fn answered(response: Response) -> Result<Response, ApiError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let after = response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
    let after = after.map(Duration::from_secs);
    let why = whole(response).await.map(|body| reason(&body)).unwrap_or_default();
    let is_later = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    Err(if is_later {
        ApiError::Later { why: format!("{status}: {why}"), after }
    } else {
        ApiError::Refused { status, why }
    })
}

/// Reads an answer.
///
/// # Errors
/// [`ApiError`].
pub async fn read<T: DeserializeOwned>(response: Response) -> Result<T, ApiError> {
    let body = whole(response).await?;
    serde_json::from_slice(&body).map_err(|error| ApiError::Strange(format!("the answer isn't understood: {error}")))
}

async fn whole(mut response: Response) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        body.extend_from_slice(&part);
        if body.len() > MAX_ANSWER_BYTES {
            return Err(ApiError::Strange(format!("the answer is larger than {MAX_ANSWER_BYTES} bytes")));
        }
    }
    Ok(body)
}

/// What a refusal says: `detail`, a text or a list of faults.
fn reason(body: &[u8]) -> String {
    let detail = serde_json::from_slice::<serde_json::Value>(body).ok();
    let detail = detail.as_ref().and_then(|problem| problem.get("detail"));
    let text = match detail {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(faults) => faults.to_string(),
        None => String::from_utf8_lossy(body).into_owned(),
    };
    text.chars().take(MAX_REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_why_and_not_more_than_that() {
        assert_eq!(reason(br#"{"detail":"Collection not found"}"#), "Collection not found");
        assert_eq!(reason(br#"{"detail":[{"msg":"no"}]}"#), r#"[{"msg":"no"}]"#);
        assert_eq!(reason(b"<html>"), "<html>");
        assert_eq!(reason("x".repeat(9_000).as_bytes()).len(), MAX_REASON_CHARS);
    }

    #[test]
    fn a_path_is_escaped_behind_that_of_the_service() {
        shared_service::install_tls_provider();
        let api = Api { http: Client::new(), url: "https://host/base/".parse().unwrap(), key: None };
        let request = api.request(Method::GET, &["collections", "a/../b?c"]).unwrap().build().unwrap();
        assert_eq!(request.url().as_str(), "https://host/base/collections/a%2F..%2Fb%3Fc");
    }
}
