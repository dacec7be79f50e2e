//! Sync jobs and their write leases.
//!
//! Keeps DEL-2: a lease can be renewed only while the job is running and still ours, and a job ends in the same update
//! that clears its lease. A worker that dies leaves its lease to run out; the reaper of any worker ends the job.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;
use serde::Deserialize;
use shared_models::job::ErrorCategory;
use shared_models::{
    Envelope, JobStatus, LeaseOwner, Message, OrganizationId, RequestId, SourceConnectionId, SyncId, SyncJobId,
};

use crate::error::{DatabaseError, Result};
use crate::history::ledger_size;
use crate::pool::Database;
use crate::schema::sync_job;
use crate::session::Session;
use crate::statement::sql_query;

mod cursor;
mod details;
mod end;
pub(crate) mod moves;

pub use cursor::Cursor;
pub use end::JobOutcome;

/// What clients see of a row of `sync_job`.
#[derive(Debug, Clone, Queryable, Selectable, Deserialize)]
#[diesel(table_name = sync_job)]
#[expect(missing_docs, reason = "the migration says what each column means")]
pub struct SyncJob {
    pub id: SyncJobId,
    pub status: JobStatus,
    pub started_at: Option<DateTime<Utc>>,
    pub completed_at: Option<DateTime<Utc>>,
    pub entities_inserted: i64,
    pub entities_updated: i64,
    pub entities_deleted: i64,
    pub entities_failed: i64,
    pub error: Option<String>,
    pub error_category: Option<ErrorCategory>,
    pub error_details: Option<serde_json::Value>,
}

/// What asking for a job came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewJob {
    /// A pending job, and a `RunSync` in the outbox.
    Created(SyncJobId),
    /// The sync has an active job already, in this state.
    AlreadyActive(JobStatus),
    /// The connection is being deleted, or is gone.
    BeingDeleted,
}

/// Creates a job in the transaction that `db` is in: one statement that meets D1's lock, and the message.
///
/// # Errors
/// Any database error; [`DatabaseError::Unique`] if the sync has an active job (the transaction is then void).
pub(crate) async fn create(
    db: &mut Session,
    connection: SourceConnectionId,
    force_full_sync: bool,
    request: Option<RequestId>,
) -> Result<Option<SyncJobId>> {
    let id = SyncJobId::random();
    let rows = sql_query(moves::CREATE)
        .bind::<sql_types::Uuid, _>(id)
        .bind::<sql_types::Uuid, _>(connection)
        .bind::<sql_types::Bool, _>(force_full_sync)
        .bind::<sql_types::Nullable<sql_types::Uuid>, _>(request)
        .execute(db)
        .await?;
    if rows == 0 {
        return Ok(None);
    }
    crate::outbox::enqueue(db, &Envelope::new(Message::RunSync { job_id: id }, request)).await?;
    Ok(Some(id))
}

/// What a worker needs to run a job that it has just got the lease of.
#[derive(Debug, Clone, QueryableByName)]
#[expect(missing_docs, reason = "the migration says what each column means")]
pub struct ClaimedJob {
    #[diesel(sql_type = sql_types::Uuid)]
    pub job_id: SyncJobId,
    #[diesel(sql_type = sql_types::Uuid)]
    pub sync_id: SyncId,
    #[diesel(sql_type = sql_types::Bool)]
    pub force_full_sync: bool,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    pub request_id: Option<RequestId>,
    #[diesel(sql_type = sql_types::Uuid)]
    pub source_connection_id: SourceConnectionId,
    #[diesel(sql_type = sql_types::Uuid)]
    pub organization_id: OrganizationId,
    #[diesel(sql_type = sql_types::Uuid)]
    pub collection_id: shared_models::CollectionId,
    #[diesel(sql_type = sql_types::Text)]
    pub short_name: String,
    #[diesel(sql_type = sql_types::Jsonb)]
    pub config: serde_json::Value,
    /// What the last job that completed with a cursor gave.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Jsonb>)]
    pub cursor: Option<serde_json::Value>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub cursor_form: Option<String>,
    /// The job before this one was lost with its worker: it may have left writes half-way.
    #[diesel(sql_type = sql_types::Bool)]
    pub follows_lost_worker: bool,
}

/// Which job to claim.
#[derive(Debug, Clone, Copy)]
pub enum JobChoice {
    /// The one that a message named.
    Named(SyncJobId),
    /// The oldest that has been pending for so long that its message may be lost.
    PendingFor(Duration),
}

/// What a job has done so far, in entities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct JobCounts {
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
    pub kept: i64,
    pub failed: i64,
}

/// A job that the reaper ended.
#[derive(Debug, Clone, Copy, QueryableByName)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ReapedJob {
    #[diesel(sql_type = sql_types::Uuid)]
    pub job_id: SyncJobId,
    #[diesel(sql_type = sql_types::Text)]
    pub status: JobStatus,
}

