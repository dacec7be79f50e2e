//! Purges one claimed cleanup, slice by slice: asks the machine for the next step, does it, stores what it brought to
//! light.
//!
//! The guard is asked before every slice (DEL-4). While others wait a purge gives its slot to them between two slices,
//! and goes on later from where it was. A target that fails keeps nothing of the other one in place: that one is purged
//! under the same claim, and the failure is told when it is given back.

use std::time::Duration;

use shared_database::cleanups::{ClaimedCleanup, Guard};
use shared_models::{CleanupWork, PurgeTarget};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{AttemptError, Held, TargetFailure, Worker, caught};
use crate::end::End;
use crate::figures;
use crate::heartbeat;
use crate::machine::{Observed, Step};
use crate::targets::{KNOWN, Position, SliceLimits};

/// So many removals tell how fast purges are.
const ENOUGH_TO_TELL: u32 = 500;

/// The purge of a cleanup under one claim. A clone repeats steps, as a worker that dies between a step and its record
/// would.
#[derive(Clone)]
pub struct Purge<'a> {
    worker: &'a Worker,
    held: Held<'a>,
    began: Instant,
    /// Documents removed from Vespa, and the time that it took.
    removed: (u64, Duration),
    /// The first failure of a target.
    failure: Option<TargetFailure>,
}

impl Worker {
    /// Purges a cleanup that was claimed at `claimed_at` until its claim is given back or lost.
    pub async fn purge(&self, cleanup: ClaimedCleanup, claimed_at: Instant) -> End {
        let span = Held::span(&cleanup, CleanupWork::Purge);
        self.purge_under_claim(&cleanup, claimed_at).instrument(span).await
    }

    async fn purge_under_claim(&self, cleanup: &ClaimedCleanup, claimed_at: Instant) -> End {
        tracing::info!(state = cleanup.state.as_str(), claim = cleanup.claim.number, "cleanup claimed");
        let (lost, ended) = (CancellationToken::new(), CancellationToken::new());
        let claims = vec![cleanup.claim];
        let beat =
            heartbeat::beat(self.database.clone(), claims, claimed_at, self.policy.claim, ended.clone(), lost.clone());
        self.tasks.spawn("claim heartbeat", beat.in_current_span());
        let _stops_the_heartbeat = ended.drop_guard();
        let mut purge = Purge::new(self, cleanup, claimed_at);
        lost.run_until_cancelled(Box::pin(purge.until_its_end())).await.unwrap_or_else(Held::lost)
    }
}

impl<'a> Purge<'a> {
    /// At its beginning.
    #[must_use]
    pub fn new(worker: &'a Worker, cleanup: &'a ClaimedCleanup, began: Instant) -> Self {
        Self { worker, held: Held::new(worker, cleanup), began, removed: (0, Duration::ZERO), failure: None }
    }

    async fn until_its_end(&mut self) -> End {
        let outcome = caught("purge", self.run()).await.unwrap_or(Err(AttemptError::Internal));
        self.held.end(outcome).await
    }

    async fn run(&mut self) -> Result<End, AttemptError> {
        loop {
            if let Some(end) = Box::pin(self.step()).await? {
                return Ok(end);
            }
        }
    }

    /// What [`Purge::step`] does next, if the guard lets it.
    #[must_use]
    pub fn next(&self) -> Step {
        self.held.machine().next()
    }

    /// One step; `Some` ends the purge.
    ///
    /// # Errors
    /// [`AttemptError`]; the claim isn't given back yet then.
    pub async fn step(&mut self) -> Result<Option<End>, AttemptError> {
        let (policy, cleanup) = (&self.worker.policy, self.held.cleanup());
        let guard = self.worker.database.cleanup_guard(cleanup.claim, KNOWN, &policy.schedule).await?;
        if let Some(refused) = self.held.refuse_if(guard.is_live).await? {
            return Ok(Some(refused));
        }
        if let Some(reason) = self.reason_to_stop(guard) {
            // Without the failure the next claim would come at once.
            self.tell_failure()?;
            return self.held.release(reason).await.map(Some);
        }
        match self.next() {
            Step::Count(target) => self.count(target).await,
            Step::Purge(target) => self.slice(target, guard.hurries).await,
            Step::GiveBack | Step::Look(_) | Step::Settle | Step::Finish | Step::Nothing => {
                self.tell_failure()?;
                self.held.hand_over(false).await.map(Some)
            }
        }
    }

