//! Cleanups: the rows that are work order and tombstone of a deleted sync,
//! and the claims under which they are worked on.
//!
//! Keeps DEL-6 and DEL-7: every update of a held row carries the claim it was made under, and a claim that was given
//! back, taken over or reopened can't change anything any more ([`ClaimLost`]). Keeps DEL-5: a worker that dies leaves
//! a claim that runs out, and the next worker goes on from the stored progress. All times are PostgreSQL's clock.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use shared_models::receipt::{Opening, Salt};
use shared_models::{
    ApiKeyId, CleanupId, CleanupState, CollectionId, OrganizationId, PurgeTarget, ReceiptId, RequestId, Shredding,
    SourceConnectionId, SyncId, TargetsProgress, WriterEnd,
};

use crate::error::DatabaseError;

mod claim;
mod due;
mod guard;
mod held;
mod hours;
mod moves;
mod pause;
mod rate;
mod reopen;
mod retry;
mod schedule;
pub(crate) mod standing;
mod stats;

pub use due::LooksDue;
pub use guard::Guard;
pub use held::Finished;
pub use hours::{AllowedHours, DailyWindow};
pub(crate) use moves::{reopen_found, reopen_restored};
pub(crate) use pause::IS_PAUSED;
pub use pause::Pause;
pub use rate::PurgeOutlook;
pub use retry::Retried;
pub use schedule::PurgeSchedule;
pub(crate) use schedule::{DEADLINE_AS_STORED, hurries_as_stored, is_allowed_as_stored, is_overdue_as_stored};

/// The right to work on one cleanup, until somebody else claims it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The row.
    pub cleanup_id: CleanupId,
    /// Its number; it grows with every claim of the row.
    pub number: i64,
}

/// The claim is somebody else's now: drop everything, at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("claim on the cleanup is lost")]
pub struct ClaimLost;

/// Why an update of a held row didn't happen.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// See [`ClaimLost`].
    #[error(transparent)]
    Lost(#[from] ClaimLost),
    /// PostgreSQL; the update may have happened if the connection was lost.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// A cleanup that has just been claimed, as it was when it was claimed.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the migration says what each column means")]
pub struct ClaimedCleanup {
    pub claim: Claim,
    pub state: CleanupState,
    pub sync_id: SyncId,
    pub organization_id: OrganizationId,
    pub collection_id: CollectionId,
    pub source_connection_id: SourceConnectionId,
    pub requested_by: Option<ApiKeyId>,
    pub request_id: Option<RequestId>,
    pub deletion_requested_at: DateTime<Utc>,
    pub rows_deleted_at: DateTime<Utc>,
    pub entity_rows_deleted: u64,
    pub shredding: Shredding,
    pub writer_end: WriterEnd,
    pub targets: Vec<PurgeTarget>,
    pub progress: TargetsProgress,
    pub attempts: u32,
    pub completed_at: Option<DateTime<Utc>>,
    pub check_again_at: Option<DateTime<Utc>>,
    /// The caller's own name for the deletion, with the salt of its hash.
    pub reference: Option<Opening>,
    /// The newest receipt of the cleanup so far.
    pub last_receipt: Option<ReceiptId>,
    /// Whether `check_again_at` had come: what is verified under this claim is that check.
    pub is_check_again: bool,
    /// The sync has a row: purging it would be wrong (DEL-4).
    pub is_live: bool,
    /// When it was claimed, on PostgreSQL's clock.
    pub claimed_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Uuid)]
    id: CleanupId,
    #[diesel(sql_type = sql_types::BigInt)]
    claim: i64,
    #[diesel(sql_type = sql_types::Text)]
    state: CleanupState,
    #[diesel(sql_type = sql_types::Uuid)]
    sync_id: SyncId,
    #[diesel(sql_type = sql_types::Uuid)]
    organization_id: OrganizationId,
    #[diesel(sql_type = sql_types::Uuid)]
    collection_id: CollectionId,
    #[diesel(sql_type = sql_types::Uuid)]
    source_connection_id: SourceConnectionId,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    requested_by: Option<ApiKeyId>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    request_id: Option<RequestId>,
    #[diesel(sql_type = sql_types::Timestamptz)]
    deletion_requested_at: DateTime<Utc>,
    #[diesel(sql_type = sql_types::Timestamptz)]
    rows_deleted_at: DateTime<Utc>,
    #[diesel(sql_type = sql_types::BigInt)]
    entity_rows_deleted: i64,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    blob_key_destroyed_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Bool)]
    has_plain_blobs: bool,
    #[diesel(sql_type = sql_types::Text)]
    writer_end: WriterEnd,
    #[diesel(sql_type = sql_types::Array<sql_types::Text>)]
    targets: Vec<PurgeTarget>,
    #[diesel(sql_type = sql_types::Jsonb)]
    progress: serde_json::Value,
    #[diesel(sql_type = sql_types::Integer)]
    attempts: i32,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    completed_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    check_again_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    deletion_reference: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Bytea>)]
    deletion_reference_salt: Option<Vec<u8>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    last_receipt: Option<ReceiptId>,
    #[diesel(sql_type = sql_types::Bool)]
    is_check_again: bool,
    #[diesel(sql_type = sql_types::Bool)]
    is_live: bool,
    #[diesel(sql_type = sql_types::Timestamptz)]
    claimed_at: DateTime<Utc>,
}

