//! Sync jobs on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{SourceConnectionId, SyncJobId};
use crate::job::{ErrorCategory, JobStatus};

/// One run of a connection's sync.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SourceConnectionJob {
    pub id: SyncJobId,
    pub source_connection_id: SourceConnectionId,
    pub status: JobStatus,
    pub started_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
    pub duration_seconds: Option<f64>,
    pub entities_inserted: i64,
    pub entities_updated: i64,
    pub entities_deleted: i64,
    pub entities_failed: i64,
    pub error: Option<String>,
    pub error_category: Option<ErrorCategory>,
    pub error_details: Option<Value>,
}

impl SourceConnectionJob {
    /// A job as it is when it has just been created.
    #[must_use]
    pub const fn pending(id: SyncJobId, source_connection_id: SourceConnectionId) -> Self {
        Self {
            id,
            source_connection_id,
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
            error_details: None,
        }
    }
}

/// The newest job, as a connection mentions it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LastJob {
    pub id: SyncJobId,
    pub status: JobStatus,
    pub started_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
    pub duration_seconds: Option<f64>,
    pub entities_inserted: i64,
    pub entities_updated: i64,
    pub entities_deleted: i64,
    pub entities_failed: i64,
    pub error: Option<String>,
    pub error_category: Option<ErrorCategory>,
}

/// How long a job took; null until it has started and ended.
#[must_use]
pub fn duration_seconds(started: Option<DateTime<Utc>>, completed: Option<DateTime<Utc>>) -> Option<f64> {
    Some(completed?.signed_duration_since(started?).as_seconds_f64())
}
