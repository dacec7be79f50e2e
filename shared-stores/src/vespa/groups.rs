//! Groups of documents by their sync, out of a complete answer.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use shared_models::{DocumentType, SyncId};

use super::answer::{Answer, all_types};
use super::page::SYNC_ID;
use super::{VespaClient, VespaError};

/// What Vespa says to more groups than its limit `grouping.globalMaxGroups`.
const GROUPS_LIMIT: &str = "number of groups and summaries in grouping query exceeds";

/// Documents by sync.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Documents of each sync, however its id is written.
    pub syncs: BTreeMap<SyncId, u64>,
    /// Documents whose sync id isn't a UUID in its usual form.
    pub unreadable: u64,
    /// How many groups there were.
    pub count: u64,
    /// How many documents match, in groups or not.
    pub total: u64,
}

impl Groups {
    /// Whether every document that matches is in a group.
    ///
    /// # Errors
    /// `Untrustworthy`.
    pub(super) fn check_sum(&self) -> Result<(), VespaError> {
        let listed = self.syncs.values().sum::<u64>() + self.unreadable;
        if listed == self.total { Ok(()) } else { Err(dont_add_up()) }
    }
}

pub(super) fn dont_add_up() -> VespaError {
    VespaError::Untrustworthy("groups don't add up to the total".to_owned())
}

/// Whether Vespa refused because it makes no more groups than so many by itself.
pub(super) fn is_too_many(error: &VespaError) -> bool {
    matches!(error, VespaError::Rejected { status: 400, message } if message.contains(GROUPS_LIMIT))
}

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

impl VespaClient {
    /// The documents that meet the condition, by sync: at most `max` groups.
    ///
    /// # Errors
    /// `Untrustworthy` if the answer didn't cover everything, else as any call.
    pub(super) async fn groups(&self, condition: &str, max: u64, timeout: Duration) -> Result<Groups, VespaError> {
        let yql = format!(
            "select documentid from sources {} where {condition} limit 0 | \
             all(group({SYNC_ID}) max({max}) each(output(count())))",
            all_types()
        );
        let answer = Answer::<GroupRoot>::read(&self.query(json!({ "yql": yql }), timeout).await?)?;
        answer.check_complete(DocumentType::ALL.len())?;
        let mut groups = Groups { total: answer.total()?, ..Groups::default() };
        let lists = answer.children().iter().flat_map(|root| &root.children);
        for Group { value, fields: GroupFields { count } } in lists.flat_map(|list| &list.children) {
            groups.count += 1;
            match exact_sync(value) {
                Some(sync) => *groups.syncs.entry(sync).or_default() += count,
                None => groups.unreadable += count,
            }
        }
        Ok(groups)
    }
}

/// The sync whose documents a query by this value's sync finds: Vespa ignores case, but not how a UUID is written.
fn exact_sync(value: &str) -> Option<SyncId> {
    value.parse().ok().filter(|sync: &SyncId| sync.to_string().eq_ignore_ascii_case(value))
}
