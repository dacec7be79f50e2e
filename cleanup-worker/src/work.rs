//! Works on one claimed cleanup: asks the machine for the next step, does it, stores what it brought to light.
//!
//! The guard is asked before every step, so before every slice (DEL-4). Whatever is stored is stored under the claim;
//! a claim that is lost ends the work at once and leaves the row to its new holder (DEL-6, DEL-7). Dying at any point
//! repeats at most one slice.

use std::time::Duration;

use shared_database::Database;
use shared_database::cleanups::{AllowedHours, ClaimError, ClaimedCleanup, Finished, Guard};
use shared_models::invariant::facts::{Complete, Exact, Honest, Progress, Work};
use shared_models::receipt::ReceiptSigner;
use shared_models::{CleanupState, PurgeTarget};
use shared_service::{Backoff, Tasks, invariants};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::end::End;
use crate::heartbeat::{self, ClaimTimes};
use crate::machine::{Machine, Observed, Step};
use crate::targets::{KNOWN, SliceLimits, Stores};
use crate::{figures, receipt, verify};

mod error;

pub use error::AttemptError;

/// Pause between attempts to give a claim back while PostgreSQL is down.
const GIVE_BACK_PAUSE: Duration = Duration::from_secs(1);

/// The times and limits that work keeps to.
#[derive(Debug, Clone)]
pub struct Policy {
    /// When purges may run.
    pub allowed_hours: AllowedHours,
    /// Time between the first empty verification and the one that counts.
    pub settle_delay: Duration,
    /// When to verify once more if a writer ended by its lease.
    pub late_write_check: Duration,
    /// Time of the claims.
    pub claim: ClaimTimes,
    /// Length of a slice.
    pub slice: Duration,
    /// How long a purge keeps its slot while other cleanups wait.
    pub yield_after: Duration,
    /// First delay after a failure.
    pub retry_base: Duration,
    /// Longest delay after failures.
    pub retry_longest: Duration,
}

/// What all slots of a process share.
pub struct Worker {
    /// PostgreSQL.
    pub database: Database,
    /// The stores.
    pub stores: Stores,
    /// Signs receipts.
    pub signer: ReceiptSigner,
    /// Times and limits.
    pub policy: Policy,
    /// Where heartbeats run; its token stops the work at the end of a slice.
    pub tasks: Tasks,
}

/// One claim being worked on. A clone repeats steps, as a worker that dies between a step and its record would.
#[derive(Clone)]
pub struct Attempt<'a> {
    worker: &'a Worker,
    cleanup: &'a ClaimedCleanup,
    machine: Machine,
    /// Failures in a row before this one; a removal begins a new row.
    failures: u32,
    began: Instant,
}

impl Worker {
    /// Works on a cleanup that was claimed at `claimed_at` until its claim is given back or lost.
    pub async fn work(&self, cleanup: ClaimedCleanup, claimed_at: Instant) -> End {
        let request_id = cleanup.request_id.map(|id| id.to_string()).unwrap_or_default();
        let cleanup_id = cleanup.claim.cleanup_id;
        let span = tracing::info_span!("cleanup", %cleanup_id, sync_id = %cleanup.sync_id, request_id);
        let end = self.under_claim(&cleanup, claimed_at).instrument(span).await;
        figures::attempt_ended(end);
        end
    }

    async fn under_claim(&self, cleanup: &ClaimedCleanup, claimed_at: Instant) -> End {
        tracing::info!(state = cleanup.state.as_str(), claim = cleanup.claim.number, "cleanup claimed");
        let (lost, ended) = (CancellationToken::new(), CancellationToken::new());
        let beat = heartbeat::beat(
            self.database.clone(),
            cleanup.claim,
            claimed_at,
            self.policy.claim,
            ended.clone(),
            lost.clone(),
        );
        self.tasks.spawn("claim heartbeat", beat.in_current_span());
        let _stops_the_heartbeat = ended.drop_guard();
        let mut attempt = Attempt::new(self, cleanup, claimed_at);
        let end = lost.run_until_cancelled(Box::pin(attempt.run())).await.unwrap_or(End::Lost);
        if end == End::Lost {
            tracing::warn!("claim lost, everything dropped");
        }
        end
    }
}

impl<'a> Attempt<'a> {
    /// At its beginning.
    #[must_use]
    pub fn new(worker: &'a Worker, cleanup: &'a ClaimedCleanup, began: Instant) -> Self {
        let machine = Machine::new(cleanup.state, PurgeTarget::required(&cleanup.targets), cleanup.progress.clone());
        Self { worker, cleanup, machine, failures: cleanup.attempts, began }
    }

    async fn run(&mut self) -> End {
        let outcome = loop {
            match Box::pin(self.step()).await {
                Ok(None) => {}
                other => break other,
            }
        };
        match outcome {
            Ok(end) => end.unwrap_or(End::Released),
            Err(AttemptError::Lost) => End::Lost,
            Err(error) => self.give_back(&error).await,
        }
    }

    /// What [`Attempt::step`] does next, if the guard lets it.
    #[must_use]
    pub fn next(&self) -> Step {
        self.machine.next()
    }

