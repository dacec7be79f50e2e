//! Single writes, made by a sync under its lease.
//!
//! Both the request and the client end with the time that the caller gave: what is left of the write's own deadline
//! (DEL-2). After that the write is `Unanswered`, and Vespa may still apply it within about the same time again.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use shared_models::DocumentId;

use super::client::exchange;
use super::{StoredId, VespaClient, VespaError, body};

impl VespaClient {
    /// Writes one document, replacing one of the same id. Strings are cleaned with [`super::clean_text`].
    ///
    /// `fields` is usually a [`super::Document`]. The body is built when the future is first polled.
    ///
    /// # Errors
    /// Every [`VespaError`]; ask [`VespaError::may_still_apply`] whether the write is over.
    pub async fn put<F>(&self, id: &DocumentId, fields: &F, timeout: Duration) -> Result<(), VespaError>
    where
        F: Serialize + Sync,
    {
        let body = body::put(fields)?;
        let request = self
            .document_request(Method::POST, &StoredId::from(id), timeout)?
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body);
        exchange(request, timeout, timeout).await.map(drop)
    }

    /// Removes one document; one that isn't there is as good as removed.
    ///
    /// # Errors
    /// As [`VespaClient::put`].
    pub async fn remove(&self, id: &DocumentId, timeout: Duration) -> Result<(), VespaError> {
        self.remove_stored(&StoredId::from(id), timeout, timeout).await
    }

    /// Removes one document of any id. `deadline` is when the client gives up.
    pub(super) async fn remove_stored(
        &self,
        id: &StoredId,
        timeout: Duration,
        deadline: Duration,
    ) -> Result<(), VespaError> {
        let request = self.document_request(Method::DELETE, id, timeout)?;
        exchange(request, timeout, deadline).await.map(drop)
    }
}
