//! Cleanups on the wire: how far the removal of a deleted connection's data is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::cleanup::{CleanupState, CleanupStatus, PurgeTarget, TargetProgress, WaitingFor, WriterEnd};
use crate::ids::{ApiKeyId, CleanupId, CollectionId, OrganizationId, RequestId, SourceConnectionId, SyncId};
use crate::text_enum::text_enum;

/// One cleanup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cleanup {
    /// The cleanup.
    pub id: CleanupId,
    /// Whose data it was.
    pub organization_id: OrganizationId,
    /// The collection that the connection was in.
    pub collection_id: CollectionId,
    /// The deleted connection.
    pub source_connection_id: SourceConnectionId,
    /// The sync whose id the data carries.
    pub sync_id: SyncId,
    /// How it stands: whether a worker is at it, and if not, whether it waits, fails or has ended.
    pub status: CleanupStatus,
    /// What it waits for; null unless it is `waiting`.
    pub waiting_for: Option<WaitingFor>,
    /// Where the removal is: the step that was reached.
    pub state: CleanupState,
    /// One entry for each store that must be verified empty: `vespa` and `arf`.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, CleanupTarget>))]
    pub targets: BTreeMap<PurgeTarget, CleanupTarget>,
    /// Failed attempts in a row, without headway in between.
    pub attempts: i32,
    /// Since when attempts have been failing without headway; null unless it is `failing`.
    pub failing_since: Option<DateTime<Utc>>,
    /// What stopped the last attempt; null if nothing did.
    pub error_code: Option<String>,
    /// The same in words, which name no content; null if nothing did.
    pub error_text: Option<String>,
    /// Entity rows that went with the connection.
    pub entity_rows_deleted: i64,
    /// How the writers of the sync came to their end.
    pub writer_end: WriterEnd,
    /// The API key that asked for the deletion, if there was one.
    pub requested_by: Option<ApiKeyId>,
    /// What that key is called, or was when it was deleted; null if it has no name.
    pub requested_by_name: Option<String>,
    /// The request that asked.
    pub request_id: Option<RequestId>,
    /// What the caller called the deletion: the header `X-Deletion-Reference` of its request.
    pub deletion_reference: Option<String>,
    /// When the deletion was accepted: from here on no search returns the data.
    pub deletion_requested_at: DateTime<Utc>,
    /// When the rows and credentials were gone.
    pub rows_deleted_at: DateTime<Utc>,
    /// When the key was gone that the blobs were encrypted with: it went with the rows. Null if there was none.
    pub blob_key_destroyed_at: Option<DateTime<Utc>>,
    /// Whether blobs may have been written without encryption: earlier versions of them may then be readable that an
    /// object store keeps.
    pub has_plain_blobs: bool,
    /// When the next attempt is due; null once no work is left.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When the targets are checked once more, if a writer ended without a word.
    pub check_again_at: Option<DateTime<Utc>>,
    /// By when it is to be done, as the service's operators have set it, counted from the deletion, or from when the
    /// cleanup was last opened again; null without such a limit, and once no work is left.
    pub deadline_at: Option<DateTime<Utc>>,
    /// Whether it ignores allowed hours and rate, since its deadline is near or has passed. A paused one doesn't.
    pub hurries: bool,
    /// Whether work is left though the deadline has passed: whether it waits, fails or is paused, `status` says.
    pub is_overdue: bool,
    /// When the cleanup was made.
    pub created_at: DateTime<Utc>,
    /// When something about it last changed.
    pub modified_at: DateTime<Utc>,
    /// When it was done; null until then.
    pub completed_at: Option<DateTime<Utc>>,
    /// Where to go on.
    pub links: CleanupLinks,
}

/// What is known of one store. Counts are documents or blobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CleanupTarget {
    /// Sum over all rounds of what a round found at its start. A round that begins with more than a look counts adds to
    /// it once that is counted: until then it is what the rounds before found.
    pub found: u64,
    /// Removals that the store acknowledged. If a worker dies, those of its last few seconds are missing until the
    /// store is verified empty: what was found and isn't there any more was removed. More than was found if something
    /// came, or came back, in the middle of a round.
    pub removed: u64,
    /// The same, by document type or kind of blob, counted as they were removed: after a crash at least so many.
    pub removed_by_type: BTreeMap<String, u64>,
    /// Rounds begun: the first, and one for each time that something was there again.
    pub rounds: u32,
    /// Whether a round is open: something was found and isn't removed yet.
    pub round_open: bool,
    /// When the store was last verified empty.
    pub verified_empty_at: Option<DateTime<Utc>>,
}

impl From<TargetProgress> for CleanupTarget {
    fn from(progress: TargetProgress) -> Self {
        // How it was verified is said once it counts, by the receipt.
        let TargetProgress {
            found,
            removed,
            removed_by_type,
            rounds,
            round_open,
            verified_empty_at,
            round: _,
            verified_by: _,
            verifications: _,
        } = progress;
        Self { found, removed, removed_by_type, rounds, round_open, verified_empty_at }
    }
}

/// Where to go on from a cleanup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CleanupLinks {
    /// The cleanup itself.
    #[serde(rename = "self")]
    pub this: String,
    /// Its newest receipt; null until there is one.
    pub receipt: Option<String>,
    /// Its progress as server-sent events.
    pub events: String,
}

text_enum! {
    /// What a server-sent event of a cleanup says; its data is the cleanup.
    CleanupEvent, "cleanup event", {
        /// Work is left.
        Progress = "progress",
        /// Verified empty, with a receipt: the last event.
        Done = "done",
        /// Somebody must look: the last event.
        Refused = "refused",
    }
}

impl From<CleanupState> for CleanupEvent {
    fn from(state: CleanupState) -> Self {
        match state {
            CleanupState::Scheduled | CleanupState::Purging | CleanupState::Settling => Self::Progress,
            CleanupState::Done => Self::Done,
            CleanupState::Refused => Self::Refused,
        }
    }
}
