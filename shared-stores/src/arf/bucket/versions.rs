//! All versions of a bucket's objects, and its delete markers: a bucket with versioning keeps them when an object is
//! overwritten or removed.
//!
//! `object_store` doesn't list them, so these requests are built here, and signed and sent with what that crate offers
//! for it. Facts: Amazon S3 API Reference, "ListObjectVersions" and "DeleteObjects".

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
use sha2::{Digest as _, Sha256};
use shared_service::Backoff;
use url::Url;

use super::Result;
use super::object::{Object, Page, PageToken, Refusals, Removal};
use crate::arf::ArfError;
use crate::object_stores::clients::S3Client;
use crate::object_stores::failure::Reason;
use crate::object_stores::patience::{FIRST_PAUSE, LONGEST_PAUSE, RETRIES};

mod xml;

use xml::{Answers, Outcome};

/// Where no region is named, as `object_store` has it.
const DEFAULT_REGION: &str = "us-east-1";

/// Lists and removes versions.
#[derive(Clone)]
pub(super) struct Versions {
    store: Arc<AmazonS3>,
    http: HttpClient,
    region: String,
}

impl Versions {
    pub(super) fn new(client: S3Client) -> Option<Self> {
        let S3Client { store, http, region } = client;
        Some(Self { store, http: http?, region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()) })
    }

    pub(super) async fn page(&self, prefix: &str, delimiter: Option<&str>, token: Option<PageToken>) -> Result<Page> {
        let mut query = vec![("versions", ""), ("prefix", prefix), ("encoding-type", "url")];
        query.extend(delimiter.map(|delimiter| ("delimiter", delimiter)));
        if let Some(token) = &token {
            query.push(("key-marker", &token.token));
            query.extend(token.version.as_deref().map(|version| ("version-id-marker", version)));
        }
        let answer = self.ask(LIST, Method::GET, &query, Bytes::new()).await?;
        xml::page(&answer).ok_or_else(|| failure(LIST, UNREADABLE))
    }

    pub(super) async fn remove(&self, objects: &[Object]) -> Removal {
        let answers = match self.ask_to_remove(objects).await {
            Ok(answers) => answers,
            Err(failure) => return Removal { failure: Some(failure), ..Removal::default() },
        };
        let mut removal = Removal::default();
        for object in objects {
            match answers.of(object) {
                Outcome::Removed => removal.removed.push(object.clone()),
                Outcome::Refused(code) => removal.refusals.add(Refusals::one(word(code))),
                Outcome::Unsaid => removal.refusals.add(Refusals::one("its answer doesn't name them".to_owned())),
            }
        }
        removal
    }

    async fn ask_to_remove(&self, objects: &[Object]) -> Result<Answers> {
        let deletion = xml::deletion(objects).ok_or_else(|| failure(REMOVE, "a key can't be said in XML"))?;
        let answer = self.ask(REMOVE, Method::POST, &[("delete", "")], deletion).await?;
        xml::answers(&answer).ok_or_else(|| failure(REMOVE, UNREADABLE))
    }

    /// Asks, and asks again while the store refuses it for the moment.
    async fn ask(&self, action: &'static str, method: Method, query: &[(&str, &str)], body: Bytes) -> Result<Bytes> {
        let mut pauses = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE).pauses().take(RETRIES);
        loop {
            let request = self.request(&method, query, &body).await?;
            let error = match self.send(request).await {
                Ok((StatusCode::OK, answer)) if !xml::is_error(&answer) => return Ok(answer),
                Ok((status, answer)) if !is_passing(status) => return Err(refused(action, status, &answer)),
                Ok((status, answer)) => refused(action, status, &answer),
                Err(error) => ArfError::store(action)(generic(error)),
            };
            let Some(pause) = pauses.next() else { return Err(error) };
            tokio::time::sleep(pause).await;
        }
    }

    async fn request(&self, method: &Method, query: &[(&str, &str)], body: &Bytes) -> Result<HttpRequest> {
        let mut url = self.bucket_url().await?;
        url.query_pairs_mut().extend_pairs(query);
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
        let authorizer = AwsAuthorizer::new(&credential, "s3", &self.region);
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

const LIST: &str = "list versions";
const REMOVE: &str = "remove versions";
const UNREADABLE: &str = "the answer is unreadable";

/// Whether the same request may be answered otherwise in a moment. An error may also come with 200.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::OK | StatusCode::TOO_MANY_REQUESTS)
}

fn refused(action: &'static str, status: StatusCode, answer: &Bytes) -> ArfError {
    let code = xml::code(answer).map(|code| word(&code)).unwrap_or_default();
    let source = format!("Server returned non-2xx status code: {status} {code}").into();
    let (path, store) = (String::new(), "S3");
    ArfError::store(action)(match status {
        StatusCode::NOT_FOUND => object_store::Error::NotFound { path, source },
        StatusCode::FORBIDDEN => object_store::Error::PermissionDenied { path, source },
        StatusCode::NOT_IMPLEMENTED => object_store::Error::NotSupported { source },
        _ => object_store::Error::Generic { store, source },
    })
}

fn failure(action: &'static str, reason: &'static str) -> ArfError {
    ArfError::store(action)(generic(Reason(reason)))
}

/// As much of a code as is one word: it is shown to people.
fn word(code: &str) -> String {
    code.chars().take_while(char::is_ascii_alphanumeric).collect()
}

fn generic(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: source.into() }
}
