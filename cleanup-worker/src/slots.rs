//! Fills the slots: claims the next due cleanup whenever a slot is free and something may be due.
//!
//! A message, a slot that became free, the poll and the next due time all just wake this look; what is done is decided
//! by the claim alone. With the broker gone the timers do the work (DEL-5).

use std::sync::Arc;
use std::time::Duration;

use shared_database::DatabaseError;
use shared_database::cleanups::ClaimedCleanup;
use shared_service::periodic::{LastRun, Next, RunOutcome};
use shared_service::{Bell, Driver, Periodic};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::targets::KNOWN;
use crate::work::Worker;

/// The next due time is never waited for more finely than this.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
/// While somebody holds the lock on what is due, the next look comes after this time.
const LOCKED_WAIT: Duration = Duration::from_millis(100);
const LOOK: &str = "look for cleanups";

/// Claims and works until shutdown, on so many slots. `bell` makes it look now; it looks every `poll` at the latest.
pub fn fill(worker: Arc<Worker>, slots: usize, poll: Duration, bell: &Bell, driver: &Driver) {
    let (free, told) = (Arc::new(Semaphore::new(slots)), Arc::default());
    let looks = Slots { worker, free, bell: bell.clone(), told };
    driver.start(Periodic::every(LOOK, poll).woken_by(bell), move |_| looks.clone().fill());
}

/// Whether PostgreSQL failed to answer the last look.
pub(crate) fn is_database_down(driver: &Driver) -> bool {
    let last = driver.last_runs().get(LOOK).copied().flatten();
    matches!(last, Some(LastRun { outcome: RunOutcome::Failed, .. }))
}

#[derive(Clone)]
struct Slots {
    worker: Arc<Worker>,
    free: Arc<Semaphore>,
    bell: Bell,
    /// Whether the hours of this worker are stored.
    told: Arc<OnceCell<()>>,
}

impl Slots {
    /// Claims what is due while a slot is free. A slot that becomes free rings the bell.
    async fn fill(self) -> Result<Next, DatabaseError> {
        let (database, hours) = (&self.worker.database, &self.worker.policy.allowed_hours);
        self.told.get_or_try_init(|| database.store_cleanup_hours(hours)).await?;
        while let Ok(slot) = self.free.clone().try_acquire_owned() {
            if self.worker.tasks.shutdown().is_cancelled() {
                break;
            }
            let claimed_at = Instant::now();
            match self.worker.claim().await? {
                Some(cleanup) => self.start(cleanup, claimed_at, slot),
                None => return self.worker.next_look().await,
            }
        }
        Ok(Next::AtInterval)
    }

    fn start(&self, cleanup: ClaimedCleanup, claimed_at: Instant, slot: OwnedSemaphorePermit) {
        let (worker, bell) = (self.worker.clone(), self.bell.clone());
        self.worker.tasks.spawn("cleanup", async move {
            worker.work(cleanup, claimed_at).await;
            drop(slot);
            // What was given back may be due soon.
            bell.ring();
        });
    }
}

impl Worker {
    async fn claim(&self) -> Result<Option<ClaimedCleanup>, DatabaseError> {
        self.database.claim_next_cleanup(self.policy.claim.ttl, KNOWN, &self.policy.allowed_hours).await
    }

    /// When something is due next, as far as is known now.
    async fn next_look(&self) -> Result<Next, DatabaseError> {
        Ok(match self.database.next_cleanup_due(KNOWN, &self.policy.allowed_hours).await? {
            Some(Duration::ZERO) => Next::Within(LOCKED_WAIT),
            Some(due) => Next::Within(due.max(SHORTEST_WAIT)),
            None => Next::AtInterval,
        })
    }
}