/// What a cancel request found and did.
#[derive(Debug, Clone)]
pub enum CancelJob {
    /// The job as it is now: cancelled, or cancelling.
    Cancelled(SyncJob),
    /// The job has ended or is cancelling already.
    NotCancellable(JobStatus),
    /// No such job of this connection.
    NotFound,
}

#[derive(QueryableByName)]
struct StatusRow {
    #[diesel(sql_type = sql_types::Text)]
    status: JobStatus,
}

impl Database {
    /// Claims a pending job: it runs from now on, under a lease of `ttl`. `None` if somebody else has it, it was
    /// cancelled, or there is none; or if PostgreSQL's history is lost (DEL-10).
    ///
    /// # Errors
    /// Any database error. After [`DatabaseError::Unavailable`] the claim may have happened: the reaper ends it.
    pub async fn claim_job(&self, choice: JobChoice, owner: LeaseOwner, ttl: Duration) -> Result<Option<ClaimedJob>> {
        #[derive(QueryableByName)]
        struct Claimed {
            #[diesel(embed)]
            job: Option<ClaimedJob>,
            #[diesel(sql_type = sql_types::BigInt)]
            ledger_size: i64,
        }
        let Ok(before) = self.history().before() else { return Ok(None) };
        let claim = |which: &str| {
            format!(
                "WITH known AS MATERIALIZED (SELECT {}), claimed AS ({} {which} AND (SELECT ledger_size FROM known) >= $3
                 {RETURNING}) SELECT * FROM known LEFT JOIN claimed ON true",
                ledger_size!(),
                moves::CLAIM
            )
        };
        const RETURNING: &str = "RETURNING j.id AS job_id, j.sync_id, j.force_full_sync, j.request_id,
                c.id AS source_connection_id, c.organization_id, c.collection_id,
                c.short_name, c.config, s.cursor, s.cursor_form,
                coalesce((SELECT p.job_end = 'lease' FROM sync_job p
                          WHERE p.sync_id = j.sync_id AND p.id <> j.id AND p.job_end <> 'never_started'
                          ORDER BY p.created_at DESC LIMIT 1), false) AS follows_lost_worker";
        let mut db = self.connection().await?;
        let job = match choice {
            JobChoice::Named(id) => {
                sql_query(claim("$4"))
                    .bind::<sql_types::Uuid, _>(owner)
                    .bind::<sql_types::Double, _>(ttl.as_secs_f64())
                    .bind::<sql_types::BigInt, _>(before.size())
                    .bind::<sql_types::Uuid, _>(id)
                    .get_result(&mut db)
                    .await
            }
            JobChoice::PendingFor(age) => {
                sql_query(claim(
                    "(SELECT id FROM sync_job WHERE status = 'pending'
                           AND created_at <= clock_timestamp() - make_interval(secs => $4)
                         ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)",
                ))
                .bind::<sql_types::Uuid, _>(owner)
                .bind::<sql_types::Double, _>(ttl.as_secs_f64())
                .bind::<sql_types::BigInt, _>(before.size())
                .bind::<sql_types::Double, _>(age.as_secs_f64())
                .get_result(&mut db)
                .await
            }
        };
        let Claimed { job, ledger_size } = job?;
        Ok(self.history().after(before, ledger_size).ok().and(job))
    }

    /// Renews a write lease; `false` means stop now: the job is cancelling, was reaped, or is gone, or PostgreSQL's
    /// history is lost (DEL-10).
    ///
    /// # Errors
    /// Any database error; the lease then stands as it was before.
    pub async fn renew_lease(&self, job: SyncJobId, owner: LeaseOwner, ttl: Duration) -> Result<bool> {
        #[derive(QueryableByName)]
        struct Renewed {
            #[diesel(sql_type = sql_types::Bool)]
            is_renewed: bool,
            #[diesel(sql_type = sql_types::BigInt)]
            ledger_size: i64,
        }
        let Ok(before) = self.history().before() else { return Ok(false) };
        let renewed: Renewed = sql_query(concat!(
            "WITH known AS MATERIALIZED (SELECT ",
            ledger_size!(),
            "), renewed AS (
                 UPDATE sync_job SET lease_expires_at = clock_timestamp() + make_interval(secs => $3)
                 WHERE id = $1 AND lease_owner = $2 AND status = 'running' AND (SELECT ledger_size FROM known) >= $4
                 RETURNING 1)
             SELECT EXISTS (SELECT FROM renewed) AS is_renewed, ledger_size FROM known"
        ))
        .bind::<sql_types::Uuid, _>(job)
        .bind::<sql_types::Uuid, _>(owner)
        .bind::<sql_types::Double, _>(ttl.as_secs_f64())
        .bind::<sql_types::BigInt, _>(before.size())
        .get_result(&mut self.connection().await?)
        .await?;
        Ok(self.history().after(before, renewed.ledger_size).is_ok() && renewed.is_renewed)
    }

    /// Records what a job has done so far; does nothing if the lease is lost.
    ///
    /// # Errors
    /// Any database error.
    pub async fn record_progress(&self, job: SyncJobId, owner: LeaseOwner, counts: JobCounts) -> Result<()> {
        diesel::update(sync_job::table)
            .filter(sync_job::id.eq(job).and(sync_job::lease_owner.eq(owner.0)))
            .set((
                sync_job::entities_inserted.eq(counts.inserted),
                sync_job::entities_updated.eq(counts.updated),
                sync_job::entities_deleted.eq(counts.deleted),
                sync_job::entities_kept.eq(counts.kept),
                sync_job::entities_failed.eq(counts.failed),
                sync_job::modified_at.eq(diesel::dsl::now),
            ))
            .execute(&mut self.connection().await?)
            .await?;
        Ok(())
    }

    /// Ends jobs whose lease ended more than `guard` ago: `running → failed`, `cancelling → cancelled`.
    ///
    /// # Errors
    /// Any database error.
    pub async fn reap_jobs(&self, guard: Duration) -> Result<Vec<ReapedJob>> {
        let reaped = sql_query(moves::REAP)
            .bind::<sql_types::Double, _>(guard.as_secs_f64())
            .load(&mut self.connection().await?)
            .await?;
        Ok(reaped)
    }

    /// Those of `jobs` that are still active. One query for all waits of a gateway.
    ///
    /// # Errors
    /// Any database error.
    pub async fn active_among(&self, jobs: &[SyncJobId]) -> Result<Vec<SyncJobId>> {
        let ids: Vec<SyncJobId> = jobs.to_vec();
        let active = sync_job::table
            .filter(sync_job::id.eq_any(ids.iter().map(|id| id.0)))
            .filter(sync_job::status.eq_any(JobStatus::ACTIVE))
            .select(sync_job::id)
            .load::<SyncJobId>(&mut self.connection().await?)
            .await?;
        Ok(active)
    }

    /// Creates a job for a connection that the caller has found in its organization.
    ///
    /// # Errors
    /// Any database error.
    pub async fn run_connection(
        &self,
        connection: SourceConnectionId,
        force_full_sync: bool,
        request: Option<RequestId>,
    ) -> Result<NewJob> {
        let created = self.transaction(move |db| create(db, connection, force_full_sync, request).boxed()).await;
        match created {
            Ok(Some(job)) => Ok(NewJob::Created(job)),
            Ok(None) => Ok(NewJob::BeingDeleted),
            Err(DatabaseError::Unique { constraint }) if constraint == "sync_job_one_active" => {
                let status = self.active_job_status(connection).await?;
                // It ended in between: whoever asks again gets a job.
                Ok(NewJob::AlreadyActive(status.unwrap_or(JobStatus::Running)))
            }
            Err(error) => Err(error),
        }
    }

    async fn active_job_status(&self, connection: SourceConnectionId) -> Result<Option<JobStatus>> {
        let row: Option<StatusRow> = sql_query(
            "SELECT j.status FROM sync_job j JOIN sync s ON s.id = j.sync_id
             WHERE s.source_connection_id = $1 AND j.status IN ('pending', 'running', 'cancelling')",
        )
        .bind::<sql_types::Uuid, _>(connection)
        .get_result(&mut self.connection().await?)
        .await
        .optional()?;
        Ok(row.map(|row| row.status))
    }

    /// Cancels a job of a connection that isn't being deleted: `pending → cancelled` at once, `running → cancelling`.
    ///
    /// # Errors
    /// Any database error.
    pub async fn cancel_job(&self, connection: SourceConnectionId, job: SyncJobId) -> Result<CancelJob> {
        self.transaction(move |db| {
            async move {
                let rows = sql_query(format!(
                    "{STOP} FROM sync s
                     WHERE s.id = j.sync_id AND s.source_connection_id = $1 AND j.id = $2
                       AND j.status IN ('pending', 'running')",
                    STOP = moves::STOP
                ))
                .bind::<sql_types::Uuid, _>(connection)
                .bind::<sql_types::Uuid, _>(job)
                .execute(db)
                .await?;
                let found = crate::schema::sync::table
                    .inner_join(sync_job::table)
                    .filter(crate::schema::sync::source_connection_id.eq(connection))
                    .filter(sync_job::id.eq(job))
                    .select(SyncJob::as_select())
                    .first(db)
                    .await
                    .optional()?;
                Ok(match found {
                    None => CancelJob::NotFound,
                    Some(job) if rows == 1 => CancelJob::Cancelled(job),
                    Some(job) => CancelJob::NotCancellable(job.status),
                })
            }
            .boxed()
        })
        .await
    }
}
