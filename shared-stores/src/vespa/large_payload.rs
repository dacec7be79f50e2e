//! Fields of an entity that are too large to stand in each of its chunks: the first chunk has them, and they are
//! fetched for the hits that are shown.

use std::time::Duration;

use serde::Deserialize;
use shared_models::SyncId;

use super::client::{WIRE_MARGIN, exchange_at_most};
use super::{StoredId, VespaClient, VespaError};

/// What is JSON already is mostly escaped with one character more; a control character would take six.
const MOST_ESCAPED: usize = 2;
/// What the answer has around the fields.
const AROUND_BYTES: usize = 4096;

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
    /// sync's. `bytes` is how long they are; as JSON within JSON they may take several times that.
    ///
    /// # Errors
    /// `TooLarge` if they are longer by now, else as any call.
    pub async fn large_payload(
        &self,
        chunk: &StoredId,
        sync: SyncId,
        bytes: usize,
        timeout: Duration,
    ) -> Result<Option<String>, VespaError> {
        let Some(first) = chunk.first_chunk() else { return Ok(None) };
        let kind = first.document_type();
        let fields = format!("{kind}:airweave_system_metadata_sync_id,large_payload");
        let request = self.fields_request(&first, &fields, timeout)?;
        let most_bytes = bytes.saturating_mul(MOST_ESCAPED).saturating_add(AROUND_BYTES);
        let body = match exchange_at_most(most_bytes, request, timeout, timeout + WIRE_MARGIN).await {
            Err(VespaError::Rejected { status: 404, .. }) => return Ok(None),
            answered => answered?,
        };
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| VespaError::Malformed("document".to_owned()))?;
        let fields = answer.fields.large_payload.filter(|_| answer.fields.sync_id == Some(sync));
        match fields {
            Some(fields) if fields.len() > bytes => Err(VespaError::TooLarge(bytes)),
            fields => Ok(fields),
        }
    }
}
