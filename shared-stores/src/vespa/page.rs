//! A page of ids to remove: the step by which a purge goes forward.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use shared_models::{DocumentType, SlotRange, SyncId};

use super::answer::{Answer, all_types};
use super::{StoredId, VespaClient, VespaError};

/// The largest page that deploy/vespa's query profile, like Airweave's, lets through.
pub const MAX_PAGE: u32 = 10_000;

pub(super) const SYNC_ID: &str = "airweave_system_metadata_sync_id";
pub(super) const PURGE_KEY: &str = "airweave_system_metadata_purge_key";

/// Which documents of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All, whoever wrote them. Vespa examines every document that the sync still has, whatever the page's size.
    Whole,
    /// Those whose purge key is in the range: Vespa examines these alone.
    Slots(SlotRange),
}

/// Ids of documents, listed for a purge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPage {
    /// The ids.
    pub ids: Vec<StoredId>,
    /// Whether these are all that there were, by an answer that covered everything. Otherwise more may be there, even
    /// if the page is empty.
    pub is_complete: bool,
}

#[derive(Deserialize)]
struct IdHit {
    fields: IdFields,
}

#[derive(Deserialize)]
struct IdFields {
    documentid: String,
}

impl VespaClient {
    /// The first `limit` (at most [`MAX_PAGE`]) documents of a part of the sync, always from offset 0: what is removed
    /// is gone from the next query.
    ///
    /// # Errors
    /// `Untrustworthy` if documents match but no id is given, `Malformed` for an id that isn't of the five types, else
    /// as any call.
    pub async fn page_of_ids(
        &self,
        sync: SyncId,
        part: Part,
        limit: u32,
        timeout: Duration,
    ) -> Result<IdPage, VespaError> {
        let limit = limit.min(MAX_PAGE);
        let yql =
            format!("select documentid from sources {} where {} limit {limit}", all_types(), condition(sync, part));
        let answer = Answer::<IdHit>::read(&self.query(json!({ "yql": yql }), timeout).await?)?;
        let total = answer.total()?;
        let read = |hit: &IdHit| StoredId::parse(&hit.fields.documentid).map(|id| id.listed_for(sync));
        let ids: Vec<_> = answer.children().iter().map(read).collect::<Result<_, _>>()?;
        if ids.is_empty() && total > 0 {
            return Err(VespaError::Untrustworthy(format!("{total} documents match, but no id was given")));
        }
        let are_all = u64::try_from(ids.len()).is_ok_and(|listed| listed == total);
        let is_complete = are_all && answer.check_complete(DocumentType::ALL.len()).is_ok();
        Ok(IdPage { ids, is_complete })
    }
}

/// Both ends of the range are closed and finite: Vespa hands an open one on as a double, which hasn't room for the
/// slot.
fn condition(sync: SyncId, part: Part) -> String {
    let of_sync = format!("{SYNC_ID} contains \"{sync}\"");
    match part {
        Part::Whole => of_sync,
        Part::Slots(slots) => {
            let (first, last) = slots.keys(sync);
            format!("range({PURGE_KEY}, {first}L, {last}L) and {of_sync}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn a_slice_is_asked_for_by_its_keys_and_by_its_sync() {
        let sync: SyncId = "ffffffff-ffff-4fff-8fff-ffffffffffff".parse().unwrap();
        let slots = SlotRange::starting_at(3, NonZeroU32::new(4).unwrap()).unwrap();
        let asked = condition(sync, Part::Slots(slots));
        let keys = "range(airweave_system_metadata_purge_key, 9223372036854743043L, 9223372036854743046L)";
        let of_sync = "airweave_system_metadata_sync_id contains \"ffffffff-ffff-4fff-8fff-ffffffffffff\"";
        assert_eq!(asked, format!("{keys} and {of_sync}"));
    }
}
