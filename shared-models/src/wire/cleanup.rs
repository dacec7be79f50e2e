//! Cleanups on the wire: how far the removal of a deleted connection's data is.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::cleanup::{CleanupState, TargetsProgress, WriterEnd};
use crate::ids::{ApiKeyId, CleanupId, CollectionId, OrganizationId, RequestId, SourceConnectionId, SyncId};

/// One cleanup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Cleanup {
    pub id: CleanupId,
    pub organization_id: OrganizationId,
    pub collection_id: CollectionId,
    pub source_connection_id: SourceConnectionId,
    pub sync_id: SyncId,
    pub state: CleanupState,
    /// One entry for each store that must be verified empty.
    pub targets: TargetsProgress,
    pub attempts: i32,
    pub error_code: Option<String>,
    pub entity_rows_deleted: i64,
    pub writer_end: WriterEnd,
    pub requested_by: Option<ApiKeyId>,
    pub request_id: Option<RequestId>,
    pub deletion_requested_at: DateTime<Utc>,
    pub rows_deleted_at: DateTime<Utc>,
    /// When the next attempt is due; null once no work is left.
    pub next_attempt_at: Option<DateTime<Utc>>,
    pub check_again_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    pub links: CleanupLinks,
}

/// Where to go on from a cleanup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanupLinks {
    /// The cleanup itself.
    #[serde(rename = "self")]
    pub this: String,
    /// Its newest receipt; null until there is one.
    pub receipt: Option<String>,
}
