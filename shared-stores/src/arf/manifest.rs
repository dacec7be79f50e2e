//! The manifest of a sync's blobs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shared_models::{CollectionId, OrganizationId, SyncId, SyncJobId};

/// What the blobs beside it belong to. It lies there as plain text, and so holds no name that anybody chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The sync.
    pub sync_id: SyncId,
    /// The source, e.g. `postgresql`.
    pub source_short_name: String,
    /// The collection.
    pub collection_id: CollectionId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// When the first job wrote it.
    pub created_at: DateTime<Utc>,
    /// When the last job wrote it.
    pub updated_at: DateTime<Utc>,
    /// The jobs that wrote here, oldest first.
    pub sync_jobs: Vec<SyncJobId>,
}
