//! Takes jobs: a message names one, a timer and every slot that becomes free ask for the oldest that waits.
//!
//! The row is the work. A message is acknowledged after the claim was tried, whatever came of it: doubled, late or for
//! a job that another worker has, it does nothing (DEL-6); lost, the timer finds the row.

use std::sync::Arc;
use std::time::Duration;

use shared_database::DatabaseError;
use shared_database::jobs::JobChoice;
use shared_messaging::{Handler, Outcome};
use shared_models::{Envelope, Message};
use shared_service::periodic::Woken;
use shared_service::{Bell, Driver, Periodic};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument as _;

use crate::cancel::RunningJobs;
use crate::job::{JobRun, JobTools};
use crate::lease::Lease;

/// How often the timer looks for jobs whose message may be lost.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// A pending job's message is given this long to reach an idle worker.
const MESSAGE_GRACE: Duration = Duration::from_secs(2);

/// The slots of this process, and what jobs are run with.
pub struct Worker {
    /// For every job.
    pub tools: Arc<JobTools>,
    /// The jobs that run here.
    pub running: Arc<RunningJobs>,
    /// One permit for each job that may run: none until Vespa is known to take what jobs write.
    pub slots: Arc<Semaphore>,
    /// Rung when a slot becomes free, and when the scheduler has made jobs.
    pub look_now: Bell,
}

impl Worker {
    /// Claims a job and runs it on `slot`; `false` if there was none to claim.
    async fn claim(self: &Arc<Self>, choice: JobChoice, slot: OwnedSemaphorePermit) -> Result<bool, DatabaseError> {
        let holder = &self.tools.holder;
        // The lease counts from before the claim was sent.
        let sent_at = holder.clock.now();
        let claimed = holder.control.claim_job(choice, holder.owner, holder.times.lease_ttl).await?;
        let Some(job) = claimed else { return Ok(false) };
        let lease = Lease::new(job.job_id, holder.times.into(), holder.clock.clone(), sent_at);
        let registered = self.running.register(&lease);
        let request_id = job.request_id.map(|id| id.to_string());
        let span = tracing::info_span!(parent: None, "job", job_id = %job.job_id, sync_id = %job.sync_id, request_id);
        let run = JobRun::new(self.tools.clone(), job, lease);
        let look_now = self.look_now.clone();
        self.tools.tasks.spawn(
            "job",
            async move {
                // Given back in this order, also by a panic: the freed slot finds the job gone.
                let _freed = FreedSlot(look_now);
                let _slot = slot;
                let _registered = registered;
                Box::pin(run.run()).await;
            }
            .instrument(span),
        );
        Ok(true)
    }

    /// Claims pending jobs until there is none or no slot is free.
    async fn claim_pending(self: Arc<Self>, grace: Duration) -> Result<(), DatabaseError> {
        while let Ok(slot) = self.slots.clone().try_acquire_owned() {
            if !self.claim(JobChoice::PendingFor(grace), slot).await? {
                break;
            }
        }
        Ok(())
    }

    /// Looks for pending jobs now and then, and whenever a slot becomes free, until shutdown.
    pub fn look_for_jobs(self: &Arc<Self>, driver: &Driver) {
        let worker = self.clone();
        let task = Periodic::every("look for jobs", LOOK_INTERVAL).woken_by(&self.look_now);
        driver.start(task, move |woken| {
            let grace = match woken {
                Woken::ByBell => Duration::ZERO,
                Woken::ByTime => MESSAGE_GRACE,
            };
            worker.clone().claim_pending(grace)
        });
    }
}

struct FreedSlot(Bell);

impl Drop for FreedSlot {
    fn drop(&mut self) {
        self.0.ring();
    }
}

/// Handles what comes over `sync.jobs`.
pub struct RunMessages(pub Arc<Worker>);

impl RunMessages {
    fn room(&self) -> Outcome {
        if self.0.slots.available_permits() == 0 { Outcome::DoneAndPause } else { Outcome::Done }
    }
}

impl Handler for RunMessages {
    async fn handle(&self, envelope: Envelope) -> Outcome {
        let Message::RunSync { job_id } = envelope.message else {
            tracing::warn!(kind = envelope.message.kind(), "a message that doesn't belong in sync.jobs");
            return Outcome::Done;
        };
        if self.0.tools.tasks.shutdown().is_cancelled() {
            return Outcome::Unavailable;
        }
        // Without a free slot the job waits in its row: the next free slot of any worker takes it.
        let Ok(slot) = self.0.slots.clone().try_acquire_owned() else { return Outcome::DoneAndPause };
        match self.0.claim(JobChoice::Named(job_id), slot).await {
            Ok(_) => self.room(),
            Err(error) => {
                tracing::warn!(job_id = %job_id, %error, "a job could not be claimed");
                if error.is_retryable() { Outcome::Unavailable } else { Outcome::Done }
            }
        }
    }

    async fn ready(&self) -> bool {
        let slot = self.0.slots.acquire().await;
        let has_slot = slot.is_ok();
        drop(slot);
        // A look for pending jobs may have found no slot while this question held the last one.
        self.0.look_now.ring();
        has_slot && self.0.tools.holder.control.ping().await.is_ok()
    }
}