    /// One step; `Some` ends the attempt.
    ///
    /// # Errors
    /// [`AttemptError`]; the claim isn't given back yet then.
    pub async fn step(&mut self) -> Result<Option<End>, AttemptError> {
        let (database, policy) = (&self.worker.database, &self.worker.policy);
        let guard = database.cleanup_guard(self.cleanup.sync_id, KNOWN, &policy.allowed_hours).await?;
        invariants::judge(&Exact { is_live: guard.is_live, is_purged: true, missing: 0 });
        if guard.is_live {
            return self.refuse().await.map(Some);
        }
        if self.worker.tasks.shutdown().is_cancelled() {
            return self.release("shutdown").await.map(Some);
        }
        match self.machine.next() {
            Step::Begin => {
                database.begin_purge(self.cleanup.claim, self.machine.progress()).await?;
                self.machine.observe(Observed::Begun)?;
                Ok(None)
            }
            Step::Look(target) => self.verify(target, guard).await.map(|()| None),
            Step::Purge(target) => self.purge(target, guard).await,
            Step::Settle => self.settle().await.map(Some),
            Step::Finish => self.finish(guard).await.map(Some),
            Step::Nothing => self.release("closed").await.map(Some),
        }
    }

    async fn verify(&mut self, target: PurgeTarget, guard: Guard) -> Result<(), AttemptError> {
        let look = verify::look(&self.worker.stores, target, self.cleanup.sync_id, guard.now);
        // A look changes nothing: at shutdown it is dropped, and the next step gives the claim back.
        let Some(observed) = self.worker.tasks.shutdown().run_until_cancelled(look).await else { return Ok(()) };
        self.machine.observe(observed?)?;
        self.save().await
    }

    async fn purge(&mut self, target: PurgeTarget, guard: Guard) -> Result<Option<End>, AttemptError> {
        if !guard.is_allowed {
            return self.release("outside of the allowed hours").await.map(Some);
        }
        if guard.others_wait && self.began.elapsed() >= self.worker.policy.yield_after {
            return self.release("others wait").await.map(Some);
        }
        let deadline = Instant::now() + self.worker.policy.slice;
        let limits = SliceLimits { deadline, stop: self.worker.tasks.shutdown() };
        let slice = self.worker.stores.purge(target, self.cleanup.sync_id, limits).await;
        figures::purged(target, slice.removed);
        if slice.removed > 0 {
            self.failures = 0;
        }
        // Removals before a failure count too: `give_back` stores them.
        let (end, error) = match slice.end {
            Ok(end) => (end, None),
            Err(error) => (crate::machine::SliceEnd::HeldBack, Some(error)),
        };
        let observed = self.machine.observe(Observed::Removed { target, removed: slice.removed, end });
        if let Some(error) = error {
            return Err(error.into());
        }
        observed?;
        tracing::debug!(store = target.as_str(), removed = slice.removed, ?end, "slice done");
        if slice.removed > 0 {
            self.worker.database.save_headway(self.cleanup.claim, self.machine.progress()).await?;
            return Ok(None);
        }
        self.save().await.map(|()| None)
    }

    async fn save(&self) -> Result<(), AttemptError> {
        Ok(self.worker.database.save_progress(self.cleanup.claim, self.machine.progress()).await?)
    }

    async fn settle(&self) -> Result<End, AttemptError> {
        let (database, delay) = (&self.worker.database, self.worker.policy.settle_delay);
        database.settle(self.cleanup.claim, self.machine.progress(), delay).await?;
        tracing::info!(?delay, "all targets verified empty; settling");
        Ok(End::Settled)
    }

    async fn finish(&self, guard: Guard) -> Result<End, AttemptError> {
        let (cleanup, progress) = (self.cleanup, self.machine.progress());
        let (required, verified) = (PurgeTarget::required(&cleanup.targets), self.machine.verified());
        let is_settled = self.machine.state() == CleanupState::Settling;
        invariants::judge(&Honest { required: &required, verified: &verified, is_settled });
        let late = chrono::TimeDelta::from_std(self.worker.policy.late_write_check).unwrap_or(chrono::TimeDelta::MAX);
        let check_again_at = receipt::check_again_at(cleanup, guard.now, late);
        let issued = receipt::issue(cleanup, progress, check_again_at, guard.now, &self.worker.signer)?;
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
        if cleanup.completed_at.is_none() {
            figures::done_after((guard.now - cleanup.rows_deleted_at).to_std().unwrap_or_default());
        }
        tracing::info!(%receipt_id, "cleanup done");
        Ok(End::Done)
    }

    async fn refuse(&self) -> Result<End, AttemptError> {
        self.worker.database.refuse(self.cleanup.claim, self.machine.progress()).await?;
        figures::refused();
        tracing::error!(invariant = "DEL-4", "refused to purge: the sync is live in PostgreSQL");
        Ok(End::Refused)
    }

    async fn release(&self, reason: &'static str) -> Result<End, AttemptError> {
        self.worker.database.release_claim(self.cleanup.claim, self.machine.progress()).await?;
        tracing::info!(reason, "claim given back");
        Ok(End::Released)
    }

    /// Back to `scheduled` after a failure. While PostgreSQL is down this goes on until the claim is lost.
    async fn give_back(&self, error: &AttemptError) -> End {
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
