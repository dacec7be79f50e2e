//! Deletions of connections and collections: D1 (request), D2 (wait), D3 (commit), D4 (answer).
//!
//! D1 and D3 are the durable steps; everything between them may be lost with this process, and the [`finisher`] of any
//! gateway goes on (DEL-5). Deletions run on the main runtime, never on a request's worker: a client that hangs up
//! stops nothing, and SIGTERM waits for open ones. No transaction is open while anybody waits (DEL-8).

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use shared_database::deletion::{Requested, Requester, Subject};
use shared_database::{Database, DatabaseError};
use shared_messaging::Publisher;
use shared_models::{ApiKeyId, CleanupId, OrganizationId, ProtocolTimes};
use shared_service::tasks::Tasks;

use crate::relay::RelayBell;

pub mod background;
mod commit;
mod finisher;
mod stops;
mod wait;
mod watch;

/// How much longer than the cancel wait a DELETE may take: PostgreSQL takes its time too.
pub const CASCADE_MARGIN: Duration = Duration::from_secs(3);

pub use finisher::FinisherTimes;
use stops::StopHub;
use wait::Since;
use watch::DeletionWatch;

/// How a DELETE ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeletionAnswer {
    /// There is no such thing in this organization: 404.
    NotFound,
    /// The rows are gone and this request asked first: 200.
    Deleted {
        /// The cleanups that remove the data.
        cleanups: Vec<CleanupId>,
    },
    /// The rows are gone, but another request owns the 200: 404.
    AlreadyGone,
    /// The bound passed and something may still write; the finisher goes on: 409.
    StillRunning,
}

/// The deletion engine of this gateway. Cheap to clone.
#[derive(Clone)]
pub struct Deletions {
    parts: Arc<Parts>,
}

/// What a deletion works with.
struct Parts {
    database: Database,
    publisher: Publisher,
    times: ProtocolTimes,
    relay: RelayBell,
    stops: StopHub,
    watch: DeletionWatch,
    tasks: Tasks,
}

impl Deletions {
    /// An engine that runs its deletions as `tasks`.
    #[must_use]
    pub fn new(database: Database, publisher: Publisher, times: ProtocolTimes, relay: RelayBell, tasks: Tasks) -> Self {
        let (stops, watch) = (StopHub::default(), DeletionWatch::default());
        let parts = Parts { database, publisher, times, relay, stops, watch, tasks };
        Self { parts: Arc::new(parts) }
    }

    /// The longest that an answer waits for a writer to stop.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        self.parts.times.cancel_wait
    }

    /// Deletes a source connection, or a collection with all its connections. It runs as a task of its own, so that
    /// dropping this future doesn't stop it.
    ///
    /// # Errors
    /// PostgreSQL failed before D1, or kept failing until the bound; after D1 the finisher goes on.
    pub async fn delete(
        &self,
        organization: OrganizationId,
        subject: Subject,
        requester: Requester,
    ) -> Result<DeletionAnswer, DatabaseError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let parts = Arc::clone(&self.parts);
        let span = tracing::Span::current();
        let task = async move {
            let (began, by) = (Instant::now(), requester.api_key);
            let outcome = parts.delete(organization, subject, requester).await;
            record(&outcome, began.elapsed(), subject, by);
            // The client may have hung up: the deletion is done all the same.
            let _ = answer.send(outcome);
        };
        self.parts.tasks.spawn("deletion", tracing::Instrument::instrument(task, span));
        answered.await.unwrap_or_else(|_| Err(DatabaseError::Unavailable("the gateway is stopping".to_owned())))
    }
}

impl Parts {
    async fn delete(
        &self,
        organization: OrganizationId,
        subject: Subject,
        requester: Requester,
    ) -> Result<DeletionAnswer, DatabaseError> {
        let (asked, request) = (Instant::now(), requester.request);
        let requested = self.database.request(organization, subject, requester).await?;
        // D1 is committed: from here on this process watches, on its own clock.
        let since = Since { asked, watched: self.watch.observe(subject) };
        let answer = match requested {
            Requested::NotFound => return Ok(DeletionAnswer::NotFound),
            Requested::Committed { is_owner, cleanups } => owned(is_owner, cleanups),
            Requested::Waiting { is_owner, stopping } => {
                self.wait_and_commit(subject, is_owner, &stopping, since, request).await?
            }
        };
        if answer != DeletionAnswer::StillRunning {
            self.watch.forget(subject);
            self.relay.ring();
        }
        Ok(answer)
    }
}

/// Whoever requested the deletion owns the 200; everybody else finds it gone.
fn owned(is_owner: bool, cleanups: Vec<CleanupId>) -> DeletionAnswer {
    if is_owner { DeletionAnswer::Deleted { cleanups } } else { DeletionAnswer::AlreadyGone }
}

/// Makes every result of a deletion visible before it happens for the first time.
pub fn start_figures_at_zero() {
    for result in ["not_found", "deleted", "already_gone", "still_running", "error", "finished"] {
        counter!("unweave_deletions_total", "result" => result).increment(0);
        drop(histogram!("unweave_deletion_seconds", "result" => result));
    }
    drop(histogram!("unweave_deletion_wait_seconds"));
}

fn record(outcome: &Result<DeletionAnswer, DatabaseError>, took: Duration, subject: Subject, by: Option<ApiKeyId>) {
    let result = match outcome {
        Ok(DeletionAnswer::NotFound) => "not_found",
        Ok(DeletionAnswer::Deleted { .. }) => "deleted",
        Ok(DeletionAnswer::AlreadyGone) => "already_gone",
        Ok(DeletionAnswer::StillRunning) => "still_running",
        Err(_) => "error",
    };
    counter!("unweave_deletions_total", "result" => result).increment(1);
    histogram!("unweave_deletion_seconds", "result" => result).record(took);
    let (took_ms, api_key) = (took.as_secs_f64() * 1000.0, by.map(tracing::field::display));
    match outcome {
        Err(error) => {
            tracing::error!(%subject, %error, api_key, "deletion failed; the finisher goes on if it was accepted")
        }
        Ok(_) => tracing::info!(%subject, result, api_key, took_ms, "deletion answered"),
    }
}
