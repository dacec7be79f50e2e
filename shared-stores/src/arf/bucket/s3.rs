//! Requests to S3 that `object_store` doesn't make, or whose answers it doesn't look at closely enough: it takes any
//! well-formed answer for an empty list. They are built here, and signed and sent with what that crate offers for it.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, StatusCode};
use md5::Md5;
use object_store::aws::{AmazonS3, AwsAuthorizer};
use object_store::client::{HttpClient, HttpError, HttpRequest, HttpRequestBody};
use object_store::path::Path;
use object_store::signer::Signer as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use shared_service::Backoff;
use url::Url;

use super::Result;
use super::object::{NOT_ASKED_FOR, Page, failure};
use crate::arf::ArfError;
use crate::object_stores::clients::S3Client;
use crate::object_stores::patience::{FIRST_PAUSE, LONGEST_PAUSE, RETRIES};

mod list;
mod options;
mod removal;
mod xml;

pub(super) use list::Kind;
pub(super) use options::Options;

/// Where no region is named, as `object_store` has it.
const DEFAULT_REGION: &str = "us-east-1";
const UNREADABLE: &str = "the answer is unreadable";
/// What a key's characters are in a path, but for these.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A bucket of S3.
#[derive(Clone)]
pub(super) struct S3 {
    store: Arc<AmazonS3>,
    http: HttpClient,
    region: String,
    /// Whoever asks pays.
    pays: bool,
    /// Whether it takes requests to remove many objects.
    removes_many: bool,
}

impl S3 {
    /// Of the store's own client; nothing if that has no HTTP client.
    pub(super) fn of(client: S3Client) -> Option<Self> {
        let S3Client { store, http, region } = client;
        let region = region.unwrap_or_else(|| DEFAULT_REGION.to_owned());
        Some(Self { store, http: http?, region, pays: false, removes_many: true })
    }

    /// The same, going by these.
    pub(super) fn with(self, options: Options) -> Self {
        Self { pays: options.pays, removes_many: options.removes_many, ..self }
    }

    /// A page of a list of what is below `prefix`; the query says where it begins and where it ends.
    pub(super) async fn page(
        &self,
        action: &'static str,
        kind: Kind,
        prefix: &str,
        query: &[(&str, &str)],
    ) -> Result<Page> {
        let answer = self.ask(action, &Method::GET, None, query, &Bytes::new()).await?;
        let listed = list::page(&answer, kind).map_err(|xml::Unreadable| failure(action, UNREADABLE))?;
        if listed.may_be_of(prefix) { Ok(listed.page) } else { Err(failure(action, NOT_ASKED_FOR)) }
    }

    /// Asks, and asks again while the store refuses it for the moment.
    async fn ask(
        &self,
        action: &'static str,
        method: &Method,
        key: Option<&str>,
        query: &[(&str, &str)],
        body: &Bytes,
    ) -> Result<Bytes> {
        let mut pauses = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE).pauses().take(RETRIES);
        loop {
            let request = self.request(method, self.url(action, key, query).await?, body).await?;
            let error = match self.send(request).await {
                Ok((status, answer)) if status.is_success() && code(&answer).is_none() => return Ok(answer),
                Ok((status, answer)) if !is_passing(status) => return Err(refused(action, status, &answer)),
                Ok((status, answer)) => refused(action, status, &answer),
                Err(error) => ArfError::store(action)(generic(error)),
            };
            let Some(pause) = pauses.next() else { return Err(error) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Where the bucket is, or an object in it.
    async fn url(&self, action: &'static str, key: Option<&str>, query: &[(&str, &str)]) -> Result<Url> {
        let mut url = self.bucket_url().await?;
        if let Some(key) = key {
            let bucket = url.path().trim_end_matches('/');
            let path = format!("{bucket}/{}", utf8_percent_encode(key, IN_PATH));
            url.set_path(&path);
            if url.path() != path {
                // A part of it is `..`, which no URL holds: it would name something else.
                let source = object_store::path::Error::InvalidPath { path: key.into() };
                return Err(ArfError::store(action)(object_store::Error::InvalidPath { source }));
            }
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn request(&self, method: &Method, url: Url, body: &Bytes) -> Result<HttpRequest> {
        let digest = Sha256::digest(body);
        let mut request = http::Request::builder().method(method).uri(url.as_str());
        if !body.is_empty() {
            // Some stores that speak S3 insist on the older of the two checksums.
            request = request
                .header("content-type", "application/xml")
                .header("content-md5", STANDARD.encode(Md5::digest(body)))
                .header("x-amz-checksum-sha256", STANDARD.encode(digest));
        }
        let body = HttpRequestBody::from(body.clone());
        let mut request = request.body(body).map_err(|error| ArfError::store("sign a request")(generic(error)))?;
        let credential = self.store.credentials().get_credential().await.map_err(ArfError::store("get credentials"))?;
        let authorizer = AwsAuthorizer::new(&credential, "s3", &self.region).with_request_payer(self.pays);
        authorizer.try_authorize(&mut request, Some(&digest)).map_err(ArfError::store("sign a request"))?;
        Ok(request)
    }

    /// Where the bucket is: the store knows it, and tells it only in signed URLs.
    async fn bucket_url(&self) -> Result<Url> {
        const PROBE: &str = "x";
        let signed = self.store.signed_url(Method::GET, &Path::from(PROBE), Duration::from_secs(1)).await;
        let mut url = signed.map_err(ArfError::store("sign a request"))?;
        let path = url.path().strip_suffix(PROBE).unwrap_or_default().trim_end_matches('/').to_owned();
        url.set_path(&path);
        url.set_query(None);
        Ok(url)
    }

    async fn send(&self, request: HttpRequest) -> std::result::Result<(StatusCode, Bytes), HttpError> {
        let response = self.http.execute(request).await?;
        let status = response.status();
        Ok((status, response.into_body().bytes().await?))
    }
}

/// Whether the same request may be answered otherwise in a moment. An error may also come with 200.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || status.is_success() || status == StatusCode::TOO_MANY_REQUESTS
}

fn refused(action: &'static str, status: StatusCode, answer: &[u8]) -> ArfError {
    let code = code(answer).map(|code| word(&code)).unwrap_or_default();
    // What is shown ends with the colon: a code is news only where the status isn't that of an error.
    let colon = if status.is_success() { "" } else { ":" };
    let source = format!("Server returned status code: {status}{colon} {code}").into();
    let (path, store) = (String::new(), "S3");
    ArfError::store(action)(match status {
        StatusCode::NOT_FOUND => object_store::Error::NotFound { path, source },
        StatusCode::FORBIDDEN => object_store::Error::PermissionDenied { path, source },
        StatusCode::NOT_IMPLEMENTED => object_store::Error::NotSupported { source },
        _ => object_store::Error::Generic { store, source },
    })
}

/// The code of an error, such as `AccessDenied`, which S3 may also send with 200.
fn code(answer: &[u8]) -> Option<String> {
    let error = xml::read(answer).ok().filter(|root| root.name == "Error")?;
    error.text_of("Code").ok()?.map(str::to_owned)
}

/// As much of a code as is one word: it is shown to people.
fn word(code: &str) -> String {
    code.chars().take_while(char::is_ascii_alphanumeric).collect()
}

fn generic(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: source.into() }
}
