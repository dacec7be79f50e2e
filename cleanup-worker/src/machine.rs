//! Decides the next step of a cleanup. Pure: it does no I/O and knows no clock.
//!
//! Keeps DEL-7: the machine only finishes from `settling`, after every target was found empty under the claim that the
//! machine was made for. A crash between two steps loses nothing but the last observation: the next holder of the claim
//! makes a new machine from the stored row.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use shared_models::{
    CleanupState, CleanupWork, PurgeTarget, Round, TargetProgress, TargetsProgress, Verification, VerifiedEmpty,
};

#[cfg(test)]
mod tests;

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask a target what it holds: a trustworthy total, or a trustworthy nothing.
    Look(PurgeTarget),
    /// Count what a target holds: the look saw that it is more than a look counts.
    Count(PurgeTarget),
    /// Remove from a target for the length of a slice.
    Purge(PurgeTarget),
    /// `→ settling`: the claim is given back until the settle delay is over.
    Settle,
    /// `→ done`, with a receipt.
    Finish,
    /// What is left to purge failed under this claim: it is given back.
    GiveBack,
    /// The row is closed: nothing to do.
    Nothing,
}

impl Step {
    /// Which work the step belongs to. Looks are made of many cleanups at once, purges of one.
    #[must_use]
    pub const fn work(self) -> CleanupWork {
        match self {
            Self::Count(_) | Self::Purge(_) | Self::GiveBack => CleanupWork::Purge,
            Self::Look(_) | Self::Settle | Self::Finish | Self::Nothing => CleanupWork::Look,
        }
    }
}

/// What a step brought to light.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Observed {
    /// The target was verified empty, in this way, by a look that began at this time.
    Empty(PurgeTarget, Verification, DateTime<Utc>),
    /// The target holds so much; `None` is more than was counted.
    Holds(PurgeTarget, Option<u64>),
    /// The target was counted.
    Counted(PurgeTarget, u64),
    /// A slice of a purge.
    Sliced(PurgeTarget, Sliced),
}

/// What a slice did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sliced {
    /// Removals that the store acknowledged, by document type or kind of blob.
    pub removed: BTreeMap<String, u64>,
    /// The lowest slot that isn't known to be empty.
    pub next_slot: u32,
    /// Why it ended.
    pub end: SliceEnd,
}

impl Sliced {
    /// All of its removals.
    pub(crate) fn total(&self) -> u64 {
        self.removed.values().sum()
    }
}

/// Why a slice of a purge ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SliceEnd {
    /// The target offered nothing more to remove. Proves nothing: the next step is a look.
    Exhausted,
    /// Its time was over.
    TimeOver,
    /// The limit on documents per second let none through, or the store failed.
    HeldBack,
}

/// So many slices in a row without headway are an error.
const MAX_IDLE_SLICES: u32 = 3;
/// So many rounds in a row that found no less than the one before are an error.
const MAX_ROUNDS_WITHOUT_DECLINE: u32 = 3;
/// So many verifications in a row are kept for the receipt: a cleanup that fails for days is verified again and again.
const MOST_VERIFICATIONS: usize = 8;
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
    /// What failed under this claim: nothing more is purged from it before the next.
    failed: BTreeSet<PurgeTarget>,
    /// Removed under this claim in the rounds that are open.
    removed_in_round: BTreeMap<PurgeTarget, u64>,
    /// Slices in a row that ran to their end and got nowhere, of the target whose turn it is.
    idle_slices: u32,
}

impl Machine {
    /// A machine for a row that has just been claimed.
    pub(crate) fn new(state: CleanupState, targets: Vec<PurgeTarget>, progress: TargetsProgress) -> Self {
        let (verified, failed, removed_in_round) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        Self { state, targets, progress, verified, failed, removed_in_round, idle_slices: 0 }
    }

    /// What is known so far, as it is stored.
    pub(crate) const fn progress(&self) -> &TargetsProgress {
        &self.progress
    }

    /// What is known of one target.
    pub(crate) fn of(&self, target: PurgeTarget) -> TargetProgress {
        self.progress.get(&target).cloned().unwrap_or_default()
    }

    /// The row's state.
    pub(crate) const fn state(&self) -> CleanupState {
        self.state
    }

    /// The targets that were verified empty under this claim, in this state.
    pub(crate) fn verified(&self) -> Vec<PurgeTarget> {
        self.verified.iter().copied().collect()
    }

    /// The targets that a look has to ask: those without an open round that weren't verified yet.
    pub(crate) fn to_look_at(&self) -> Vec<PurgeTarget> {
        let is_to_look_at = |target: &PurgeTarget| !self.verified.contains(target) && !self.of(*target).round_open;
        self.targets.iter().copied().filter(is_to_look_at).collect()
    }

