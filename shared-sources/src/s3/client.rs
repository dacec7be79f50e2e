//! One bucket at one endpoint: lists it and gets its objects.
//!
//! Listing is ours and not `object_store`'s: its list drops the storage class, without which an archived object can't
//! be told, and fails altogether at a key that isn't a path of its kind. Redirects are not followed: a request goes to
//! the operator's endpoint or nowhere. Whatever fails for the moment is tried a few times; then the job fails, for an
//! answer that didn't come is never taken for "nothing there".

use std::time::Duration;

use bytes::Bytes;
use reqwest::Client;
use reqwest::header::{ETAG, HeaderMap, HeaderValue, IF_MATCH, LAST_MODIFIED, RANGE};
use shared_service::Backoff;
use url::Url;

use super::address::Address;
use super::check::Credentials;
use super::listing::{Listed, Mark, Page};
use super::refusal::{Failure, Refusal};
use super::settings::S3Settings;
use super::signer::Signer;
use crate::SourceError;
use crate::tools::http;
use crate::tools::memory::Reserved;

/// Attempts after the first one.
const RETRIES: usize = 4;
const MAX_PAUSE: Duration = Duration::from_secs(20);
/// A thousand keys of 1 KiB, each byte encoded, and what is told of each take less.
const MAX_PAGE_BYTES: usize = 8 << 20;
/// Longest answer that says why there is no content.
const MAX_REFUSAL_BYTES: usize = 16 << 10;

/// Asks for one bucket.
pub(super) struct Bucket {
    http: Client,
    signer: Signer,
    address: Address,
    /// For texts.
    pub(super) host: String,
    pub(super) name: String,
    retry_delay: Duration,
}

/// Content that was got.
pub(super) struct Got {
    pub(super) bytes: Bytes,
    /// Of what was got, which may be newer than what was listed.
    pub(super) mark: Mark,
}

impl Bucket {
    /// A client for the bucket `name` at `endpoint`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SourceError::Misconfigured`] if endpoint and name make no URL, or there is nobody to sign for.
    pub(super) fn open(
        endpoint: &Url,
        name: &str,
        credentials: &Credentials,
        settings: &S3Settings,
    ) -> Result<Self, SourceError> {
        let address = Address::of(endpoint, name, credentials.path_style).ok_or_else(|| {
            SourceError::Misconfigured("the endpoint can't have the bucket before its host".to_owned())
        })?;
        let http = http::client(endpoint).build();
        Ok(Self {
            http: http.map_err(|error| SourceError::Failed(format!("no client for S3: {}", http::why(&error))))?,
            signer: Signer::new(credentials, name)?,
            address,
            host: http::server(endpoint),
            name: name.to_owned(),
            retry_delay: settings.retry_delay,
        })
    }

    /// The page of the list that begins at `token`.
    ///
    /// # Errors
    /// [`SourceError`]: what can't be listed fails the run.
    pub(super) async fn page(&self, prefix: &str, token: Option<&str>) -> Result<Page, SourceError> {
        let url = self.address.page(prefix, token);
        let (body, _) = self.get(&url, HeaderMap::new(), MAX_PAGE_BYTES).await.map_err(|failure| match failure {
            Failure::Source(error) => error,
            Failure::Object(refused) => self.cannot_list(&refused),
        })?;
        // The parser's own text would quote what the server sent.
        let text = String::from_utf8_lossy(&body);
        Page::parse(&text)
            .map_err(|_| SourceError::Failed(format!("a list of S3 at {} can't be understood", self.host)))
    }

