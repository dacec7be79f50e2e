//! How a cleanup stands, as people see it: told from its row, in the same words in API, metrics and logs.
//!
//! The row's state says what was reached; this says whether anybody is at it, and if not, why. Nothing else is decided
//! by it.

use super::{CleanupState, CleanupWork};
use crate::text_enum::text_enum;

text_enum! {
    /// How a cleanup stands.
    CleanupStatus, "cleanup status", {
        /// Nobody is at it for now; `waiting_for` says what for.
        Waiting = "waiting",
        /// A worker is at it.
        Working = "working",
        /// The last attempt failed, and none has made headway since; it is tried again for ever.
        Failing = "failing",
        /// An operator paused it: nobody works on it until it is resumed.
        Paused = "paused",
        /// Both stores were verified empty after the settle delay; a receipt exists.
        Done = "done",
        /// The sync was found live: nothing was purged, somebody must look.
        Refused = "refused",
    }
}

text_enum! {
    /// What a cleanup waits for.
    WaitingFor, "reason to wait", {
        /// A worker with a free slot.
        Turn = "turn",
        /// The hours in which purges may run.
        Hours = "hours",
        /// The end of the settle delay, to be verified again.
        SettleDelay = "settle_delay",
    }
}

/// How a cleanup stands, and what for if it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// See [`CleanupStatus::Waiting`].
    Waiting(WaitingFor),
    /// See [`CleanupStatus::Working`].
    Working,
    /// See [`CleanupStatus::Failing`].
    Failing,
    /// See [`CleanupStatus::Paused`].
    Paused,
    /// See [`CleanupStatus::Done`].
    Done,
    /// See [`CleanupStatus::Refused`].
    Refused,
}

/// What is to be known of a row, at one time on PostgreSQL's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandingFacts {
    /// Its state.
    pub state: CleanupState,
    /// Whether attempts have failed without headway since.
    pub has_failed: bool,
    /// Whether somebody holds a claim that hasn't run out.
    pub is_claimed: bool,
    /// Whether its next attempt is due.
    pub is_due: bool,
    /// What is to be done next.
    pub next_work: CleanupWork,
    /// Whether it may be purged now: by the time of day, or because it is so old that it hurries.
    pub is_allowed: bool,
    /// Whether it is paused.
    pub is_paused: bool,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Waiting(WaitingFor::Turn),
        Self::Waiting(WaitingFor::Hours),
        Self::Waiting(WaitingFor::SettleDelay),
        Self::Working,
        Self::Failing,
        Self::Paused,
        Self::Done,
        Self::Refused,
    ];

    /// Tells it from a row. A failing cleanup stays so while it is tried again, so that it doesn't flicker. What is
    /// paused while somebody works on it isn't at rest yet.
    #[must_use]
    pub const fn of(facts: StandingFacts) -> Self {
        match facts.state {
            CleanupState::Done => Self::Done,
            CleanupState::Refused => Self::Refused,
            CleanupState::Scheduled | CleanupState::Purging | CleanupState::Settling => {
                if facts.is_paused && !facts.is_claimed {
                    Self::Paused
                } else if facts.has_failed {
                    Self::Failing
                } else if facts.is_claimed {
                    Self::Working
                } else {
                    Self::Waiting(WaitingFor::of(facts))
                }
            }
        }
    }

    /// In one word.
    #[must_use]
    pub const fn status(self) -> CleanupStatus {
        match self {
            Self::Waiting(_) => CleanupStatus::Waiting,
            Self::Working => CleanupStatus::Working,
            Self::Failing => CleanupStatus::Failing,
            Self::Paused => CleanupStatus::Paused,
            Self::Done => CleanupStatus::Done,
            Self::Refused => CleanupStatus::Refused,
        }
    }

    /// What it waits for, if it does.
    #[must_use]
    pub const fn waiting_for(self) -> Option<WaitingFor> {
        match self {
            Self::Waiting(what) => Some(what),
            Self::Working | Self::Failing | Self::Paused | Self::Done | Self::Refused => None,
        }
    }
}

impl WaitingFor {
    /// Of a row at which nobody is. A look removes nothing, so it needs no hours.
    const fn of(facts: StandingFacts) -> Self {
        match (facts.state, facts.next_work) {
            (CleanupState::Settling, _) if !facts.is_due => Self::SettleDelay,
            (_, CleanupWork::Purge) if !facts.is_allowed => Self::Hours,
            (_, CleanupWork::Look | CleanupWork::Purge) => Self::Turn,
        }
    }
}
