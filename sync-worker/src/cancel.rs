//! The jobs that run here, and the message that tells one of them to stop.
//!
//! `CancelSync` only makes it faster: with the broker down, or the message lost,
//! the next renewal of the lease is refused (DEL-2).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use shared_messaging::Outcome;
use shared_models::{Envelope, Message, SyncJobId};

use crate::lease::{Lease, Stop};

/// Most cancels of jobs unknown here that are remembered: for the moment between a claim and its registration.
const MAX_EARLY: usize = 256;

/// The jobs that run in this process.
#[derive(Default)]
pub struct RunningJobs(Mutex<Jobs>);

#[derive(Default)]
struct Jobs {
    leases: HashMap<SyncJobId, Arc<Lease>>,
    early: VecDeque<SyncJobId>,
    is_shutting_down: bool,
}

/// A job is registered while this lives.
pub(crate) struct Registered {
    jobs: Arc<RunningJobs>,
    job: SyncJobId,
}

impl RunningJobs {
    /// Registers the job of `lease`; stops it at once if its cancel came first, or the process is shutting down.
    #[must_use]
    pub(crate) fn register(self: &Arc<Self>, lease: &Arc<Lease>) -> Registered {
        let job = lease.job();
        let mut jobs = self.0.lock();
        if jobs.is_shutting_down {
            lease.stop(Stop::Shutdown);
        }
        if jobs.early.contains(&job) {
            lease.stop(Stop::Cancelled);
        }
        jobs.leases.insert(job, lease.clone());
        metrics::gauge!("unweave_sync_jobs_running").set(running(&jobs));
        Registered { jobs: self.clone(), job }
    }

    /// Stops a job; one that doesn't run here is ignored.
    pub(crate) fn cancel(&self, job: SyncJobId) {
        let mut jobs = self.0.lock();
        if let Some(lease) = jobs.leases.get(&job) {
            tracing::info!(job_id = %job, "the job is cancelled");
            lease.stop(Stop::Cancelled);
            return;
        }
        if jobs.early.len() >= MAX_EARLY {
            jobs.early.pop_front();
        }
        jobs.early.push_back(job);
    }

    /// Stops every job, and those that are yet to be registered.
    pub fn stop_all(&self) {
        let mut jobs = self.0.lock();
        jobs.is_shutting_down = true;
        jobs.leases.values().for_each(|lease| lease.stop(Stop::Shutdown));
    }

    /// Handles what comes over `sync.control`.
    pub async fn handle(self: Arc<Self>, envelope: Envelope) -> Outcome {
        if let Message::CancelSync { job_id } = envelope.message {
            self.cancel(job_id);
        }
        Outcome::Done
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut jobs = self.jobs.0.lock();
        jobs.leases.remove(&self.job);
        metrics::gauge!("unweave_sync_jobs_running").set(running(&jobs));
    }
}

fn running(jobs: &Jobs) -> f64 {
    f64::from(u32::try_from(jobs.leases.len()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::test_lease;

    fn stop_of(lease: &Lease) -> Option<Stop> {
        lease.stop_reason().map(|(stop, _)| stop)
    }

    #[test]
    fn a_cancel_stops_its_job_and_no_other() {
        let jobs = Arc::new(RunningJobs::default());
        let (one, two) = (test_lease(), test_lease());
        let _registered = [jobs.register(&one), jobs.register(&two)];
        jobs.cancel(one.job());
        assert_eq!((stop_of(&one), stop_of(&two)), (Some(Stop::Cancelled), None));
    }

    #[test]
    fn a_cancel_that_overtakes_the_claim_stops_the_job_when_it_is_registered() {
        let jobs = Arc::new(RunningJobs::default());
        let lease = test_lease();
        jobs.cancel(lease.job());
        let _registered = jobs.register(&lease);
        assert_eq!(stop_of(&lease), Some(Stop::Cancelled));
    }

    #[test]
    fn a_job_claimed_during_shutdown_stops_at_once() {
        let jobs = Arc::new(RunningJobs::default());
        let (before, after) = (test_lease(), test_lease());
        let _before = jobs.register(&before);
        jobs.stop_all();
        let _after = jobs.register(&after);
        assert_eq!((stop_of(&before), stop_of(&after)), (Some(Stop::Shutdown), Some(Stop::Shutdown)));
    }
}
