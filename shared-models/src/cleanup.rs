//! Cleanups: the durable record of one deleted sync, which is its work order and its tombstone.
//!
//! `scheduled → purging → settling → done`; `settling → purging` when not empty; back to `scheduled` after a failed
//! attempt and when reopened; `→ refused` when the guard finds the sync live.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::text_enum::text_enum;

mod shredding;
mod standing;
mod stats;

pub use shredding::Shredding;
pub use standing::{CleanupStatus, Standing, StandingFacts, WaitingFor};
pub use stats::CleanupStats;

text_enum! {
    /// State of a cleanup.
    CleanupState, "cleanup state", {
        /// Waits until it is due.
        Scheduled = "scheduled",
        /// A worker removes what the targets hold.
        Purging = "purging",
        /// Verified empty once; waits to be verified again.
        Settling = "settling",
        /// Both targets were verified empty after the settle delay; a receipt exists.
        Done = "done",
        /// The sync was found live: nothing was purged, somebody must look.
        Refused = "refused",
    }
}

impl CleanupState {
    /// Whether work is left.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Scheduled | Self::Purging | Self::Settling => true,
            Self::Done | Self::Refused => false,
        }
    }

    /// Whether the protocol knows the move from `self` to `next`. A failed or released attempt goes back to
    /// `scheduled`, and so does a closed cleanup that is reopened, or a refused one that is tried again.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Scheduled, Self::Purging | Self::Refused)
                | (Self::Purging, Self::Scheduled | Self::Settling | Self::Refused)
                | (Self::Settling, Self::Scheduled | Self::Purging | Self::Done | Self::Refused)
                | (Self::Done | Self::Refused, Self::Scheduled)
        )
    }
}

text_enum! {
    /// What is to be done next with an open cleanup. Each is claimed apart: many are looked at in one query, and each
    /// is purged by itself.
    CleanupWork, "work on a cleanup", {
        /// Ask the stores what they hold.
        Look = "look",
        /// Remove what a look found.
        Purge = "purge",
    }
}

text_enum! {
    /// A store that must be emptied of a deleted sync.
    PurgeTarget, "purge target", {
        /// Documents in Vespa.
        Vespa = "vespa",
        /// Blobs in the ARF store.
        Arf = "arf",
    }
}

text_enum! {
    /// How the writers of a deleted sync came to their end.
    WriterEnd, "writer end", {
        /// Every writer acknowledged that it had stopped, or there was none.
        Acknowledged = "acknowledged",
        /// At least one writer's lease ran out without a word: checked once more later.
        Lease = "lease",
    }
}

text_enum! {
    /// How a target was verified empty.
    Verification, "verification", {
        /// A trustworthy zero count over all document types.
        ZeroCount = "zero_count",
        /// An empty listing of the sync's prefix.
        EmptyListing = "empty_listing",
        /// The same of a bucket that keeps earlier versions: neither a version nor a delete marker is left.
        EmptyVersionListing = "empty_version_listing",
    }
}

/// A time at which a target was verified empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifiedEmpty {
    /// When (PostgreSQL's clock).
    pub at: DateTime<Utc>,
    /// How.
    pub by: Verification,
}

impl PurgeTarget {
    /// Every target that must be verified empty before a cleanup is done: those that its row names, and those of this
    /// build. So neither an older build ends a row with a target that it doesn't know, nor does a row that was written
    /// before there was a target leave that one out.
    #[must_use]
    pub fn required(of_row: &[Self]) -> Vec<Self> {
        let required: BTreeSet<Self> = of_row.iter().chain(Self::ALL).copied().collect();
        required.into_iter().collect()
    }

    /// What may remain of this target out of reach of any purge, as every receipt says it.
    pub(crate) fn out_of_reach(self, shredding: Shredding, verified_by: Verification) -> String {
        match self {
            Self::Vespa => {
                "Disk blocks that Vespa has not compacted yet, and document ids (hashes, no content) in its tombstones, \
                 two weeks by default."
                    .to_owned()
            }
            Self::Arf => shredding.out_of_reach(verified_by == Verification::EmptyVersionListing),
        }
    }

    /// The way in which this target is verified empty, unless its store was asked for more.
    #[must_use]
    pub const fn verification(self) -> Verification {
        match self {
            Self::Vespa => Verification::ZeroCount,
            Self::Arf => Verification::EmptyListing,
        }
    }
}

/// What is known of one target of one cleanup. Counts are documents or blobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetProgress {
    /// Sum over all rounds of what a round found at its start.
    pub found: u64,
    /// Removals that the store acknowledged. A crash loses the count of one slice until the target is verified empty:
    /// what was found and isn't there any more was removed.
    pub removed: u64,
    /// The same, by document type or kind of blob, counted as they were removed: after a crash at least so many.
    #[serde(default)]
    pub removed_by_type: BTreeMap<String, u64>,
    /// Rounds begun: the first, and one for each time that something was there again.
    pub rounds: u32,
    /// Whether a round is open: something was found and isn't removed yet.
    #[serde(default)]
    pub round_open: bool,
    /// The last round.
    #[serde(default)]
    pub round: Round,
    /// When the target was last verified empty (PostgreSQL's clock).
    pub verified_empty_at: Option<DateTime<Utc>>,
    /// How; absent in what versions before wrote, which knew one way for each target.
    #[serde(default)]
    pub verified_by: Option<Verification>,
    /// Each time that it was verified empty since something was last found, the oldest first; for the receipt.
    #[serde(default)]
    pub verifications: Vec<VerifiedEmpty>,
}

/// One round of a purge: from what a look found to where the next look finds nothing, or something again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Round {
    /// What it found at its start.
    pub found: u64,
    /// What the round before found, until it is known what this one finds; 0 if the target was empty in between.
    pub found_before: u64,
    /// Rounds in a row that found no less than the one before.
    pub without_decline: u32,
    /// Whether that isn't known yet: the look saw more than a look counts.
    pub is_uncounted: bool,
    /// The lowest slot of the sync that isn't known to be empty of documents with a purge key.
    pub next_slot: u32,
    /// Whether it ran to its end and removed nothing: if something is there then, going on is a loop.
    pub ended_in_vain: bool,
}

/// What is known of all targets of one cleanup.
pub type TargetsProgress = BTreeMap<PurgeTarget, TargetProgress>;
