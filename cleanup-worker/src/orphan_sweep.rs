//! Sweeps for orphans when one is due, and what follows from what they find.
//!
//! What a sweep is, [`shared_sweep`] says. Purging orphans without a tombstone must be switched on, and keeps to the
//! guards of [`verdict()`].

use std::sync::Arc;
use std::time::Duration;

use shared_database::orphans::{OrphanCounts, Sorted};
use shared_service::periodic::Next;
use shared_service::{Bell, Driver, Periodic, Tasks};
use shared_sweep::{Report, Sweep, SweepError, Verdict, verdict};

use crate::figures;

/// Who has the longest interval looks this often whether a sweep is due.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// How often to sweep, and what to do about orphans.
#[derive(Debug, Clone, Copy)]
pub struct SweepPolicy {
    /// Time from the beginning of one sweep to that of the next.
    pub interval: Duration,
    /// Whether orphans without a tombstone are purged.
    pub purges: bool,
    /// How long ago the first of two sweeps must have found them.
    pub min_age: Duration,
}

/// Sweeps whenever a sweep is due, until shutdown. `found` is rung when cleanups are open again, or new.
pub fn start(sweep: Sweep, policy: SweepPolicy, found: &Bell, driver: &Driver, tasks: &Tasks) {
    let (sweep, found, tasks) = (Arc::new(sweep), found.clone(), tasks.clone());
    let interval = policy.interval.min(LONGEST_WAIT);
    driver.start(Periodic::every("sweep for orphans", interval), move |_| {
        let (sweep, found, tasks) = (sweep.clone(), found.clone(), tasks.clone());
        async move {
            // A sweep changes nothing that the next one wouldn't: at shutdown it is dropped, and its lease runs out.
            let swept = tasks.shutdown().run_until_cancelled(if_due(&sweep, policy, &found)).await;
            swept.unwrap_or(Ok(Next::AtInterval))
        }
    });
}

async fn if_due(sweep: &Sweep, policy: SweepPolicy, found: &Bell) -> Result<Next, SweepError> {
    let left = policy.interval.saturating_sub(sweep.database.since_last_sweep().await?);
    if !left.is_zero() {
        return Ok(Next::Within(left));
    }
    let report = match sweep.run().await {
        Ok(report) => report,
        Err(SweepError::Another) => return Ok(Next::AtInterval),
        // A store that is away is told by those who purge: the next sweep needn't hurry.
        Err(error @ (SweepError::Vespa(_) | SweepError::Arf(_))) => {
            tracing::warn!(%error, "the sweep for orphans didn't go through; it begins anew");
            return Ok(Next::AtInterval);
        }
        Err(error @ SweepError::Database(_)) => return Err(error),
    };
    conclude(sweep, report, policy, found).await?;
    Ok(Next::AtInterval)
}

async fn conclude(sweep: &Sweep, report: Report, policy: SweepPolicy, found: &Bell) -> Result<(), SweepError> {
    let counts = sweep.database.orphan_counts(policy.min_age).await?;
    figures::swept(report.sorted, counts, report.unreadable);
    let Report { sorted: Sorted { live, reopened, .. }, unreadable, is_cut } = report;
    let OrphanCounts { orphans, ripe, .. } = counts;
    tracing::info!(live, reopened, orphans, ripe, unreadable, is_cut, "swept for orphans");
    let mut purged = 0;
    match verdict(counts, policy.purges) {
        Verdict::Nothing | Verdict::Tell => {}
        Verdict::Refuse(objection) => {
            figures::orphans_refused(ripe);
            tracing::warn!(ripe, %objection, "orphans are not purged: somebody must look");
        }
        Verdict::Purge => {
            purged = sweep.database.purge_orphans(policy.min_age).await?;
            figures::orphans_purged(purged);
            tracing::info!(purged, "orphans are to be purged");
        }
    }
    if reopened + purged > 0 {
        found.ring();
    }
    Ok(())
}
