//! A page of ids to remove: the step by which the index purge goes forward.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use shared_models::SyncId;

use super::answer::{Answer, all_types};
use super::{StoredId, VespaClient, VespaError};

/// The largest page that deploy/vespa's query profile, like Airweave's, lets through.
pub const MAX_PAGE: u32 = 10_000;

#[derive(Deserialize)]
struct IdHit {
    fields: IdFields,
}

#[derive(Deserialize)]
struct IdFields {
    documentid: String,
}

impl VespaClient {
    /// The first `limit` (at most [`MAX_PAGE`]) documents that carry the sync's id, always from offset 0: what is
    /// removed is gone from the next query. Removing them and asking again makes progress, even if Vespa didn't look
    /// everywhere or left out hits; so no page, an empty one neither, proves that nothing is left.
    ///
    /// # Errors
    /// `Untrustworthy` if documents match but no id is given, `Malformed` for an id that isn't of the five types, else
    /// as any call.
    pub async fn page_of_ids(&self, sync: SyncId, limit: u32, timeout: Duration) -> Result<Vec<StoredId>, VespaError> {
        let limit = limit.min(MAX_PAGE);
        let yql = format!(
            "select documentid from sources {} where airweave_system_metadata_sync_id contains \"{sync}\" limit {limit}",
            all_types()
        );
        let answer = Answer::<IdHit>::read(&self.query(json!({ "yql": yql }), timeout).await?)?;
        let total = answer.total()?;
        let read = |hit: &IdHit| StoredId::parse(&hit.fields.documentid).map(|id| id.listed_for(sync));
        let ids: Vec<_> = answer.children().iter().map(read).collect::<Result<_, _>>()?;
        if ids.is_empty() && total > 0 {
            return Err(VespaError::Untrustworthy(format!("{total} documents match, but no id was given")));
        }
        Ok(ids)
    }
}
