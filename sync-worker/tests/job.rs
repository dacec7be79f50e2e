//! A job as its row has it, read beside our own code.

use serde::Deserialize;
use serde_json::Value;
use shared_models::job::ErrorCategory;
use shared_models::{JobStatus, SyncJobId};

#[derive(Debug, Deserialize)]
pub struct Job {
    pub id: SyncJobId,
    pub status: JobStatus,
    pub job_end: Option<JobEnd>,
    pub entities_inserted: i64,
    pub entities_updated: i64,
    pub entities_deleted: i64,
    pub entities_kept: i64,
    pub entities_failed: i64,
    pub error: Option<String>,
    pub error_category: Option<ErrorCategory>,
    pub error_details: Option<Value>,
}

/// How its writer came to its end.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobEnd {
    Acknowledged,
    Lease,
    NeverStarted,
}

/// Inserted, updated, deleted, kept, failed.
pub fn counts(job: &Job) -> [i64; 5] {
    [job.entities_inserted, job.entities_updated, job.entities_deleted, job.entities_kept, job.entities_failed]
}
