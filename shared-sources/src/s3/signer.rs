//! Whose name requests are signed with: the key of the connection's owner, or the worker's own role.
//!
//! The role is what `object_store` finds: `AWS_ACCESS_KEY_ID` and its like, a web identity, a container's or an
//! instance's metadata. Its keys change, so each request asks for them;
//! they are fetched anew shortly before they expire.

use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AwsAuthorizer, AwsCredential, AwsCredentialProvider};
use object_store::client::{HttpRequest, HttpRequestBody};
use reqwest::header::HeaderMap;
use url::Url;

use super::check::Credentials;
use super::refusal::Refusal;
use crate::SourceError;

/// Signs requests.
pub(super) struct Signer {
    who: Who,
    region: String,
}

enum Who {
    Owner(Arc<AwsCredential>),
    Role(AwsCredentialProvider),
}

impl Signer {
    /// With the key of `credentials`, or without one with the worker's role. Nothing is asked yet.
    ///
    /// # Errors
    /// [`SourceError::Misconfigured`] if the key can't be one, or the worker has no role.
    pub(super) fn new(credentials: &Credentials, bucket: &str) -> Result<Self, SourceError> {
        let region = credentials.region.clone();
        let key = credentials.access_key_id.as_ref().zip(credentials.secret_access_key.as_ref());
        let who = match key {
            Some((key_id, secret_key)) => owner(key_id.trim(), secret_key.trim())?,
            None => role(bucket, &region)?,
        };
        Ok(Self { who, region })
    }

    /// The headers that say who asks for `url` with `headers`.
    ///
    /// # Errors
    /// [`Refusal::Passing`].
    pub(super) async fn sign(&self, url: &Url, headers: &HeaderMap) -> Result<HeaderMap, Refusal> {
        let credential = match &self.who {
            Who::Owner(key) => key.clone(),
            Who::Role(provider) => provider.get_credential().await.map_err(|_| {
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
}

fn owner(key_id: &str, secret_key: &str) -> Result<Who, SourceError> {
    // A key of other letters would break the header that it is put into.
    if !key_id.bytes().all(|letter| letter.is_ascii_graphic()) {
        return Err(SourceError::Misconfigured("the access key ID holds characters that none has".to_owned()));
    }
    let (key_id, secret_key) = (key_id.to_owned(), secret_key.to_owned());
    Ok(Who::Owner(Arc::new(AwsCredential { key_id, secret_key, token: None })))
}

fn role(bucket: &str, region: &str) -> Result<Who, SourceError> {
    let store = AmazonS3Builder::from_env().with_bucket_name(bucket).with_region(region).build();
    let store = store.map_err(|_| SourceError::Misconfigured("this worker has no role of its own".to_owned()))?;
    Ok(Who::Role(store.credentials().clone()))
}