    /// The first failure of a target under this claim, if there was one.
    fn tell_failure(&mut self) -> Result<(), AttemptError> {
        self.failure.take().map_or(Ok(()), |failure| Err(failure.into()))
    }

    fn reason_to_stop(&self, guard: Guard) -> Option<&'static str> {
        if self.worker.tasks.shutdown().is_cancelled() {
            Some("shutdown")
        } else if guard.is_paused {
            Some("paused")
        } else if !guard.is_allowed {
            Some("outside of the allowed hours")
        } else if guard.others_wait && self.began.elapsed() >= self.worker.policy.yield_after {
            Some("others wait")
        } else {
            None
        }
    }

    /// For those who ask how long a purge would take.
    async fn record_rate(&self) -> Result<(), AttemptError> {
        let (removed, took) = self.removed;
        if let Some(rate) = rate(removed, took) {
            self.worker.database.record_removal_rate(rate).await?;
        }
        Ok(())
    }

    async fn count(&mut self, target: PurgeTarget) -> Result<Option<End>, AttemptError> {
        let count = self.worker.stores.count(target, self.held.cleanup().sync_id);
        // Counting changes nothing: at shutdown it is dropped, and the next step gives the claim back.
        let Some(count) = self.worker.tasks.shutdown().run_until_cancelled(count).await else { return Ok(None) };
        let counted = count.map_err(TargetFailure::from);
        let counted = counted.and_then(|count| Ok(self.held.observe(Observed::Counted(target, count))?));
        self.go_on(target, counted, false).await
    }

    async fn slice(&mut self, target: PurgeTarget, hurries: bool) -> Result<Option<End>, AttemptError> {
        if hurries {
            tracing::info!("near its deadline: allowed hours and rate are ignored");
        }
        let pace = self.worker.pace(hurries);
        let length = self.worker.policy.slice;
        let deadline = Instant::now() + length;
        let limits = SliceLimits { length, deadline, stop: self.worker.tasks.shutdown(), pace: &pace };
        let round = self.held.machine().of(target).round;
        let position = Position { found: round.found, next_slot: round.next_slot };
        let began = Instant::now();
        let slice = self.worker.stores.purge(target, self.held.cleanup().sync_id, position, limits).await;
        let removed = slice.done.total();
        if target == PurgeTarget::Vespa {
            self.removed = (self.removed.0 + removed, self.removed.1 + began.elapsed());
        }
        figures::purged(target, removed);
        tracing::debug!(store = target.as_str(), removed, end = ?slice.done.end, "slice done");
        let has_headway = self.held.machine().is_headway(target, removed);
        // Removals before a failure count too: whoever gives the claim back stores them.
        let observed = self.held.observe(Observed::Sliced(target, slice.done)).map_err(TargetFailure::from);
        self.go_on(target, slice.error.map_or(observed, |error| Err(error.into())), has_headway).await
    }

    /// Stores what is known and goes on, or gives the claim back if nothing is left to purge under it.
    async fn go_on(
        &mut self,
        target: PurgeTarget,
        outcome: Result<(), TargetFailure>,
        has_headway: bool,
    ) -> Result<Option<End>, AttemptError> {
        if let Err(failure) = outcome {
            self.held.fail(target);
            tracing::debug!(store = target.as_str(), ?failure, "the target failed");
            self.failure.get_or_insert(failure);
        }
        match self.next() {
            Step::Count(_) | Step::Purge(_) => self.held.save(has_headway).await.map(|()| None),
            Step::GiveBack | Step::Look(_) | Step::Settle | Step::Finish | Step::Nothing => {
                self.record_rate().await?;
                self.tell_failure()?;
                self.held.hand_over(has_headway).await.map(Some)
            }
        }
    }
}

/// Documents a second, if they were enough to tell.
fn rate(removed: u64, took: Duration) -> Option<f64> {
    let removed = u32::try_from(removed).unwrap_or(u32::MAX);
    (removed >= ENOUGH_TO_TELL && !took.is_zero()).then(|| f64::from(removed) / took.as_secs_f64())
}
