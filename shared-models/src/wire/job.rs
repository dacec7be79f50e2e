//! Sync jobs on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{SourceConnectionId, SyncJobId};
use crate::job::{ErrorCategory, JobStatus};

/// What is told of a job wherever it is mentioned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobReport {
    /// Where it is.
    pub status: JobStatus,
    /// When a worker began it; null until then.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended; null until then.
    pub completed_at: Option<DateTime<Utc>>,
    /// Seconds from start to end; null until it has ended.
    pub duration_seconds: Option<f64>,
    /// Entities that were new.
    pub entities_inserted: i64,
    /// Entities that had changed.
    pub entities_updated: i64,
    /// Entities that the source no longer had.
    pub entities_deleted: i64,
    /// Entities that could not be read or written.
    pub entities_failed: i64,
    /// Why it failed, for people; null unless it failed.
    pub error: Option<String>,
    /// Why it failed, as far as new credentials can mend it; else null.
    pub error_category: Option<ErrorCategory>,
}

impl JobReport {
    /// Of a job that has just been created.
    const PENDING: Self = Self {
        status: JobStatus::Pending,
        started_at: None,
        completed_at: None,
        duration_seconds: None,
        entities_inserted: 0,
        entities_updated: 0,
        entities_deleted: 0,
        entities_failed: 0,
        error: None,
        error_category: None,
    };
}

/// One run of a connection's sync.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SourceConnectionJob {
    /// The job.
    pub id: SyncJobId,
    /// The connection that it belongs to.
    pub source_connection_id: SourceConnectionId,
    /// How it is.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub report: JobReport,
    /// Which entities were left out and why; null if none was. What the source could not read or use: `skipped_count`,
    /// and the first hundred in `skipped`. What a store refused: `refused_count` and `refused`, likewise.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub error_details: Option<Value>,
}

impl SourceConnectionJob {
    /// A job as it is when it has just been created.
    #[must_use]
    pub const fn pending(id: SyncJobId, source_connection_id: SourceConnectionId) -> Self {
        Self { id, source_connection_id, report: JobReport::PENDING, error_details: None }
    }
}

/// The newest job, as a connection mentions it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = SyncJobDetails))]
pub struct LastJob {
    /// The job.
    pub id: SyncJobId,
    /// How it is.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub report: JobReport,
}

/// How long a job took; null until it has started and ended.
#[must_use]
pub fn duration_seconds(started: Option<DateTime<Utc>>, completed: Option<DateTime<Utc>>) -> Option<f64> {
    Some(completed?.signed_duration_since(started?).as_seconds_f64())
}
