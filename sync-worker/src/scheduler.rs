//! The scheduler: makes jobs of schedules that are due.
//!
//! Every worker runs it, for all connections; who fires what is settled in PostgreSQL (see
//! `shared_database::schedules`). A worker that dies in mid-firing has fired nothing of its batch, and the others take
//! it. It doesn't matter whether a job's message is ever published: the job is a pending row, and every worker looks
//! for those.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use shared_database::schedules::{Firing, Review};
use shared_database::{Database, DatabaseError};
use shared_models::SourceConnectionId;
use shared_models::schedule::SkipReason;
use shared_service::periodic::Next;
use shared_service::{Bell, Periodic, Service};
use tokio_util::sync::CancellationToken;

/// Schedules fired in one transaction: their connections are locked meanwhile, some tens of milliseconds.
const BATCH: usize = 100;
/// While another worker holds what is due, this one looks again after this time.
const BUSY: Duration = Duration::from_millis(100);
/// How often schedules without a next run are looked for.
const REVIEW_INTERVAL: Duration = Duration::from_secs(600);
const REVIEW_BATCH: usize = 500;

/// Starts the scheduler; it looks every `interval`, and sooner if it knows that something is due. `fired` is rung when
/// there are new pending jobs: it wakes the look for them.
pub fn start(database: &Database, interval: Duration, fired: &Bell, service: &Service) {
    let scheduler = Scheduler {
        database: database.clone(),
        fired: fired.clone(),
        shutdown: service.tasks.shutdown().clone(),
        unreadable: Arc::default(),
    };
    let reviewer = scheduler.clone();
    service.driver.start(Periodic::every("scheduler", interval), move |_| scheduler.clone().fire());
    service.driver.start(Periodic::every("schedule review", REVIEW_INTERVAL), move |_| reviewer.clone().review());
}

#[derive(Clone)]
struct Scheduler {
    database: Database,
    fired: Bell,
    shutdown: CancellationToken,
    /// Connections that have been logged as unreadable, as of the last review.
    unreadable: Arc<Mutex<HashSet<SourceConnectionId>>>,
}

impl Scheduler {
    /// Fires until nothing is due, and says when something will be.
    async fn fire(self) -> Result<Next, DatabaseError> {
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        while !self.shutdown.is_cancelled() {
            let firing = self.database.fire_schedules(limit).await?;
            self.record(&firing);
            if firing.handled() < BATCH {
                break;
            }
        }
        let outlook = self.database.schedule_outlook().await?;
        Ok(outlook.due_in.map_or(Next::AtInterval, |due_in| Next::Within(due_in.max(BUSY))))
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
            self.fired.ring();
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
        self.unreadable.lock().retain(|connection| still.contains(connection));
        Ok(())
    }

    fn warn_once(&self, connection: SourceConnectionId) {
        if self.unreadable.lock().insert(connection) {
            tracing::warn!(source_connection_id = %connection, "the cron expression can't be read; it never runs");
        }
    }
}
