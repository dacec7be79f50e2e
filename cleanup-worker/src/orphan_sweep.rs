//! The sweep for orphans: what Vespa and the ARF store hold is held against what PostgreSQL knows.
//!
//! A store's page is listed first and PostgreSQL asked then, so that a sync that was made meanwhile has its row. An id
//! with a tombstone and no live row is always purged again, without switch or limit: the tombstone is the proof. One
//! without either, another system's or of lost history, is noted and told; purging those must be switched on, and keeps
//! to the guards of [`verdict()`]. Neither store is ever listed whole into memory. A sweep that dies is begun anew.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use shared_database::orphans::{OrphanCounts, Sorted};
use shared_database::{Database, DatabaseError};
use shared_models::{PurgeTarget, SweepOwner, SyncId};
use shared_service::periodic::Next;
use shared_service::{Bell, Driver, Periodic, Tasks};
use shared_stores::vespa::CensusPlace;
use shared_stores::{ArfError, ArfStore, VespaClient, VespaError};

use crate::figures;

mod verdict;

pub use verdict::{Objection, Verdict, objection, verdict};

/// The lease is renewed with each page.
const LEASE: Duration = Duration::from_mins(5);
/// A page of a census; the last one is of all documents without a purge key.
const PAGE_TIMEOUT: Duration = Duration::from_mins(1);
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

/// What sweeps look at.
#[derive(Clone)]
pub struct Sweep {
    /// PostgreSQL.
    pub database: Database,
    /// The index.
    pub vespa: VespaClient,
    /// The blobs.
    pub arf: ArfStore,
}

/// Why a sweep didn't go through. The next one begins anew.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// PostgreSQL.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Vespa.
    #[error(transparent)]
    Vespa(#[from] VespaError),
    /// The ARF store.
    #[error(transparent)]
    Arf(#[from] ArfError),
    /// Another process sweeps, or has taken this sweep over.
    #[error("another sweep is under way")]
    Another,
}

/// What a sweep found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// By PostgreSQL, over all pages: a sync that both stores hold is counted twice.
    pub sorted: Sorted,
    /// Documents, and entries of the ARF store, whose sync can't be told.
    pub unreadable: u64,
    /// Whether Vespa has more syncs without a purge key than it lists.
    pub is_cut: bool,
}

impl Report {
    fn add(&mut self, sorted: Sorted, unreadable: u64) {
        self.sorted.live += sorted.live;
        self.sorted.reopened += sorted.reopened;
        self.sorted.orphans += sorted.orphans;
        self.unreadable += unreadable;
    }
}

impl Sweep {
    /// Sweeps once, whoever did before.
    ///
    /// # Errors
    /// [`SweepError`].
    pub async fn run(&self) -> Result<Report, SweepError> {
        let owner = SweepOwner::random();
        let began = self.database.hold_sweep(owner, LEASE).await?.ok_or(SweepError::Another)?;
        let swept = self.through(owner, began).await;
        match &swept {
            Ok(_) => self.database.complete_sweep(owner, began).await?,
            Err(_) => self.database.drop_sweep(owner).await?,
        }
        swept
    }

    async fn through(&self, owner: SweepOwner, began: DateTime<Utc>) -> Result<Report, SweepError> {
        let mut report = Report::default();
        let mut place = Some(CensusPlace::default());
        while let Some(at) = place {
            let page = self.vespa.census_page(at, PAGE_TIMEOUT).await?;
            let syncs: Vec<(SyncId, u64)> = page.syncs.into_iter().collect();
            let sorted = self.sort(owner, PurgeTarget::Vespa, &syncs, began).await?;
            report.add(sorted, page.unreadable);
            report.is_cut |= page.is_cut;
            place = page.next;
        }
        let mut census = self.arf.census();
        while let Some(page) = census.try_next().await? {
            let syncs: Vec<(SyncId, u64)> = page.syncs.into_iter().map(|sync| (sync, 0)).collect();
            let sorted = self.sort(owner, PurgeTarget::Arf, &syncs, began).await?;
            report.add(sorted, page.unreadable);
        }
        Ok(report)
    }

    async fn sort(
        &self,
        owner: SweepOwner,
        target: PurgeTarget,
        syncs: &[(SyncId, u64)],
        began: DateTime<Utc>,
    ) -> Result<Sorted, SweepError> {
        self.database.hold_sweep(owner, LEASE).await?.ok_or(SweepError::Another)?;
        Ok(self.database.sort_found(target, syncs, began).await?)
    }
}

/// Sweeps whenever a sweep is due, until shutdown. `found` is rung when cleanups are open again, or new.
pub fn start(sweep: Sweep, policy: SweepPolicy, found: &Bell, driver: &Driver, tasks: &Tasks) {
    let (sweep, found, tasks) = (Arc::new(sweep), found.clone(), tasks.clone());
    let interval = policy.interval.min(LONGEST_WAIT);
    driver.start(Periodic::every("sweep for orphans", interval), move |_| {
        let (sweep, found, tasks) = (sweep.clone(), found.clone(), tasks.clone());
        async move {
            // A sweep changes nothing that the next one wouldn't: at shutdown it is dropped, and its lease runs out.
            let swept = tasks.shutdown().run_until_cancelled(sweep.if_due(policy, &found)).await;
            swept.unwrap_or(Ok(Next::AtInterval))
        }
    });
}

impl Sweep {
    async fn if_due(&self, policy: SweepPolicy, found: &Bell) -> Result<Next, SweepError> {
        let left = policy.interval.saturating_sub(self.database.since_last_sweep().await?);
        if !left.is_zero() {
            return Ok(Next::Within(left));
        }
        let report = match self.run().await {
            Ok(report) => report,
            Err(SweepError::Another) => return Ok(Next::AtInterval),
            // A store that is away is told by those who purge: the next sweep needn't hurry.
            Err(error @ (SweepError::Vespa(_) | SweepError::Arf(_))) => {
                tracing::warn!(%error, "the sweep for orphans didn't go through; it begins anew");
                return Ok(Next::AtInterval);
            }
            Err(error @ SweepError::Database(_)) => return Err(error),
        };
        self.conclude(report, policy, found).await?;
        Ok(Next::AtInterval)
    }

    async fn conclude(&self, report: Report, policy: SweepPolicy, found: &Bell) -> Result<(), SweepError> {
        let counts = self.database.orphan_counts(policy.min_age).await?;
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
                purged = self.database.purge_orphans(policy.min_age).await?;
                figures::orphans_purged(purged);
                tracing::info!(purged, "orphans are to be purged");
            }
        }
        if reopened + purged > 0 {
            found.ring();
        }
        Ok(())
    }
}
