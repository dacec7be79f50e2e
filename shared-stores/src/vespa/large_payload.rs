//! Fields of an entity that are too large to stand in each of its chunks: the first chunk has them, and they are
//! fetched for the hits that are shown.

use std::time::Duration;

use serde::Deserialize;
use shared_models::SyncId;

use super::client::{WIRE_MARGIN, exchange};
use super::{StoredId, VespaClient, VespaError};

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    fields: Fields,
}

#[derive(Default, Deserialize)]
struct Fields {
    #[serde(rename = "airweave_system_metadata_sync_id")]
    sync_id: Option<SyncId>,
    large_payload: Option<String>,
}

impl VespaClient {
    /// The large fields of the entity that `chunk` is of, as JSON text; `None` if they are gone meanwhile, or not the
    /// sync's.
    ///
    /// # Errors
    /// As any call.
    pub async fn large_payload(
        &self,
        chunk: &StoredId,
        sync: SyncId,
        timeout: Duration,
    ) -> Result<Option<String>, VespaError> {
        let Some(first) = chunk.first_chunk() else { return Ok(None) };
        let kind = first.document_type();
        let fields = format!("{kind}:airweave_system_metadata_sync_id,large_payload");
        let request = self.fields_request(&first, &fields, timeout)?;
        let body = match exchange(request, timeout, timeout + WIRE_MARGIN).await {
            Err(VespaError::Rejected { status: 404, .. }) => return Ok(None),
            answered => answered?,
        };
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| VespaError::Malformed("document".to_owned()))?;
        Ok(answer.fields.large_payload.filter(|_| answer.fields.sync_id == Some(sync)))
    }
}
