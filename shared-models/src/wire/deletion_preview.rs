//! What a deletion would take along, on the wire.

use serde::{Deserialize, Serialize};

use super::job::LastJob;
use super::source_connection::{EntitySummary, Schedule};
use crate::ids::{SourceConnectionId, SyncId};
use crate::text_enum::text_enum;

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
    /// What becomes unreadable at once: with the key that goes with the rows, before anything is removed.
    pub shredding: ShreddingPreview,
    /// What no purge reaches, as the receipt would say it.
    pub out_of_reach: Vec<String>,
    /// How long removing the data would take.
    pub purge: PurgeForecast,
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

/// What becomes of blobs once the key that they are encrypted with is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ShreddingPreview {
    /// Whether the sync has a key, which would be destroyed.
    pub destroys_blob_key: bool,
    /// Whether blobs may have been written without encryption, at any time: the key's end says nothing of those.
    pub has_plain_blobs: bool,
    /// Whether earlier versions and copies that the object store keeps would be unreadable from then on.
    pub makes_earlier_versions_unreadable: bool,
}

/// How long a purge would take, by how fast purges were lately. Nobody promises it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PurgeForecast {
    /// Documents a second, as purges removed them lately, or as their limit lets them; null if nobody knows yet.
    pub documents_per_second: Option<f64>,
    /// Seconds until the stores are empty, once it is its turn; null if nobody knows yet.
    pub seconds: Option<f64>,
    /// Seconds from then to the receipt: the settle delay; null if no cleanup-worker has told it yet.
    pub settle_seconds: Option<f64>,
    /// What would keep it from beginning now; null if nothing would.
    pub waits_for: Option<PurgeWait>,
}

text_enum! {
    /// What keeps a purge from beginning.
    PurgeWait, "reason to wait", {
        /// An operator paused cleanups.
        Resume = "resume",
        /// The hours in which purges may run.
        Hours = "hours",
        /// Other purges of the organization, which have found more documents than this one would.
        Turn = "turn",
    }
}
