//! The end of a job, by its worker.
//!
//! Keeps DEL-2: the job ends in the same statement that clears its lease. That statement also keeps the cursor, so a
//! job that is cancelled, failed, reaped or gone gives none.

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::job::ErrorCategory;
use shared_models::{Envelope, JobStatus, LeaseOwner, Message, MessageId, SyncJobId};

use super::{Cursor, JobCounts, StatusRow, moves};
use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

/// How a worker wants to end its job.
#[derive(Debug, Clone)]
pub enum JobOutcome {
    /// Everything was read and written.
    Completed {
        /// Where the next job goes on; `None` leaves the stored one as it is.
        cursor: Option<Cursor>,
    },
    /// The job stopped because it was asked to.
    Cancelled,
    /// The job stopped because its worker was told to. A new one follows it, so that a rolling update loses no job.
    Interrupted,
    /// An error, told to the connection's owner.
    Failed {
        /// Text without secrets.
        error: String,
        /// Set if the owner must renew the credentials.
        category: Option<ErrorCategory>,
    },
}

/// So many jobs in a row may be interrupted before none follows: a job that ends its worker must not do so for ever.
const MAX_INTERRUPTIONS: i32 = 3;

const STOPPED: &str = "worker stopped before the job was done";

/// The job that follows an interrupted one, and the message that says so.
struct Successor {
    job: SyncJobId,
    message: MessageId,
    text: serde_json::Value,
}

impl Successor {
    fn new() -> Result<Self> {
        let job = SyncJobId::random();
        let said = Envelope::new(Message::RunSync { job_id: job }, None);
        Ok(Self { job, message: said.message_id, text: crate::outbox::json(&said.message)? })
    }
}

impl Database {
    /// Ends a job and clears its lease; the caller has made sure that none of its writes is open. Completion that finds
    /// `cancelling` takes the cancel path. `None` if the job was reaped or is gone.
    ///
    /// # Errors
    /// Any database error.
    pub async fn end_job(
        &self,
        job: SyncJobId,
        owner: LeaseOwner,
        outcome: JobOutcome,
        counts: JobCounts,
    ) -> Result<Option<JobStatus>> {
        // A worker says "cancelled" only when it was told so; if the row isn't cancelling, that was a lost lease.
        let successor = match &outcome {
            JobOutcome::Interrupted => Some(Successor::new()?),
            JobOutcome::Completed { .. } | JobOutcome::Cancelled | JobOutcome::Failed { .. } => None,
        };
        let (status, error, category, cursor) = match outcome {
            JobOutcome::Completed { cursor } => (JobStatus::Completed, None, None, cursor),
            JobOutcome::Cancelled | JobOutcome::Interrupted => {
                (JobStatus::Failed, Some(STOPPED.to_owned()), None, None)
            }
            JobOutcome::Failed { error, category } => (JobStatus::Failed, Some(error), category, None),
        };
        let (cursor, form) = cursor.map_or((None, None), |Cursor { value, form }| (Some(value), Some(form)));
        let row: Option<StatusRow> = sql_query(moves::END)
            .bind::<sql_types::Uuid, _>(job)
            .bind::<sql_types::Uuid, _>(owner)
            .bind::<sql_types::Text, _>(status)
            .bind::<sql_types::Nullable<sql_types::Text>, _>(error)
            .bind::<sql_types::Nullable<sql_types::Text>, _>(category)
            .bind::<sql_types::BigInt, _>(counts.inserted)
            .bind::<sql_types::BigInt, _>(counts.updated)
            .bind::<sql_types::BigInt, _>(counts.deleted)
            .bind::<sql_types::BigInt, _>(counts.kept)
            .bind::<sql_types::BigInt, _>(counts.failed)
            .bind::<sql_types::Nullable<sql_types::Jsonb>, _>(cursor)
            .bind::<sql_types::Nullable<sql_types::Text>, _>(form)
            .bind::<sql_types::Nullable<sql_types::Uuid>, _>(successor.as_ref().map(|successor| successor.job))
            .bind::<sql_types::Nullable<sql_types::Uuid>, _>(successor.as_ref().map(|successor| successor.message))
            .bind::<sql_types::Nullable<sql_types::Jsonb>, _>(successor.map(|successor| successor.text))
            .bind::<sql_types::Integer, _>(MAX_INTERRUPTIONS)
            .get_result(&mut self.connection().await?)
            .await
            .optional()?;
        Ok(row.map(|row| row.status))
    }
}