const COLUMNS: &str = "id, claim, state, sync_id, organization_id, collection_id, source_connection_id, requested_by,
    request_id, deletion_requested_at, rows_deleted_at, entity_rows_deleted, blob_key_destroyed_at, has_plain_blobs,
    writer_end, targets, progress, attempts, completed_at, check_again_at, deletion_reference, deletion_reference_salt,
    (SELECT r.id FROM receipt r WHERE r.cleanup_id = cleanup.id ORDER BY r.issued_at DESC, r.id DESC LIMIT 1) AS last_receipt,
    coalesce(check_again_at <= statement_timestamp(), false) AS is_check_again,
    EXISTS (SELECT 1 FROM sync WHERE sync.id = cleanup.sync_id) AS is_live, statement_timestamp() AS claimed_at";

impl TryFrom<Row> for ClaimedCleanup {
    type Error = DatabaseError;

    fn try_from(row: Row) -> Result<Self, DatabaseError> {
        let corrupt = |error: serde_json::Error| DatabaseError::Corrupt(format!("cleanup {}: {error}", row.id));
        Ok(Self {
            progress: serde_json::from_value(row.progress).map_err(corrupt)?,
            claim: Claim { cleanup_id: row.id, number: row.claim },
            state: row.state,
            sync_id: row.sync_id,
            organization_id: row.organization_id,
            collection_id: row.collection_id,
            source_connection_id: row.source_connection_id,
            requested_by: row.requested_by,
            request_id: row.request_id,
            deletion_requested_at: row.deletion_requested_at,
            rows_deleted_at: row.rows_deleted_at,
            entity_rows_deleted: u64::try_from(row.entity_rows_deleted).unwrap_or_default(),
            shredding: Shredding { key_destroyed_at: row.blob_key_destroyed_at, has_plain_blobs: row.has_plain_blobs },
            writer_end: row.writer_end,
            targets: row.targets,
            attempts: u32::try_from(row.attempts).unwrap_or_default(),
            completed_at: row.completed_at,
            check_again_at: row.check_again_at,
            reference: opening(row.deletion_reference, row.deletion_reference_salt),
            last_receipt: row.last_receipt,
            is_check_again: row.is_check_again,
            is_live: row.is_live,
            claimed_at: row.claimed_at,
        })
    }
}

/// A reference with its salt; the table has both or neither.
pub(crate) fn opening(reference: Option<String>, salt: Option<Vec<u8>>) -> Option<Opening> {
    Some(Opening { reference: reference?, salt: Salt(salt?.try_into().ok()?) })
}

fn progress_json(progress: &TargetsProgress) -> Result<serde_json::Value, DatabaseError> {
    serde_json::to_value(progress).map_err(|error| DatabaseError::Corrupt(format!("cleanup progress: {error}")))
}
