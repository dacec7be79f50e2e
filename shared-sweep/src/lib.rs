//! The sweep for orphans: what Vespa and the ARF store hold is held against what PostgreSQL knows.
//!
//! A store's page is listed first and PostgreSQL asked then, so that a sync that was made meanwhile has its row. An id
//! with a tombstone and no live row is always purged again, without switch or limit: the tombstone is the proof. One
//! without either, another system's or of lost history, is noted and told; purging those is for whoever asks for it,
//! and [`verdict()`] says what speaks against it. Neither store is ever listed whole into memory. A sweep that dies is
//! begun anew.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use shared_database::orphans::Sorted;
use shared_database::{Database, DatabaseError};
use shared_models::{PurgeTarget, SweepOwner, SyncId};
use shared_stores::vespa::CensusPlace;
use shared_stores::{ArfError, ArfStore, VespaClient, VespaError};

mod verdict;

pub use verdict::{Objection, Verdict, objection, verdict};

/// The lease is renewed with each page.
const LEASE: Duration = Duration::from_mins(5);
/// A page of a census; the last one is of all documents without a purge key.
const PAGE_TIMEOUT: Duration = Duration::from_mins(1);

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
        self.run_telling(|_| ()).await
    }

    /// The same, and tells what was found so far after each page.
    ///
    /// # Errors
    /// [`SweepError`].
    pub async fn run_telling(&self, tell: impl Fn(&Report)) -> Result<Report, SweepError> {
        let owner = SweepOwner::random();
        let began = self.database.hold_sweep(owner, LEASE).await?.ok_or(SweepError::Another)?;
        let swept = self.through(owner, began, tell).await;
        match &swept {
            Ok(_) => self.database.complete_sweep(owner, began).await?,
            Err(_) => self.database.drop_sweep(owner).await?,
        }
        swept
    }

    async fn through(
        &self,
        owner: SweepOwner,
        began: DateTime<Utc>,
        tell: impl Fn(&Report),
    ) -> Result<Report, SweepError> {
        let mut report = Report::default();
        let mut place = Some(CensusPlace::default());
        while let Some(at) = place {
            let page = self.vespa.census_page(at, PAGE_TIMEOUT).await?;
            let syncs: Vec<(SyncId, u64)> = page.syncs.into_iter().collect();
            let sorted = self.sort(owner, PurgeTarget::Vespa, &syncs, began).await?;
            report.add(sorted, page.unreadable);
            report.is_cut |= page.is_cut;
            tell(&report);
            place = page.next;
        }
        let mut census = self.arf.census();
        while let Some(page) = census.try_next().await? {
            let syncs: Vec<(SyncId, u64)> = page.syncs.into_iter().map(|sync| (sync, 0)).collect();
            let sorted = self.sort(owner, PurgeTarget::Arf, &syncs, began).await?;
            report.add(sorted, page.unreadable);
            tell(&report);
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
