//! The stores that a cleanup empties. Everything in here does I/O and decides nothing.
//!
//! Keeps DEL-4: every call names the syncs that it is about. Keeps DEL-6: removing twice, or by two workers at once,
//! has the effect of one.

use std::collections::BTreeMap;
use std::time::Duration;

use shared_models::{PurgeTarget, SyncId, Verification};
use shared_stores::{ArfError, ArfStore, VespaClient, VespaError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::machine::Sliced;
use crate::pace::{Pace, PaceError};

mod arf;
mod vespa_index;

pub(crate) use vespa_index::MOST_LOOKS;

/// Every target that this build can empty and verify.
pub const KNOWN: &[PurgeTarget] = PurgeTarget::ALL;

/// A store didn't do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Vespa.
    #[error(transparent)]
    Vespa(#[from] VespaError),
    /// The ARF store.
    #[error(transparent)]
    Arf(#[from] ArfError),
    /// The limit on documents per second, which PostgreSQL keeps.
    #[error(transparent)]
    Pace(#[from] PaceError),
}

impl StoreError {
    /// A short stable name for rows, metrics and logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Vespa(error) => error.code(),
            Self::Arf(error) => error.code(),
            Self::Pace(_) => "database",
        }
    }
}

/// What a target holds of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holding {
    /// Nothing, by an answer that covered everything.
    Nothing,
    /// So many documents or blobs, by an answer that covered everything.
    Some(u64),
    /// More than a look counts.
    Uncounted,
}

impl Holding {
    /// Of so many.
    const fn of(count: u64) -> Self {
        if count == 0 { Self::Nothing } else { Self::Some(count) }
    }
}

/// Where a purge stands in its round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// What the round found at its start.
    pub found: u64,
    /// The lowest slot that isn't known to be empty.
    pub next_slot: u32,
}

/// A slice, and why it ended before its time if a store failed. What was done before counts all the same.
#[derive(Debug)]
pub(crate) struct Slice {
    /// What it did.
    pub done: Sliced,
    /// What failed.
    pub error: Option<StoreError>,
}

/// How long and how fast a slice may remove.
#[derive(Clone, Copy)]
pub(crate) struct SliceLimits<'a> {
    /// How long it is.
    pub length: Duration,
    /// When to stop removing.
    pub deadline: Instant,
    /// Stops it before that.
    pub stop: &'a CancellationToken,
    /// The limit on documents per second.
    pub pace: &'a Pace,
}

impl SliceLimits<'_> {
    /// How many documents the slice may remove.
    fn capacity(&self) -> u64 {
        self.pace.capacity(self.length)
    }

    fn is_over(&self) -> bool {
        self.stop.is_cancelled() || Instant::now() >= self.deadline
    }
}

/// The stores.
pub struct Stores {
    vespa: VespaClient,
    arf: ArfStore,
}

impl Stores {
    /// Both stores.
    #[must_use]
    pub const fn new(vespa: VespaClient, arf: ArfStore) -> Self {
        Self { vespa, arf }
    }

    /// Asks Vespa what it holds of each sync, in one query: at most [`MOST_LOOKS`] syncs. Never an answer from a part.
    ///
    /// # Errors
    /// [`StoreError`]; an error never means "nothing".
    pub(crate) async fn look_at_documents(&self, syncs: &[SyncId]) -> Result<BTreeMap<SyncId, Holding>, StoreError> {
        Ok(vespa_index::look(&self.vespa, syncs).await?)
    }

    /// Asks the ARF store what it holds of a sync. Never an answer from a part.
    ///
    /// # Errors
    /// [`StoreError`]; an error never means "nothing".
    pub(crate) async fn look_at_blobs(&self, sync: SyncId) -> Result<Holding, StoreError> {
        Ok(arf::look(&self.arf, sync).await?)
    }

    /// How a look that finds nothing verifies the target.
    pub(crate) const fn verification(&self, target: PurgeTarget) -> Verification {
        match target {
            PurgeTarget::Vespa => target.verification(),
            PurgeTarget::Arf => self.arf.verification(),
        }
    }

    /// Counts all that a target holds of the sync. May take minutes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn count(&self, target: PurgeTarget, sync: SyncId) -> Result<u64, StoreError> {
        match target {
            PurgeTarget::Vespa => Ok(vespa_index::count(&self.vespa, sync).await?),
            PurgeTarget::Arf => Ok(arf::count(&self.arf, sync).await?),
        }
    }

    /// Removes what carries the sync's id until the slice's time is over.
    pub(crate) async fn purge(
        &self,
        target: PurgeTarget,
        sync: SyncId,
        position: Position,
        limits: SliceLimits<'_>,
    ) -> Slice {
        match target {
            PurgeTarget::Vespa => vespa_index::purge(&self.vespa, sync, position, limits).await,
            PurgeTarget::Arf => arf::purge(&self.arf, sync, limits).await,
        }
    }

    /// Whether both stores answer.
    ///
    /// # Errors
    /// The first that doesn't.
    pub async fn ready(&self, timeout: Duration) -> Result<(), StoreError> {
        for target in PurgeTarget::ALL {
            match target {
                PurgeTarget::Vespa => self.vespa.ready(timeout).await?,
                PurgeTarget::Arf => self.arf.ready(timeout).await?,
            }
        }
        Ok(())
    }
}
