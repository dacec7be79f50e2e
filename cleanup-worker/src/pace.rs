//! The limit on documents removed per second, over all workers: PostgreSQL keeps it.

use std::num::NonZeroU32;
use std::time::Duration;

use shared_database::{Database, DatabaseError};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Removing waits for PostgreSQL, and it failed.
#[derive(Debug, thiserror::Error)]
#[error("ask for the rate of removals: {0}")]
pub struct PaceError(#[from] DatabaseError);

/// Which limit a purge keeps to.
#[derive(Clone)]
pub(crate) enum Pace {
    /// None.
    Unlimited,
    /// So many documents per second, of all workers together.
    Shared {
        /// What keeps it.
        database: Database,
        /// The limit.
        per_second: NonZeroU32,
    },
}

impl Pace {
    /// How many documents to ask for at once: about a tenth of a second's worth.
    pub(crate) fn batch(&self) -> usize {
        match self {
            Self::Unlimited => usize::MAX,
            Self::Shared { per_second, .. } => usize::try_from(per_second.get() / 10).unwrap_or(usize::MAX).max(1),
        }
    }

    /// How many documents may be removed in this time at most.
    pub(crate) fn capacity(&self, time: Duration) -> u64 {
        match self {
            Self::Unlimited => u64::MAX,
            Self::Shared { per_second, .. } => {
                let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                u64::from(per_second.get()).saturating_mul(milliseconds) / 1_000
            }
        }
    }

    /// Waits until `documents` more may be removed. `false` if that is after `deadline`, or `stop` came first.
    ///
    /// # Errors
    /// [`PaceError`]: what can't be asked for isn't removed.
    pub(crate) async fn wait(
        &self,
        documents: usize,
        deadline: Instant,
        stop: &CancellationToken,
    ) -> Result<bool, PaceError> {
        let Self::Shared { database, per_second } = self else { return Ok(true) };
        let documents = u32::try_from(documents).unwrap_or(u32::MAX);
        let left = deadline.saturating_duration_since(Instant::now());
        let reserved = database.reserve_removals(documents, *per_second, left).await?;
        let waited = stop.run_until_cancelled(sleep(reserved.unwrap_or(left))).await;
        Ok(reserved.is_some() && waited.is_some())
    }
}
