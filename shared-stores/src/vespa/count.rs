//! Counts that may be believed: the verification of a purge rests on them (DEL-7).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use shared_models::{DocumentType, SyncId};

use super::answer::{Answer, Unread, all_types};
use super::page::SYNC_ID;
use super::{VespaClient, VespaError};

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

/// Which syncs hold documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncCensus {
    /// Documents by sync.
    pub syncs: BTreeMap<SyncId, u64>,
    /// Documents whose sync id isn't a UUID in its usual form: no deletion can concern them.
    pub unreadable: u64,
    /// Whether there are more syncs than fit into one answer; those that are listed are right.
    pub is_truncated: bool,
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
        let answer = self.groups(&format!("{SYNC_ID} in ({ids})"), MOST_COUNTED_GROUPS, timeout).await?;
        answer.check_complete(DocumentType::ALL.len())?;
        let census = census(&answer, u64::MAX)?;
        let counted = |sync: &SyncId| (*sync, Count(census.syncs.get(sync).copied().unwrap_or_default()));
        let counts: BTreeMap<SyncId, Count> = syncs.iter().map(counted).collect();
        let sum: u64 = counts.values().map(|count| count.get()).sum();
        if sum == answer.total()? { Ok(counts) } else { Err(VespaError::Untrustworthy(DONT_ADD_UP.to_owned())) }
    }

    /// Which syncs hold documents, and how many.
    ///
    /// # Errors
    /// As [`VespaClient::count`].
    pub async fn sync_ids(&self, timeout: Duration) -> Result<SyncCensus, VespaError> {
        let max = self.max_groups;
        let answered = match self.groups("true", max, timeout).await {
            // Another application package, whose query profile doesn't raise the limit: the list is cut, and says so.
            Err(VespaError::Rejected { status: 400, message }) if message.contains(GROUPS_LIMIT) => {
                self.groups("true", max.min(USUAL_MAX_GROUPS), timeout).await.map(|answer| (answer, USUAL_MAX_GROUPS))
            }
            answered => answered.map(|answer| (answer, max)),
        };
        let (answer, max) = answered?;
        answer.check_complete(DocumentType::ALL.len())?;
        census(&answer, max)
    }

    async fn groups(&self, condition: &str, max: u64, timeout: Duration) -> Result<Answer<GroupRoot>, VespaError> {
        let yql = format!(
            "select documentid from sources {} where {condition} limit 0 | \
             all(group({SYNC_ID}) max({max}) each(output(count())))",
            all_types()
        );
        Answer::read(&self.query(json!({ "yql": yql }), timeout).await?)
    }
}

/// So many syncs are counted in one query.
pub const MOST_COUNTED: usize = 1_000;
/// Room for ids that are written in two ways, as none of ours is. Below the limit that Vespa has of itself.
const MOST_COUNTED_GROUPS: u64 = 5_000;
const DONT_ADD_UP: &str = "groups don't add up to the total";

/// What Vespa says to more groups than its limit `grouping.globalMaxGroups`.
const GROUPS_LIMIT: &str = "number of groups and summaries in grouping query exceeds";
/// That limit where nobody has raised it.
const USUAL_MAX_GROUPS: u64 = 10_000;

#[derive(Debug, Deserialize)]
struct GroupRoot {
    #[serde(default)]
    children: Vec<GroupList>,
}

#[derive(Debug, Deserialize)]
struct GroupList {
    #[serde(default)]
    children: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    value: String,
    fields: GroupFields,
}

#[derive(Debug, Deserialize)]
struct GroupFields {
    #[serde(rename = "count()")]
    count: u64,
}

fn census(answer: &Answer<GroupRoot>, max: u64) -> Result<SyncCensus, VespaError> {
    let mut census = SyncCensus::default();
    let mut groups: u64 = 0;
    let lists = answer.children().iter().flat_map(|root| &root.children);
    for Group { value, fields: GroupFields { count } } in lists.flat_map(|list| &list.children) {
        groups += 1;
        match exact_sync(value) {
            Some(sync) => *census.syncs.entry(sync).or_default() += count,
            None => census.unreadable += count,
        }
    }
    let listed: u64 = census.syncs.values().sum::<u64>() + census.unreadable;
    census.is_truncated = groups >= max;
    if listed < answer.total()? && !census.is_truncated {
        return Err(VespaError::Untrustworthy(DONT_ADD_UP.to_owned()));
    }
    Ok(census)
}

/// The sync whose documents a query by this value's sync finds: Vespa ignores case, but not how a UUID is written.
fn exact_sync(value: &str) -> Option<SyncId> {
    value.parse().ok().filter(|sync: &SyncId| sync.to_string().eq_ignore_ascii_case(value))
}
