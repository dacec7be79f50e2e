//! One cleanup under a claim, and every way in which the claim is given back.

use chrono::{DateTime, Utc};
use shared_database::cleanups::{ClaimError, ClaimedCleanup, Finished};
use shared_models::invariant::facts::{Complete, Exact, Honest, Progress, Work};
use shared_models::{CleanupState, CleanupWork, PurgeTarget};
use shared_service::settings::LONGEST_TIME;
use shared_service::{Backoff, invariants};
use std::time::Duration;

use super::{AttemptError, Worker};
use crate::end::End;
use crate::machine::{Machine, NoHeadway, Observed, Step};
use crate::{figures, receipt};

/// Pause between attempts to give a claim back while PostgreSQL is down.
const GIVE_BACK_PAUSE: Duration = Duration::from_secs(1);

/// A claim being worked on. A clone repeats steps, as a worker that dies between a step and its record would.
#[derive(Clone)]
pub(crate) struct Held<'a> {
    worker: &'a Worker,
    cleanup: &'a ClaimedCleanup,
    machine: Machine,
    /// Failures in a row before this claim; a removal begins a new row, unless round after round finds no less.
    failures: u32,
}

impl<'a> Held<'a> {
    /// At its beginning.
    pub(crate) fn new(worker: &'a Worker, cleanup: &'a ClaimedCleanup) -> Self {
        let machine = Machine::new(cleanup.state, PurgeTarget::required(&cleanup.targets), cleanup.progress.clone());
        Self { worker, cleanup, machine, failures: cleanup.attempts }
    }

