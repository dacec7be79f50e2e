//! What a deletion would take along, on the wire.

use serde::{Deserialize, Serialize};

use super::job::LastJob;
use super::source_connection::{EntitySummary, Schedule};
use crate::ids::{SourceConnectionId, SyncId};

/// What deleting a connection would do, as things stand. Asking changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeletionPreview {
    /// The connection.
    pub source_connection_id: SourceConnectionId,
    /// The sync whose id all its data carries.
    pub sync_id: SyncId,
    /// Its name for people.
    pub name: String,
    /// The collection that it is in, and that stays.
    pub readable_collection_id: String,
    /// Rows that would go with the connection's own.
    pub rows: DeletedRows,
    /// Entities that would go, by class.
    pub entities: EntitySummary,
    /// What the cleanup is expected to find in the stores. What it really finds is in its receipt.
    pub expected: ExpectedData,
    /// The job that would be cancelled; null if none is active.
    pub active_job: Option<LastJob>,
    /// Longest time that the answer to DELETE would wait for that job's writer to stop, in seconds; 0 without one.
    pub longest_wait_seconds: f64,
    /// When the connection would have run by itself; null if it has no schedule.
    pub schedule: Option<Schedule>,
}

/// Rows that would be deleted, by table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeletedRows {
    /// Jobs, the active one included.
    pub jobs: i64,
    /// Entities' metadata.
    pub entities: i64,
    /// Stored credentials.
    pub credentials: i64,
}

/// Data in the stores, as far as the rows tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExpectedData {
    /// Documents in Vespa.
    pub documents: i64,
    /// Blobs in the ARF store: a manifest, one for each entity, and the raw files.
    pub blobs: i64,
}
