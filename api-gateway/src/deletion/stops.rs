//! Wakes waiting deletions when a job has stopped: by its event, or by one poll for all waits of this gateway.
//!
//! An event may be lost, doubled or late. It only wakes: what is true is read under the lock at D3.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use shared_database::Database;
use shared_models::SyncJobId;
use tokio::sync::Notify;

/// How often the jobs of all waits are looked up, in one query.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Who waits for which job. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct StopHub {
    waits: Arc<Mutex<HashMap<SyncJobId, Vec<Arc<Notify>>>>>,
}

impl StopHub {
    /// Tells everybody who waits for `job` to look.
    pub(super) fn stopped(&self, job: SyncJobId) {
        if let Some(waits) = self.waits.lock().get(&job) {
            // A permit is kept for a wait that isn't awaiting right now.
            waits.iter().for_each(|wait| wait.notify_one());
        }
    }

    /// Registers a wait for `jobs`; it ends when the answer is dropped.
    pub(super) fn register(&self, jobs: &[SyncJobId]) -> Wait {
        let notify = Arc::new(Notify::new());
        let mut waits = self.waits.lock();
        for &job in jobs {
            waits.entry(job).or_default().push(Arc::clone(&notify));
        }
        drop(waits);
        if jobs.is_empty() {
            notify.notify_one();
        }
        Wait { hub: self.clone(), jobs: jobs.to_vec(), notify }
    }

    fn jobs(&self) -> Vec<SyncJobId> {
        self.waits.lock().keys().copied().collect()
    }

    /// Whether nobody waits.
    pub(super) fn is_idle(&self) -> bool {
        self.waits.lock().is_empty()
    }

    /// Looks once whether jobs that somebody waits for have ended.
    pub(super) async fn poll(&self, database: &Database) -> Result<(), shared_database::DatabaseError> {
        let jobs = self.jobs();
        if jobs.is_empty() {
            return Ok(());
        }
        let active = database.active_among(&jobs).await?;
        jobs.iter().filter(|job| !active.contains(job)).for_each(|job| self.stopped(*job));
        Ok(())
    }
}

/// A registered wait.
pub(super) struct Wait {
    hub: StopHub,
    jobs: Vec<SyncJobId>,
    notify: Arc<Notify>,
}

impl Wait {
    /// Until one of the jobs may have stopped.
    pub(super) async fn stopped(&self) {
        self.notify.notified().await;
    }

    /// Makes the next [`Self::stopped`] return at once.
    pub(super) fn again(&self) {
        self.notify.notify_one();
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut waits = self.hub.waits.lock();
        for job in &self.jobs {
            if let Some(registered) = waits.get_mut(job) {
                registered.retain(|other| !Arc::ptr_eq(other, &self.notify));
                if registered.is_empty() {
                    waits.remove(job);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_between_register_and_wait_is_not_lost() {
        let hub = StopHub::default();
        let job = SyncJobId::random();
        let wait = hub.register(&[job]);
        hub.stopped(job);
        tokio::time::timeout(Duration::from_secs(5), wait.stopped()).await.unwrap();
    }

    #[tokio::test]
    async fn every_wait_for_a_job_is_woken() {
        let hub = StopHub::default();
        let job = SyncJobId::random();
        let (one, two) = (hub.register(&[job]), hub.register(&[SyncJobId::random(), job]));
        hub.stopped(job);
        tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(one.stopped(), two.stopped()) })
            .await
            .unwrap();
    }

    #[test]
    fn a_dropped_wait_leaves_nothing_to_poll() {
        let hub = StopHub::default();
        let job = SyncJobId::random();
        let (one, two) = (hub.register(&[job]), hub.register(&[job]));
        drop(one);
        assert_eq!(hub.jobs(), [job]);
        drop(two);
        assert!(hub.jobs().is_empty());
    }
}