    /// The beginning of an object, up to `bytes`.
    ///
    /// # Errors
    /// [`Failure`]; one of the object alone is a gap.
    pub(super) async fn object(&self, listed: &Listed, bytes: u64, room: &mut Reserved) -> Result<Got, Failure> {
        let url = self.address.object(&listed.key).ok_or_else(|| Failure::Object(Refusal::unspeakable()))?;
        let mut headers = HeaderMap::new();
        if listed.size.is_some_and(|size| size > bytes)
            && let Ok(range) = HeaderValue::from_str(&format!("bytes=0-{}", bytes.saturating_sub(1)))
        {
            headers.insert(RANGE, range);
        }
        // A mixture of two versions can't come: one that was replaced since the list is asked for anew by the next run.
        if let Mark::Tag(tag) = &listed.mark
            && let Ok(tag) = HeaderValue::from_str(tag)
        {
            headers.insert(IF_MATCH, tag);
        }
        let max_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let (body, answered) = self.get(&url, headers, max_bytes).await?;
        let told = |name| answered.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
        let mark = match &listed.mark {
            Mark::Tag(tag) => Mark::Tag(told(ETAG).unwrap_or_else(|| tag.clone())),
            // The list writes times in another form than the header does.
            Mark::Time(time) if is_same_time(time, told(LAST_MODIFIED).as_deref()) => Mark::Time(time.clone()),
            Mark::Time(_) => Mark::Time(String::new()),
        };
        Ok(Got { bytes: room.hold(body), mark })
    }

    /// Gets `url`, trying again what failed for the moment. An answer longer than `max_bytes` is cut there.
    async fn get(&self, url: &Url, headers: HeaderMap, max_bytes: usize) -> Result<(Vec<u8>, HeaderMap), Failure> {
        let mut pauses = Backoff::new(self.retry_delay, MAX_PAUSE).pauses().take(RETRIES);
        loop {
            let failed = match self.try_get(url, headers.clone(), max_bytes).await {
                Ok(answer) => return Ok(answer),
                Err(Refusal::Passing(why)) => why,
                Err(refusal) => return Err(refusal.into_failure(&self.host)),
            };
            match pauses.next() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => {
                    let text = format!("{failed}; tried {RETRIES} times more");
                    return Err(Failure::Source(SourceError::Unreachable(text)));
                }
            }
        }
    }

    async fn try_get(
        &self,
        url: &Url,
        mut headers: HeaderMap,
        max_bytes: usize,
    ) -> Result<(Vec<u8>, HeaderMap), Refusal> {
        headers.extend(self.signer.sign(url, &headers).await?);
        let sent = self.http.get(url.clone()).headers(headers).send().await;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let limit = if status.is_success() { max_bytes } else { MAX_REFUSAL_BYTES };
        let body = self.body(response, limit).await?;
        if status.is_success() { Ok((body, headers)) } else { Err(Refusal::of(&self.host, status, &body)) }
    }

    /// The body, at most `limit` bytes of it.
    async fn body(&self, mut response: reqwest::Response, limit: usize) -> Result<Vec<u8>, Refusal> {
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            let left = limit.saturating_sub(body.len());
            body.extend_from_slice(part.get(..left).unwrap_or(&part));
            if part.len() >= left {
                break;
            }
        }
        Ok(body)
    }

    fn cannot_list(&self, refused: &Refusal) -> SourceError {
        SourceError::Misconfigured(format!("S3 at {} does not list the bucket '{}': {refused}", self.host, self.name))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Refusal {
        Refusal::Passing(format!("cannot reach S3 at {}: {}", self.host, http::why(error)))
    }
}

/// Whether a list's time and a header's are the same second.
fn is_same_time(listed: &str, header: Option<&str>) -> bool {
    let listed = chrono::DateTime::parse_from_rfc3339(listed).ok().map(|time| time.timestamp());
    let header = header.and_then(|time| chrono::DateTime::parse_from_rfc2822(time).ok()).map(|time| time.timestamp());
    listed.is_some() && listed == header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_the_same_in_both_forms() {
        assert!(is_same_time("2026-01-02T03:04:05.678Z", Some("Fri, 02 Jan 2026 03:04:05 GMT")));
        assert!(!is_same_time("2026-01-02T03:04:06Z", Some("Fri, 02 Jan 2026 03:04:05 GMT")));
        assert!(!is_same_time("then", None) && !is_same_time("2026-01-02T03:04:06Z", None));
    }
}