    /// What the claim is on.
    pub(crate) const fn cleanup(&self) -> &'a ClaimedCleanup {
        self.cleanup
    }

    /// What decides.
    pub(crate) const fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Takes in what a step brought to light.
    ///
    /// # Errors
    /// [`NoHeadway`].
    pub(crate) fn observe(&mut self, observed: Observed) -> Result<(), NoHeadway> {
        if let Observed::Sliced(target, slice) = &observed
            && self.machine.is_headway(*target, slice.total())
        {
            self.failures = 0;
        }
        self.machine.observe(observed)
    }

    /// Takes in that nothing more is purged from this target under the claim.
    pub(super) fn fail(&mut self, target: PurgeTarget) {
        self.machine.fail(target);
    }

    /// The span of its work in the log.
    pub(crate) fn span(cleanup: &ClaimedCleanup, work: CleanupWork) -> tracing::Span {
        let request_id = cleanup.request_id.map(|id| id.to_string()).unwrap_or_default();
        let (cleanup_id, sync_id) = (cleanup.claim.cleanup_id, cleanup.sync_id);
        tracing::info_span!("cleanup", work = work.as_str(), %cleanup_id, %sync_id, request_id)
    }

    /// Refuses a sync that is live (DEL-4). `None` if it isn't.
    ///
    /// # Errors
    /// [`AttemptError`].
    pub(crate) async fn refuse_if(&self, is_live: bool) -> Result<Option<End>, AttemptError> {
        invariants::judge(&Exact { is_live, is_purged: true, missing: 0 });
        if !is_live {
            return Ok(None);
        }
        self.worker.database.refuse(self.cleanup.claim, self.machine.progress()).await?;
        figures::refused();
        tracing::error!(invariant = "DEL-4", "refused to purge: the sync is live in PostgreSQL");
        Ok(Some(End::Refused))
    }

    /// Stores what is known so far, something having been removed or not.
    ///
    /// # Errors
    /// [`AttemptError`].
    pub(super) async fn save(&self, has_headway: bool) -> Result<(), AttemptError> {
        let (database, claim, progress) = (&self.worker.database, self.cleanup.claim, self.machine.progress());
        if has_headway {
            database.save_headway(claim, progress).await?;
        } else {
            database.save_progress(claim, progress).await?;
        }
        Ok(())
    }

    /// Gives the claim back for the work that comes next.
    ///
    /// # Errors
    /// [`AttemptError`].
    pub(crate) async fn hand_over(&self, has_headway: bool) -> Result<End, AttemptError> {
        let (claim, progress, work) = (self.cleanup.claim, self.machine.progress(), self.machine.next().work());
        self.worker.database.hand_over(claim, progress, work, has_headway).await?;
        let end = match work {
            CleanupWork::Look => End::Emptied,
            CleanupWork::Purge => End::Found,
        };
        for (target, known) in progress {
            let (store, end) = (target.as_str(), end.as_str());
            tracing::info!(store, found = known.found, removed = known.removed, end, "handed over");
        }
        Ok(end)
    }

    /// Gives the claim back as it was, without a failure.
    ///
    /// # Errors
    /// [`AttemptError`].
    pub(crate) async fn release(&self, reason: &'static str) -> Result<End, AttemptError> {
        self.worker.database.release_claim(self.cleanup.claim, self.machine.progress()).await?;
        tracing::info!(reason, "claim given back");
        Ok(End::Released)
    }

    /// What follows from looks at every target.
    ///
    /// # Errors
    /// [`AttemptError`].
    pub(crate) async fn conclude(&self) -> Result<End, AttemptError> {
        match self.machine.next() {
            Step::Count(_) | Step::Purge(_) | Step::GiveBack => self.hand_over(false).await,
            Step::Settle => self.settle().await,
            Step::Finish => self.finish(self.cleanup.claimed_at).await,
            Step::Look(_) | Step::Nothing => self.release("nothing to conclude").await,
        }
    }

    async fn settle(&self) -> Result<End, AttemptError> {
        let (database, delay) = (&self.worker.database, self.worker.policy.schedule.settle_delay);
        database.settle(self.cleanup.claim, self.machine.progress(), delay).await?;
        tracing::info!(?delay, "all targets verified empty; settling");
        Ok(End::Settled)
    }

    async fn finish(&self, now: DateTime<Utc>) -> Result<End, AttemptError> {
        let (cleanup, progress) = (self.cleanup, self.machine.progress());
        let (required, verified) = (PurgeTarget::required(&cleanup.targets), self.machine.verified());
        let is_settled = self.machine.state() == CleanupState::Settling;
        invariants::judge(&Honest { required: &required, verified: &verified, is_settled });
        let late = self.worker.policy.late_write_check.min(LONGEST_TIME);
        let late = chrono::TimeDelta::from_std(late).unwrap_or(chrono::TimeDelta::zero());
        let check_again_at = receipt::check_again_at(cleanup, now, late);
        let issued = receipt::issue(cleanup, progress, check_again_at, now, &self.worker.policy, &self.worker.signer)?;
        let (receipt_id, receipt) = issued.ok_or(AttemptError::Unverified)?;
        let finished = Finished {
            organization_id: cleanup.organization_id,
            request_id: cleanup.request_id,
            progress: progress.clone(),
            verified,
            receipt_id,
            receipt,
            check_again_at,
        };
        self.worker.database.finish(cleanup.claim, &finished).await?;
        self.worker.to_ledger.ring();
        if cleanup.completed_at.is_none() {
            figures::done_after((now - cleanup.rows_deleted_at).to_std().unwrap_or_default());
        }
        tracing::info!(%receipt_id, "cleanup done");
        Ok(End::Done)
    }

    /// How the work ended; a failure gives the claim back.
    pub(crate) async fn end(&self, outcome: Result<End, AttemptError>) -> End {
        let end = match outcome {
            Ok(end) => end,
            Err(AttemptError::Lost) => End::Lost,
            Err(error) => self.give_back(&error).await,
        };
        if end == End::Lost {
            return Self::lost();
        }
        figures::attempt_ended(end);
        end
    }

    /// The claim is somebody else's.
    pub(crate) fn lost() -> End {
        tracing::warn!("claim lost, everything dropped");
        figures::attempt_ended(End::Lost);
        End::Lost
    }

    /// Back to `scheduled` after a failure. While PostgreSQL is down this goes on until the claim is lost.
    pub(crate) async fn give_back(&self, error: &AttemptError) -> End {
        if matches!(error, AttemptError::NoHeadway(_)) {
            invariants::judge(&Complete { work: Work::Cleanup, progress: Progress::Stuck });
        }
        let (policy, failures) = (&self.worker.policy, self.failures.saturating_add(1));
        let delay = Backoff::new(policy.retry_base, policy.retry_longest).after(failures);
        let (code, text) = (error.code(), error.shown());
        tracing::warn!(code, %error, failures, ?delay, "attempt failed, to be retried");
        let (claim, progress) = (self.cleanup.claim, self.machine.progress());
        loop {
            match self.worker.database.fail_attempt(claim, progress, failures, code, &text, delay).await {
                Ok(()) => return End::Failed,
                Err(ClaimError::Lost(_)) => return End::Lost,
                Err(ClaimError::Database(error)) => tracing::warn!(%error, "give claim back"),
            }
            let pause = tokio::time::sleep(GIVE_BACK_PAUSE);
            if self.worker.tasks.shutdown().run_until_cancelled(pause).await.is_none() {
                return End::Failed;
            }
        }
    }
}
