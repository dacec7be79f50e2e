//! Fills the slots: claims the next due cleanup whenever a slot is free and something may be due.
//!
//! A message, a slot that became free, the poll and the next due time all just wake this loop; what is done is decided by
//! the claim alone. With the broker gone the timers do the work (DEL-5).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shared_database::DatabaseError;
use shared_database::cleanups::ClaimedCleanup;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::targets::KNOWN;
use crate::work::Worker;

/// The next due time is never waited for more finely than this.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
/// While somebody holds the lock on what is due, this loop looks again after this time.
const LOCKED_WAIT: Duration = Duration::from_millis(100);
/// After PostgreSQL failed to answer, this loop looks again after this time.
const FAILED_WAIT: Duration = Duration::from_secs(1);

/// Wakes the loop, and says whether PostgreSQL answered it the last time.
#[derive(Debug, Default)]
pub struct Bell {
    notify: Notify,
    is_database_down: AtomicBool,
}

impl Bell {
    /// Something may be due.
    pub fn ring(&self) {
        self.notify.notify_one();
    }

    /// Whether the last claim failed at PostgreSQL.
    #[must_use]
    pub fn is_database_down(&self) -> bool {
        self.is_database_down.load(Ordering::Acquire)
    }
}

/// Claims and works until shutdown.
pub async fn fill(worker: Arc<Worker>, slots: usize, poll: Duration, bell: Arc<Bell>) {
    let free = Arc::new(Semaphore::new(slots));
    let shutdown = worker.tasks.shutdown().clone();
    loop {
        let Some(Ok(slot)) = shutdown.run_until_cancelled(free.clone().acquire_owned()).await else { return };
        if shutdown.is_cancelled() {
            return;
        }
        let claimed_at = Instant::now();
        let claimed = worker.claim().await;
        bell.is_database_down.store(claimed.is_err(), Ordering::Release);
        match claimed {
            Ok(Some(cleanup)) => start(&worker, cleanup, claimed_at, slot, &bell),
            Ok(None) => {
                drop(slot);
                let wait = worker.wait_at_most(poll).await;
                wait_for(&bell, wait, &shutdown).await;
            }
            Err(error) => {
                drop(slot);
                tracing::warn!(%error, "claim the next cleanup");
                wait_for(&bell, poll.min(FAILED_WAIT), &shutdown).await;
            }
        }
    }
}

fn start(
    worker: &Arc<Worker>,
    cleanup: ClaimedCleanup,
    claimed_at: Instant,
    slot: OwnedSemaphorePermit,
    bell: &Arc<Bell>,
) {
    let (on, bell) = (worker.clone(), bell.clone());
    worker.tasks.spawn("cleanup", async move {
        on.work(cleanup, claimed_at).await;
        drop(slot);
        // What was given back may be due soon.
        bell.ring();
    });
}

async fn wait_for(bell: &Bell, wait: Duration, shutdown: &tokio_util::sync::CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = bell.notify.notified() => {}
        () = tokio::time::sleep(wait) => {}
    }
}

impl Worker {
    async fn claim(&self) -> Result<Option<ClaimedCleanup>, DatabaseError> {
        self.database.claim_next_cleanup(self.policy.claim.ttl, KNOWN, &self.policy.allowed_hours).await
    }

    /// Until the next due time, or the poll if that is sooner.
    async fn wait_at_most(&self, poll: Duration) -> Duration {
        match self.database.next_cleanup_due(KNOWN, &self.policy.allowed_hours).await {
            Ok(Some(Duration::ZERO)) => poll.min(LOCKED_WAIT),
            Ok(Some(due)) => due.max(SHORTEST_WAIT).min(poll),
            Ok(None) => poll,
            Err(error) => {
                tracing::warn!(%error, "ask for the next due time");
                poll.min(FAILED_WAIT)
            }
        }
    }
}
