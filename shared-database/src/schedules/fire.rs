//! Firing: a batch of due schedules, each one job or one reason why not, in one transaction.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;
use shared_models::schedule::{CronExpression, SkipReason};
use shared_models::{Envelope, Message, SourceConnectionId, SyncId, SyncJobId};

use super::{NEEDS_CREDENTIALS, set_next_runs};
use crate::error::Result;
use crate::jobs::moves;
use crate::outbox;
use crate::pool::Database;
use crate::session::Session;
use crate::statement::sql_query;

/// A schedule that fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FiredSchedule {
    /// Whose schedule it is.
    pub connection: SourceConnectionId,
    /// The pending job.
    pub job: SyncJobId,
    /// From the due time to the firing.
    pub lag: Duration,
}

/// A due schedule that fired nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkippedSchedule {
    /// Whose schedule it is.
    pub connection: SourceConnectionId,
    /// Why.
    pub reason: SkipReason,
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firing {
    /// Those that fired.
    pub fired: Vec<FiredSchedule>,
    /// Those that didn't; they are due again at their next due time, but for unreadable ones.
    pub skipped: Vec<SkippedSchedule>,
}

impl Firing {
    /// How many schedules were due.
    #[must_use]
    pub const fn handled(&self) -> usize {
        self.fired.len() + self.skipped.len()
    }
}

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = sql_types::Uuid)]
    connection: SourceConnectionId,
    #[diesel(sql_type = sql_types::Uuid)]
    sync: SyncId,
    #[diesel(sql_type = sql_types::Text)]
    cron: String,
    #[diesel(sql_type = sql_types::Double)]
    lag_seconds: f64,
    #[diesel(sql_type = sql_types::Bool)]
    has_active_job: bool,
    #[diesel(sql_type = sql_types::Bool)]
    needs_credentials: bool,
    #[diesel(sql_type = sql_types::Timestamptz)]
    now: DateTime<Utc>,
}

/// A due schedule with what is to be done about it.
struct Decided {
    due: Due,
    next: Option<DateTime<Utc>>,
    outcome: Result<SyncJobId, SkipReason>,
}

impl Due {
    /// Missed times fire once: the next due time is later than now.
    fn decide(self) -> Decided {
        let next = CronExpression::parse(&self.cron).ok().and_then(|cron| cron.next_after(self.now));
        let outcome = if next.is_none() {
            Err(SkipReason::Unreadable)
        } else if self.has_active_job {
            Err(SkipReason::JobActive)
        } else if self.needs_credentials {
            Err(SkipReason::NeedsCredentials)
        } else {
            Ok(SyncJobId::random())
        };
        Decided { due: self, next, outcome }
    }
}

impl Database {
    /// Fires up to `limit` due schedules, oldest first; those that another session holds are left out. None while
    /// PostgreSQL's history is lost (DEL-10).
    ///
    /// # Errors
    /// Any database error; nothing has happened then, or (connection lost at commit) all of it.
    pub async fn fire_schedules(&self, limit: i64) -> Result<Firing> {
        if self.history().lost().is_some() {
            return Ok(Firing::default());
        }
        self.transaction(move |db| fire(db, limit).boxed()).await
    }
}

/// Shorter than a session waits for a lock: a frozen scheduler's locks are gone before a deletion gives up on them.
const IDLE_TIMEOUT: &str = "SET LOCAL idle_in_transaction_session_timeout = '1s'";

async fn fire(db: &mut Session, limit: i64) -> Result<Firing> {
    sql_query(IDLE_TIMEOUT).execute(db).await?;
    let decided: Vec<Decided> = lock_due(db, limit).await?.into_iter().map(Due::decide).collect();
    if decided.is_empty() {
        return Ok(Firing::default());
    }
    let created = create_jobs(db, &decided).await?;
    let (ids, next) = decided.iter().map(|decided| (decided.due.connection, decided.next)).unzip();
    set_next_runs(db, ids, next).await?;
    Ok(firing(decided, &created))
}

/// `statement_timestamp()`, since the index can't be asked for a time that changes while it is read.
async fn lock_due(db: &mut Session, limit: i64) -> Result<Vec<Due>> {
    let due = sql_query(format!(
        "SELECT c.id AS connection, s.id AS sync, c.cron, statement_timestamp() AS now,
                extract(epoch FROM statement_timestamp() - c.next_run_at)::float8 AS lag_seconds,
                EXISTS (SELECT 1 FROM sync_job a WHERE a.sync_id = s.id
                        AND a.status IN ('pending', 'running', 'cancelling')) AS has_active_job,
                {NEEDS_CREDENTIALS} AS needs_credentials
         FROM source_connection c JOIN sync s ON s.source_connection_id = c.id
         WHERE c.next_run_at <= statement_timestamp() AND c.deletion_requested_at IS NULL
         ORDER BY c.next_run_at LIMIT $1
         FOR UPDATE OF c SKIP LOCKED"
    ))
    .bind::<sql_types::BigInt, _>(limit)
    .load(db)
    .await?;
    Ok(due)
}

/// Creates the jobs and their messages. A run that slipped in between the look and the lock wins: its job is the active
/// one, and no other schedule of the batch is hurt.
async fn create_jobs(db: &mut Session, decided: &[Decided]) -> Result<HashSet<SyncJobId>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Uuid)]
        id: SyncJobId,
    }
    let wanted = || decided.iter().filter_map(|decided| Some((decided.outcome.ok()?, decided.due.sync)));
    let (jobs, syncs): (Vec<SyncJobId>, Vec<SyncId>) = wanted().unzip();
    let created: Vec<Row> = sql_query(moves::CREATE_DUE)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(jobs)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(syncs)
        .load(db)
        .await?;
    let created: HashSet<SyncJobId> = created.into_iter().map(|row| row.id).collect();
    let fired = wanted().map(|(job_id, _)| job_id).filter(|job_id| created.contains(job_id));
    let messages: Vec<Envelope> = fired.map(|job_id| Envelope::new(Message::RunSync { job_id }, None)).collect();
    outbox::enqueue_all(db, &messages).await?;
    Ok(created)
}

fn firing(decided: Vec<Decided>, created: &HashSet<SyncJobId>) -> Firing {
    let mut firing = Firing::default();
    for Decided { due, outcome, .. } in decided {
        let connection = due.connection;
        match outcome {
            Ok(job) if created.contains(&job) => {
                let lag = Duration::try_from_secs_f64(due.lag_seconds).unwrap_or_default();
                firing.fired.push(FiredSchedule { connection, job, lag });
            }
            Ok(_) => firing.skipped.push(SkippedSchedule { connection, reason: SkipReason::JobActive }),
            Err(reason) => firing.skipped.push(SkippedSchedule { connection, reason }),
        }
    }
    firing
}
