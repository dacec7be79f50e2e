//! Counts that may be believed: the verification of a purge rests on them (DEL-7).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use shared_models::{DocumentType, SyncId};

use super::answer::{Answer, Unread, all_types};
use super::page::SYNC_ID;
use super::{VespaClient, VespaError, groups};

/// A number of documents that came out of a complete answer; nothing else can make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(u64);

impl Count {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl VespaClient {
    /// How many documents of all five types carry the sync's id.
    ///
    /// # Errors
    /// `Untrustworthy` if the answer didn't cover everything, else as any call. Never a number from a partial answer.
    pub async fn count(&self, sync: SyncId, timeout: Duration) -> Result<Count, VespaError> {
        let yql = format!("select documentid from sources {} where {SYNC_ID} contains \"{sync}\" limit 0", all_types());
        let answer = Answer::<Unread>::read(&self.query(json!({ "yql": yql }), timeout).await?)?;
        answer.check_complete(DocumentType::ALL.len())?;
        Ok(Count(answer.total()?))
    }

    /// How many documents of all five types carry each sync's id, in one query for all. Of more than
    /// [`MOST_COUNTED`] syncs none is counted.
    ///
    /// Groups are made in a second pass, of which Vespa doesn't say whether it covered everything: they are believed
    /// only if they add up to the total of the first, which says. So a sync without a group holds nothing.
    ///
    /// # Errors
    /// `Setup` for too many syncs, else as [`VespaClient::count`]: one untrustworthy part spoils the whole.
    pub async fn counts(&self, syncs: &[SyncId], timeout: Duration) -> Result<BTreeMap<SyncId, Count>, VespaError> {
        match syncs {
            [] => return Ok(BTreeMap::new()),
            [only] => return Ok(BTreeMap::from([(*only, self.count(*only, timeout).await?)])),
            many if many.len() > MOST_COUNTED => {
                return Err(VespaError::Setup(format!("{} syncs are too many for one count", many.len())));
            }
            _ => {}
        }
        let ids = syncs.iter().map(|sync| format!("\"{sync}\"")).collect::<Vec<_>>().join(", ");
        // One group more than there are ids: whatever else there is shows in the sum.
        let groups = self.groups(&format!("{SYNC_ID} in ({ids})"), MOST_COUNTED_GROUPS, timeout).await?;
        let counted = |sync: &SyncId| (*sync, Count(groups.syncs.get(sync).copied().unwrap_or_default()));
        let counts: BTreeMap<SyncId, Count> = syncs.iter().map(counted).collect();
        let sum: u64 = counts.values().map(|count| count.get()).sum();
        if sum == groups.total { Ok(counts) } else { Err(groups::dont_add_up()) }
    }
}

/// So many syncs are counted in one query.
pub const MOST_COUNTED: usize = 1_000;
/// Room for ids that are written in two ways, as none of ours is. Below the limit that Vespa has of itself.
const MOST_COUNTED_GROUPS: u64 = 5_000;
