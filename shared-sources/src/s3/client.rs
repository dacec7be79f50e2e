//! One bucket at one endpoint: lists it and gets its objects.
//!
//! Signing and the worker's role are `object_store`'s. Listing is ours: its list drops the storage class, without which
//! an archived object can't be told, and fails altogether at a key that isn't a path of its kind. Redirects are not
//! followed: a request goes to the operator's endpoint or nowhere. Whatever fails for the moment is tried a few times;
//! then the job fails, for an answer that didn't come is never taken for "nothing there".

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3Builder, AwsAuthorizer, AwsCredential, AwsCredentialProvider};
use object_store::client::{HttpRequest, HttpRequestBody};
use percent_encoding::utf8_percent_encode;
use reqwest::header::{ETAG, HeaderMap, HeaderValue, IF_MATCH, LAST_MODIFIED, RANGE};
use reqwest::{Client, redirect, retry};
use shared_service::Backoff;
use url::Url;

use super::check::Credentials;
use super::listing::{Listed, Mark, Page};
use super::refusal::{Failure, Refusal};
use super::settings::{S3Settings, is_loopback};
use crate::SourceError;
use crate::tools::memory::Reserved;
use crate::tools::reasons::with_reasons;
use crate::tools::url as encoding;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence in the middle of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Bound of one request: the largest answers have some MiB.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(3);
/// Attempts after the first one.
const RETRIES: usize = 4;
const MAX_PAUSE: Duration = Duration::from_secs(20);
/// Keys of a page. S3 gives no more than this itself.
const PAGE_KEYS: &str = "1000";
/// A thousand keys of 1 KiB, each byte encoded, and what is told of each take less.
const MAX_PAGE_BYTES: usize = 8 << 20;
/// Longest answer that says why there is no content.
const MAX_REFUSAL_BYTES: usize = 16 << 10;

/// Asks for one bucket.
pub(super) struct Bucket {
    http: Client,
    credentials: Signer,
    region: String,
    /// Of the bucket, with a slash at its end.
    base: Url,
    /// For texts.
    pub(super) host: String,
    pub(super) name: String,
    retry_delay: Duration,
}

/// Whose name requests are signed with.
enum Signer {
    Key(Arc<AwsCredential>),
    /// The worker's own role, whose keys change.
    Role(AwsCredentialProvider),
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
    /// [`SourceError::Misconfigured`] if endpoint and name make no URL, or the worker has no role.
    pub(super) fn open(
        endpoint: &Url,
        name: &str,
        credentials: &Credentials,
        settings: &S3Settings,
    ) -> Result<Self, SourceError> {
        let base = base(endpoint, name, credentials.path_style).ok_or_else(|| {
            SourceError::Misconfigured("the endpoint can't have the bucket before its host".to_owned())
        })?;
        let mut http = Client::builder()
            .user_agent("unweave")
            .retry(retry::never())
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .timeout(REQUEST_TIMEOUT);
        if is_loopback(endpoint) {
            http = http.no_proxy();
        }
        if endpoint.scheme() == "http" {
            // Without TLS the system's certificates aren't needed, and a slim image has none.
            http = http.tls_certs_only([]);
        }
        let http =
            http.build().map_err(|error| SourceError::Failed(with_reasons("no client for S3".to_owned(), &error)))?;
        let host = endpoint.host_str().unwrap_or_default();
        Ok(Self {
            http,
            credentials: signer(credentials, name)?,
            region: credentials.region.clone(),
            base,
            host: endpoint.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            name: name.to_owned(),
            retry_delay: settings.retry_delay,
        })
    }

