//! The stores that a cleanup empties. Everything in here does I/O and decides nothing.
//!
//! Keeps DEL-4: every call names one sync. Keeps DEL-6: removing twice, or by two workers at once,
//! has the effect of one.

use std::collections::BTreeMap;
use std::time::Duration;

use shared_models::{PurgeTarget, SyncId};
use shared_stores::{ArfError, ArfStore, VespaClient, VespaError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::machine::SliceEnd;
use crate::schedule::Pace;

mod arf;
mod vespa_index;

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
}

impl StoreError {
    /// A short stable name for rows, metrics and logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Vespa(error) => error.code(),
            Self::Arf(error) => error.code(),
        }
    }
}

/// What a target holds of a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holding {
    /// Nothing, by an answer that covered everything.
    Nothing,
    /// This much, by document type or kind of blob.
    Some(BTreeMap<String, u64>),
}

/// What a slice did. Removals that were acknowledged count even if it failed afterwards.
#[derive(Debug)]
pub(crate) struct Slice {
    /// Acknowledged removals.
    pub removed: u64,
    /// How it ended.
    pub end: Result<SliceEnd, StoreError>,
}

/// How long a slice may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SliceLimits<'a> {
    /// When to stop removing.
    pub deadline: Instant,
    /// Stops it before that.
    pub stop: &'a CancellationToken,
}

/// The stores.
pub struct Stores {
    vespa: VespaClient,
    arf: ArfStore,
    pace: Pace,
}

impl Stores {
    /// Both stores; `pace` limits the removal of documents.
    #[must_use]
    pub const fn new(vespa: VespaClient, arf: ArfStore, pace: Pace) -> Self {
        Self { vespa, arf, pace }
    }

    /// Asks a target what it holds of the sync. Never an answer from a part.
    ///
    /// # Errors
    /// [`StoreError`]; an error never means "nothing".
    pub(crate) async fn look(&self, target: PurgeTarget, sync: SyncId) -> Result<Holding, StoreError> {
        match target {
            PurgeTarget::Vespa => Ok(vespa_index::look(&self.vespa, sync).await?),
            PurgeTarget::Arf => Ok(arf::look(&self.arf, sync).await?),
        }
    }

    /// Removes what carries the sync's id until the slice's time is over.
    pub(crate) async fn purge(&self, target: PurgeTarget, sync: SyncId, limits: SliceLimits<'_>) -> Slice {
        match target {
            PurgeTarget::Vespa => vespa_index::purge(&self.vespa, &self.pace, sync, limits).await,
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