    /// The next step. What was found is removed before anything else is looked at; where one target fails, the other
    /// one's turn comes.
    pub(crate) fn next(&self) -> Step {
        if !self.state.is_open() {
            return Step::Nothing;
        }
        let mut open = self.targets.iter().copied().filter(|target| self.of(*target).round_open);
        if let Some(target) = open.clone().find(|target| !self.failed.contains(target)) {
            return if self.of(target).round.is_uncounted { Step::Count(target) } else { Step::Purge(target) };
        }
        if open.next().is_some() {
            return Step::GiveBack;
        }
        match (self.to_look_at().first(), self.state) {
            (Some(target), _) => Step::Look(*target),
            (None, CleanupState::Settling) => Step::Finish,
            (None, _) => Step::Settle,
        }
    }

    /// Takes in that a target failed, or got nowhere.
    pub(crate) fn fail(&mut self, target: PurgeTarget) {
        self.failed.insert(target);
        self.idle_slices = 0;
    }

    /// Whether so many removals are a reason to hope: not where round after round finds no less.
    pub(crate) fn is_headway(&self, target: PurgeTarget, removed: u64) -> bool {
        removed > 0 && self.of(target).round.without_decline < MAX_ROUNDS_WITHOUT_DECLINE
    }

    /// Takes in what a step brought to light.
    ///
    /// # Errors
    /// [`NoHeadway`]: going on would be a loop.
    pub(crate) fn observe(&mut self, observed: Observed) -> Result<(), NoHeadway> {
        match observed {
            Observed::Empty(target, verified_by, at) => self.found_empty(target, verified_by, at),
            Observed::Holds(target, count) => return self.found(target, count),
            Observed::Counted(target, count) => return self.counted(target, count),
            Observed::Sliced(target, slice) => return self.sliced(target, &slice),
        }
        Ok(())
    }

    fn found_empty(&mut self, target: PurgeTarget, verified_by: Verification, at: DateTime<Utc>) {
        let known = self.known(target);
        known.round_open = false;
        known.rounds = known.rounds.max(1);
        known.round = Round::default();
        known.verified_empty_at = Some(at);
        known.verified_by = Some(verified_by);
        known.verifications.push(VerifiedEmpty { at, by: verified_by });
        if known.verifications.len() > MOST_VERIFICATIONS {
            // The first one stays: from it on the settle delay counts.
            known.verifications.remove(1);
        }
        // A holder that died took the count of its last slice along.
        // What was found and isn't there any more was removed.
        known.removed = known.removed.max(known.found);
        self.verified.insert(target);
    }

    fn found(&mut self, target: PurgeTarget, count: Option<u64>) -> Result<(), NoHeadway> {
        let known = self.known(target);
        // The round before ran to its end, removed nothing, and something is there.
        let was_in_vain = known.round.ended_in_vain;
        known.round_open = true;
        known.verifications.clear();
        known.round.next_slot = 0;
        known.round.ended_in_vain = false;
        self.verified.remove(&target);
        if was_in_vain {
            return Err(NoHeadway(target));
        }
        let known = self.known(target);
        known.rounds += 1;
        known.round.is_uncounted = count.is_none();
        known.round.found_before = known.round.found;
        known.round.found = 0;
        count.map_or(Ok(()), |count| self.counted(target, count))
    }

    fn counted(&mut self, target: PurgeTarget, count: u64) -> Result<(), NoHeadway> {
        let known = self.known(target);
        known.round.is_uncounted = false;
        known.round.found = count;
        known.found += count;
        // The round before removed all that it found, by what the store said, and as much is there. Late writes may do
        // that once; again and again it is the removals that don't stay.
        let before = std::mem::take(&mut known.round.found_before);
        let is_no_less = before > 0 && count >= before;
        known.round.without_decline = if is_no_less { known.round.without_decline + 1 } else { 0 };
        if known.round.without_decline >= MAX_ROUNDS_WITHOUT_DECLINE { Err(NoHeadway(target)) } else { Ok(()) }
    }

    fn sliced(&mut self, target: PurgeTarget, slice: &Sliced) -> Result<(), NoHeadway> {
        let (removed, known) = (slice.total(), self.known(target));
        known.removed += removed;
        for (kind, count) in &slice.removed {
            *known.removed_by_type.entry(kind.clone()).or_default() += count;
        }
        let has_headway = removed > 0 || slice.next_slot > known.round.next_slot;
        known.round.next_slot = slice.next_slot;
        let bound = known.found.saturating_mul(2).saturating_add(SURPLUS);
        let in_round = self.removed_in_round.entry(target).or_default();
        *in_round += removed;
        let in_round = *in_round;
        if in_round > bound {
            return Err(NoHeadway(target));
        }
        match slice.end {
            SliceEnd::Exhausted => {
                self.removed_in_round.remove(&target);
                let known = self.known(target);
                known.round_open = false;
                known.round.ended_in_vain = in_round == 0;
                self.idle_slices = 0;
            }
            SliceEnd::TimeOver if !has_headway => self.idle_slices += 1,
            SliceEnd::TimeOver | SliceEnd::HeldBack => self.idle_slices = 0,
        }
        if self.idle_slices >= MAX_IDLE_SLICES { Err(NoHeadway(target)) } else { Ok(()) }
    }

    fn known(&mut self, target: PurgeTarget) -> &mut TargetProgress {
        self.progress.entry(target).or_default()
    }
}
