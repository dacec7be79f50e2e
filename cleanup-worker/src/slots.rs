//! Fills the slots: claims the next cleanup to be purged whenever a slot is free and something may be due.
//!
//! A look that found something, a slot that became free, the poll and the next due time all just wake this; what is
//! done is decided by the claim alone. With the broker gone the timers do the work (DEL-5).

use std::sync::Arc;
use std::time::Duration;

use shared_database::DatabaseError;
use shared_database::cleanups::ClaimedCleanup;
use shared_service::periodic::Next;
use shared_service::{Bell, Driver, Periodic};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::end::End;
use crate::targets::KNOWN;
use crate::work::Worker;

/// The next due time is never waited for more finely than this.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
/// While somebody holds the lock on what is due, the next claim comes after this time.
const LOCKED_WAIT: Duration = Duration::from_millis(100);
/// The periodic task.
pub(crate) const TASK: &str = "purge cleanups";

/// Claims and purges until shutdown, on so many slots. `found` makes it claim now; it claims every `poll` at the
/// latest. `emptied` is rung when something is to be verified.
pub fn fill(worker: Arc<Worker>, slots: usize, poll: Duration, found: &Bell, emptied: &Bell, driver: &Driver) {
    let free = Arc::new(Semaphore::new(slots));
    let slots = Slots { worker, free, found: found.clone(), emptied: emptied.clone() };
    driver.start(Periodic::every(TASK, poll).woken_by(found), move |_| slots.clone().fill());
}

#[derive(Clone)]
struct Slots {
    worker: Arc<Worker>,
    free: Arc<Semaphore>,
    found: Bell,
    emptied: Bell,
}

impl Slots {
    /// Claims what is due while a slot is free. A slot that becomes free rings the bell.
    async fn fill(self) -> Result<Next, DatabaseError> {
        let (database, policy) = (&self.worker.database, &self.worker.policy);
        while let Ok(slot) = self.free.clone().try_acquire_owned() {
            if self.worker.tasks.shutdown().is_cancelled() {
                break;
            }
            let claimed_at = Instant::now();
            let Some(cleanup) = database.claim_purge(policy.claim.ttl, KNOWN, &policy.schedule).await? else {
                let due = database.next_purge_due(KNOWN, &policy.schedule).await?;
                return Ok(due.map_or(Next::AtInterval, within));
            };
            self.start(cleanup, claimed_at, slot);
        }
        Ok(Next::AtInterval)
    }

    fn start(&self, cleanup: ClaimedCleanup, claimed_at: Instant, slot: OwnedSemaphorePermit) {
        let (worker, found, emptied) = (self.worker.clone(), self.found.clone(), self.emptied.clone());
        self.worker.tasks.spawn("cleanup", async move {
            let end = worker.purge(cleanup, claimed_at).await;
            drop(slot);
            // What was given back may be due soon, and another one may be due in its place.
            if matches!(end, End::Emptied | End::Failed) {
                emptied.ring();
            }
            found.ring();
        });
    }
}

fn within(due: Duration) -> Next {
    Next::Within(if due.is_zero() { LOCKED_WAIT } else { due.max(SHORTEST_WAIT) })
}
