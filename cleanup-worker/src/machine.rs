//! Decides the next step of a cleanup, one handler per state. Pure: it does no I/O and knows no clock.
//!
//! Keeps DEL-7: the machine only finishes from `settling`, after every target was found empty under the claim that the
//! machine was made for. A crash between two steps loses nothing but the last observation: the next holder of the claim
//! makes a new machine from the stored row.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use shared_models::{CleanupState, PurgeTarget, TargetProgress, TargetsProgress};

#[cfg(test)]
mod tests;

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `→ purging`.
    Begin,
    /// Ask a target what it holds: a trustworthy total, or a trustworthy nothing.
    Look(PurgeTarget),
    /// Remove from a target for the length of a slice.
    Purge(PurgeTarget),
    /// `→ settling`: the claim is given back until the settle delay is over.
    Settle,
    /// `→ done`, with a receipt.
    Finish,
    /// The row is closed: nothing to do.
    Nothing,
}

/// What a step brought to light.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Observed {
    /// The row says `purging` now.
    Begun,
    /// The target holds this much, by document type or kind of blob.
    Holds(PurgeTarget, BTreeMap<String, u64>),
    /// The target was verified empty by a look that began at this time.
    Empty(PurgeTarget, DateTime<Utc>),
    /// A slice removed so many.
    Removed {
        /// From where.
        target: PurgeTarget,
        /// Removals that the store acknowledged.
        removed: u64,
        /// Why the slice ended.
        end: SliceEnd,
    },
}

/// Why a slice of a purge ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SliceEnd {
    /// The target offered nothing more to remove. Proves nothing: the next step is a look.
    Exhausted,
    /// Its time was over.
    TimeOver,
    /// The limit on documents per second let none through.
    HeldBack,
}

/// So many slices in a row without a removal are an error.
const MAX_IDLE_SLICES: u32 = 3;
/// More removals than this beyond twice what was found are an error: acknowledged removals don't stay.
const SURPLUS: u64 = 10_000;

/// A target holds something, but a whole round, or slice after slice, removed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} holds something that can't be removed")]
pub struct NoHeadway(pub PurgeTarget);

/// A cleanup under one claim.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    state: CleanupState,
    targets: Vec<PurgeTarget>,
    progress: TargetsProgress,
    /// Verified empty under this claim and in this state.
    verified: BTreeSet<PurgeTarget>,
    /// Removed in the rounds that this claim has seen the end of, or that are still open.
    removed_in_round: BTreeMap<PurgeTarget, u64>,
    /// Rounds that ended under this claim and weren't followed by a look yet.
    ended: BTreeSet<PurgeTarget>,
    /// Slices in a row that ran to their end and removed nothing.
    idle_slices: u32,
}

impl Machine {
    /// A machine for a row that has just been claimed.
    pub(crate) fn new(state: CleanupState, targets: Vec<PurgeTarget>, progress: TargetsProgress) -> Self {
        let (verified, removed_in_round, ended) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        Self { state, targets, progress, verified, removed_in_round, ended, idle_slices: 0 }
    }

    /// What is known so far, as it is stored.
    pub(crate) const fn progress(&self) -> &TargetsProgress {
        &self.progress
    }

    /// The row's state.
    pub(crate) const fn state(&self) -> CleanupState {
        self.state
    }

    /// The targets that were verified empty under this claim, in this state.
    pub(crate) fn verified(&self) -> Vec<PurgeTarget> {
        self.verified.iter().copied().collect()
    }

    /// The next step.
    pub(crate) fn next(&self) -> Step {
        match self.state {
            CleanupState::Scheduled => Step::Begin,
            CleanupState::Purging => self.purging(),
            CleanupState::Settling => self.settling(),
            CleanupState::Done | CleanupState::Refused => Step::Nothing,
        }
    }

    fn purging(&self) -> Step {
        if let Some(target) = self.open_round() {
            return Step::Purge(target);
        }
        self.unverified().map_or(Step::Settle, Step::Look)
    }

    fn settling(&self) -> Step {
        if self.open_round().is_some() {
            return Step::Begin;
        }
        self.unverified().map_or(Step::Finish, Step::Look)
    }

    fn open_round(&self) -> Option<PurgeTarget> {
        self.targets.iter().copied().find(|target| self.progress.get(target).is_some_and(|known| known.round_open))
    }

    fn unverified(&self) -> Option<PurgeTarget> {
        self.targets.iter().copied().find(|target| !self.verified.contains(target))
    }

    /// Takes in what a step brought to light.
    ///
    /// # Errors
    /// [`NoHeadway`]: going on would be a loop.
    pub(crate) fn observe(&mut self, observed: Observed) -> Result<(), NoHeadway> {
        match observed {
            Observed::Begun => {
                self.state = CleanupState::Purging;
                self.verified.clear();
            }
            Observed::Empty(target, at) => self.found_empty(target, at),
            Observed::Holds(target, by_type) => return self.found(target, by_type),
            Observed::Removed { target, removed, end } => return self.sliced(target, removed, end),
        }
        Ok(())
    }

    fn sliced(&mut self, target: PurgeTarget, removed: u64, end: SliceEnd) -> Result<(), NoHeadway> {
        let known = self.known(target);
        known.removed += removed;
        let bound = known.found.saturating_mul(2).saturating_add(SURPLUS);
        let in_round = self.removed_in_round.entry(target).or_default();
        *in_round += removed;
        if *in_round > bound {
            return Err(NoHeadway(target));
        }
        match end {
            SliceEnd::Exhausted => {
                self.known(target).round_open = false;
                self.ended.insert(target);
                self.idle_slices = 0;
            }
            SliceEnd::TimeOver if removed == 0 => self.idle_slices += 1,
            SliceEnd::TimeOver | SliceEnd::HeldBack => self.idle_slices = 0,
        }
        if self.idle_slices >= MAX_IDLE_SLICES { Err(NoHeadway(target)) } else { Ok(()) }
    }

    fn found_empty(&mut self, target: PurgeTarget, at: DateTime<Utc>) {
        let known = self.known(target);
        known.round_open = false;
        known.rounds = known.rounds.max(1);
        known.verified_empty_at = Some(at);
        // A holder that died took the count of its last slice along.
        // What was found and isn't there any more was removed.
        known.removed = known.removed.max(known.found);
        self.ended.remove(&target);
        self.removed_in_round.remove(&target);
        self.verified.insert(target);
    }

    fn found(&mut self, target: PurgeTarget, by_type: BTreeMap<String, u64>) -> Result<(), NoHeadway> {
        let was_in_vain = self.ended.remove(&target) && self.removed_in_round.remove(&target).unwrap_or_default() == 0;
        let known = self.known(target);
        known.round_open = true;
        if was_in_vain {
            return Err(NoHeadway(target));
        }
        known.rounds += 1;
        for (kind, count) in by_type {
            known.found += count;
            *known.found_by_type.entry(kind).or_default() += count;
        }
        self.verified.remove(&target);
        Ok(())
    }

    fn known(&mut self, target: PurgeTarget) -> &mut TargetProgress {
        self.progress.entry(target).or_default()
    }
}
