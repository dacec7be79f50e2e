//! The scheduler: makes jobs of schedules that are due.
//!
//! Every worker runs it, for all connections; who fires what is settled in PostgreSQL (see `shared_database::schedules`).
//! A worker that dies in mid-firing has fired nothing of its batch, and the others take it. Whatever publishes the
//! messages, or nothing does: the jobs are pending rows, and every worker looks for those.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared_database::schedules::{Firing, Review};
use shared_database::{Database, DatabaseError};
use shared_models::SourceConnectionId;
use shared_models::schedule::SkipReason;
use shared_service::{Tasks, periodic, periodic_or_due};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Schedules fired in one transaction: their connections are locked meanwhile, some tens of milliseconds.
const BATCH: usize = 100;
/// While another worker holds what is due, this one looks again after this time.
const BUSY: Duration = Duration::from_millis(100);
/// How often schedules without a next run are looked for.
const REVIEW_INTERVAL: Duration = Duration::from_secs(600);
const REVIEW_BATCH: usize = 500;

/// Starts the scheduler; it looks every `interval`, and sooner if it knows that something is due. `fired` is notified
/// when there are new pending jobs: it is what the worker waits on that looks for them, `Worker::look_now`.
pub fn start(database: &Database, interval: Duration, fired: &Arc<Notify>, tasks: &Tasks) {
    let scheduler = Scheduler {
        database: database.clone(),
        fired: fired.clone(),
        shutdown: tasks.shutdown().clone(),
        unreadable: Arc::default(),
    };
    let reviewer = scheduler.clone();
    let firing = move || scheduler.clone().fire();
    tasks.spawn("scheduler", periodic_or_due("scheduler", interval, Arc::default(), tasks.shutdown().clone(), firing));
    let reviewing = move || reviewer.clone().review();
    tasks.spawn(
        "schedule review",
        periodic("schedule review", REVIEW_INTERVAL, Arc::default(), tasks.shutdown().clone(), reviewing),
    );
}

#[derive(Clone)]
struct Scheduler {
    database: Database,
    fired: Arc<Notify>,
    shutdown: CancellationToken,
    /// Those that have been logged, as of the last review.
    unreadable: Arc<Mutex<HashSet<SourceConnectionId>>>,
}

impl Scheduler {
    /// Fires until nothing is due, and says when something will be.
    async fn fire(self) -> Result<Option<Duration>, DatabaseError> {
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        while !self.shutdown.is_cancelled() {
            let firing = self.database.fire_schedules(limit).await?;
            self.record(&firing);
            if firing.handled() < BATCH {
                break;
            }
        }
        let outlook = self.database.schedule_outlook().await?;
        Ok(outlook.due_in.map(|due_in| due_in.max(BUSY)))
    }

    fn record(&self, firing: &Firing) {
        if firing.handled() == 0 {
            return;
        }
        for fired in &firing.fired {
            metrics::histogram!("unweave_schedule_lag_seconds").record(fired.lag.as_secs_f64());
            tracing::debug!(source_connection_id = %fired.connection, job_id = %fired.job, lag = ?fired.lag, "fired");
        }
        for skipped in &firing.skipped {
            let (connection, reason) = (skipped.connection, skipped.reason);
            metrics::counter!("unweave_schedules_skipped_total", "reason" => reason.as_str()).increment(1);
            tracing::debug!(source_connection_id = %connection, %reason, "skipped");
            if reason == SkipReason::Unreadable {
                self.warn_once(connection);
            }
        }
        let (fired, skipped) = (firing.fired.len(), firing.skipped.len());
        metrics::counter!("unweave_schedules_fired_total").increment(u64::try_from(fired).unwrap_or_default());
        tracing::info!(fired, skipped, "schedules were due");
        if fired > 0 {
            self.fired.notify_one();
        }
    }

    async fn review(self) -> Result<(), DatabaseError> {
        let mut after = None;
        let mut still = HashSet::new();
        loop {
            let Review { planned, unreadable, next } = self.database.review_schedules(after, REVIEW_BATCH).await?;
            if planned > 0 {
                tracing::info!(planned, "schedules without a next run have one now");
            }
            for connection in unreadable {
                self.warn_once(connection);
                still.insert(connection);
            }
            after = next;
            if self.shutdown.is_cancelled() {
                return Ok(());
            }
            if after.is_none() {
                break;
            }
        }
        // One that is mended or gone is logged again if it comes back.
        self.logged().retain(|connection| still.contains(connection));
        Ok(())
    }

    fn logged(&self) -> MutexGuard<'_, HashSet<SourceConnectionId>> {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn_once(&self, connection: SourceConnectionId) {
        if self.logged().insert(connection) {
            tracing::warn!(source_connection_id = %connection, "the cron expression can't be read; it never runs");
        }
    }
}
