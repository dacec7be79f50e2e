//! What a job has done so far.

use std::sync::atomic::{AtomicI64, Ordering};

use shared_database::jobs::JobCounts;

/// What became of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// New, written.
    Inserted,
    /// Changed, written.
    Updated,
    /// Gone from the source, removed.
    Deleted,
    /// Unchanged.
    Kept,
    /// Could not be read, written or removed.
    Failed,
}

impl Counted {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Inserted => "inserted",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Kept => "kept",
            Self::Failed => "failed",
        }
    }
}

/// Counters that pipeline and progress reports share.
#[derive(Debug, Default)]
pub struct Counts {
    inserted: AtomicI64,
    updated: AtomicI64,
    deleted: AtomicI64,
    kept: AtomicI64,
    failed: AtomicI64,
}

impl Counts {
    /// Adds `entities` of one kind.
    pub fn add(&self, what: Counted, entities: i64) {
        let counter = match what {
            Counted::Inserted => &self.inserted,
            Counted::Updated => &self.updated,
            Counted::Deleted => &self.deleted,
            Counted::Kept => &self.kept,
            Counted::Failed => &self.failed,
        };
        counter.fetch_add(entities, Ordering::Relaxed);
        metrics::counter!("unweave_entities_total", "outcome" => what.as_str())
            .increment(u64::try_from(entities).unwrap_or_default());
    }

    /// Whether the source had nothing, not even what couldn't be read.
    #[must_use]
    pub fn has_found_nothing(&self) -> bool {
        let JobCounts { inserted, updated, deleted: _, kept, failed } = self.now();
        [inserted, updated, kept, failed] == [0; 4]
    }

    /// The counts now.
    #[must_use]
    pub fn now(&self) -> JobCounts {
        JobCounts {
            inserted: self.inserted.load(Ordering::Relaxed),
            updated: self.updated.load(Ordering::Relaxed),
            deleted: self.deleted.load(Ordering::Relaxed),
            kept: self.kept.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

/// A number of entities, as it is counted.
#[must_use]
pub fn count(entities: usize) -> i64 {
    i64::try_from(entities).unwrap_or(i64::MAX)
}