    /// The page of the list that begins at `token`.
    ///
    /// # Errors
    /// [`SourceError`]: what can't be listed fails the run.
    pub(super) async fn page(&self, prefix: &str, token: Option<&str>) -> Result<Page, SourceError> {
        let mut url = self.base.clone();
        url.set_query(Some(&query(prefix, token)));
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
        let url = self.object_url(&listed.key).ok_or_else(|| Failure::Object(Refusal::unspeakable()))?;
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

    /// The URL of a key; `None` if no URL means just this key, as none does with `.` or `..` as a part of its path.
    fn object_url(&self, key: &str) -> Option<Url> {
        let wanted = format!("{}{}", self.base.path(), utf8_percent_encode(key, encoding::PATH));
        let mut url = self.base.clone();
        url.set_path(&wanted);
        (url.path() == wanted).then_some(url)
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
        headers.extend(self.signature(url, &headers).await?);
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

    /// The headers that say who asks.
    async fn signature(&self, url: &Url, headers: &HeaderMap) -> Result<HeaderMap, Refusal> {
        let credential = match &self.credentials {
            Signer::Key(key) => key.clone(),
            Signer::Role(provider) => provider.get_credential().await.map_err(|_| {
                // Its text might tell of the worker's surroundings.
                Refusal::Passing("the worker's own role gives no key at the moment".to_owned())
            })?,
        };
        let failed = || Refusal::Passing("a request could not be signed".to_owned());
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = url.as_str().parse().map_err(|_| failed())?;
        *request.headers_mut() = headers.clone();
        let authorizer = AwsAuthorizer::new(&credential, "s3", &self.region);
        authorizer.try_authorize(&mut request, None).map_err(|_| failed())?;
        Ok(std::mem::take(request.headers_mut()))
    }

    fn cannot_list(&self, refused: &Refusal) -> SourceError {
        SourceError::Misconfigured(format!("S3 at {} does not list the bucket '{}': {refused}", self.host, self.name))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Refusal {
        let text = if error.is_timeout() { "no answer in time" } else { "the request failed" };
        let why = with_reasons(text.to_owned(), error);
        Refusal::Passing(format!("cannot reach S3 at {}: {why}", self.host))
    }
}

fn signer(credentials: &Credentials, bucket: &str) -> Result<Signer, SourceError> {
    let key = credentials.access_key_id.as_ref().zip(credentials.secret_access_key.as_ref());
    if let Some((key_id, secret_key)) = key {
        let (key_id, secret_key) = (key_id.trim().to_owned(), secret_key.trim().to_owned());
        // A key of other letters would break the header that it is put into.
        if !key_id.bytes().all(|letter| letter.is_ascii_graphic()) {
            return Err(SourceError::Misconfigured("the access key ID holds characters that none has".to_owned()));
        }
        return Ok(Signer::Key(Arc::new(AwsCredential { key_id, secret_key, token: None })));
    }
    let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_region(&credentials.region);
    let store = builder.build();
    let store = store.map_err(|_| SourceError::Misconfigured("this worker has no role of its own".to_owned()))?;
    Ok(Signer::Role(store.credentials().clone()))
}

fn base(endpoint: &Url, bucket: &str, path_style: bool) -> Option<Url> {
    let mut base = endpoint.clone();
    if path_style {
        base.set_path(&format!("/{bucket}/"));
    } else {
        // An address has no names below it.
        let url::Host::Domain(domain) = endpoint.host()? else { return None };
        base.set_host(Some(&format!("{bucket}.{domain}"))).ok()?;
    }
    Some(base)
}

fn query(prefix: &str, token: Option<&str>) -> String {
    let mut query = format!("list-type=2&encoding-type=url&max-keys={PAGE_KEYS}");
    for (name, value) in [("prefix", Some(prefix)), ("continuation-token", token)] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = write!(query, "&{name}={}", utf8_percent_encode(value, encoding::PART));
        }
    }
    query
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
    fn the_bucket_stands_in_the_path_or_before_the_host() {
        let endpoint: Url = "https://s3.example.com:9000".parse().unwrap();
        let at = |path_style| base(&endpoint, "b.c", path_style).unwrap().to_string();
        assert_eq!(at(true), "https://s3.example.com:9000/b.c/");
        assert_eq!(at(false), "https://b.c.s3.example.com:9000/");
        assert_eq!(base(&"http://127.0.0.1:9000".parse().unwrap(), "abc", false), None);
    }

    #[test]
    fn a_key_means_itself_or_is_not_asked_for() {
        let bucket = Bucket {
            http: {
                test_support::install_tls_provider();
                Client::new()
            },
            credentials: Signer::Key(Arc::new(AwsCredential {
                key_id: "k".to_owned(),
                secret_key: "s".to_owned(),
                token: None,
            })),
            region: "r".to_owned(),
            base: "http://h/b/".parse().unwrap(),
            host: "h".to_owned(),
            name: "b".to_owned(),
            retry_delay: Duration::ZERO,
        };
        let url = |key: &str| bucket.object_url(key).map(|url| url.to_string());
        assert_eq!(url("a b/ü?#%/c+d"), Some("http://h/b/a%20b/%C3%BC%3F%23%25/c%2Bd".to_owned()));
        assert_eq!(url("a//b"), Some("http://h/b/a//b".to_owned()));
        for odd in ["a/../b", "./a", "..", "a/."] {
            assert_eq!(url(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_time_is_the_same_in_both_forms() {
        assert!(is_same_time("2026-01-02T03:04:05.678Z", Some("Fri, 02 Jan 2026 03:04:05 GMT")));
        assert!(!is_same_time("2026-01-02T03:04:06Z", Some("Fri, 02 Jan 2026 03:04:05 GMT")));
        assert!(!is_same_time("then", None) && !is_same_time("2026-01-02T03:04:06Z", None));
    }
}
