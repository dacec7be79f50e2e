//! The worker's metrics, by the names that dashboards and alarms use.

use std::time::Duration;

use shared_database::ledger::Pending;
use shared_database::orphans::{OrphanCounts, Sorted};
use shared_models::PurgeTarget;
use shared_service::clock;
use shared_service::metrics::{Description, Kind, count};

use crate::end::End;

/// What each metric means.
pub const DESCRIPTIONS: &[Description] = &[
    (Kind::Counter, "unweave_cleanup_attempts_total", "Claims that were worked on, by how that ended"),
    (Kind::Counter, "unweave_purged_total", "Removals that a store acknowledged, by target"),
    (
        Kind::Counter,
        "unweave_cleanup_refused_total",
        "Cleanups refused because their sync is live (DEL-4): look at once",
    ),
    (Kind::Gauge, "unweave_orphans", "Sync ids that the last sweep found and PostgreSQL knows nothing of"),
    (
        Kind::Gauge,
        "unweave_orphans_unreadable",
        "Documents and entries of the ARF store that the last sweep found and whose sync can't be told",
    ),
    (Kind::Counter, "unweave_orphans_purged_total", "Orphans that sweeps had purged"),
    (
        Kind::Counter,
        "unweave_orphans_refused_total",
        "Orphans that sweeps didn't purge because somebody must look first",
    ),
    (
        Kind::Counter,
        "unweave_sweep_reopened_total",
        "Cleanups that were done and opened again, because a sweep found something of theirs",
    ),
    (Kind::Gauge, "unweave_sweep_completed_timestamp_seconds", "When the last sweep of this worker ended; 0 before it"),
    (Kind::Gauge, "unweave_ledger_size", "Entries of the ledger that have their place, as this worker last saw it"),
    (Kind::Gauge, "unweave_ledger_published_size", "Entries of the ledger that are in the ledger store"),
    (Kind::Gauge, "unweave_ledger_pending", "Entries that wait for their place in the ledger"),
    (
        Kind::Gauge,
        "unweave_ledger_lag_seconds",
        "Age of the oldest entry that isn't in the ledger store; without LEDGER_URL, that has no place",
    ),
    (Kind::Histogram, "unweave_cleanup_duration_seconds", "Time from the end of the rows to the first receipt"),
];

/// Makes the counters that alarms watch exist before their first event.
pub fn start_at_zero() {
    metrics::counter!("unweave_cleanup_refused_total").increment(0);
    drop(metrics::histogram!("unweave_cleanup_duration_seconds"));
    for name in ["unweave_orphans_purged_total", "unweave_orphans_refused_total", "unweave_sweep_reopened_total"] {
        metrics::counter!(name).increment(0);
    }
    for name in ["unweave_ledger_size", "unweave_ledger_published_size", "unweave_ledger_pending"] {
        metrics::gauge!(name).set(0.0);
    }
    metrics::gauge!("unweave_ledger_lag_seconds").set(0.0);
    for name in ["unweave_orphans", "unweave_orphans_unreadable", "unweave_sweep_completed_timestamp_seconds"] {
        metrics::gauge!(name).set(0.0);
    }
    for end in End::ALL {
        metrics::counter!("unweave_cleanup_attempts_total", "outcome" => end.as_str()).increment(0);
    }
    for target in PurgeTarget::ALL {
        purged(*target, 0);
    }
}

/// Work on a claim ended.
pub(crate) fn attempt_ended(end: End) {
    metrics::counter!("unweave_cleanup_attempts_total", "outcome" => end.as_str()).increment(1);
}

/// A slice removed so many.
pub(crate) fn purged(target: PurgeTarget, removed: u64) {
    metrics::counter!("unweave_purged_total", "target" => target.as_str()).increment(removed);
}

/// A live sync was found.
pub(crate) fn refused() {
    metrics::counter!("unweave_cleanup_refused_total").increment(1);
}

/// A cleanup got its first receipt.
pub(crate) fn done_after(time: Duration) {
    metrics::histogram!("unweave_cleanup_duration_seconds").record(time);
}

/// The ledger store has the log up to this size.
pub(crate) fn ledger_published(size: u64) {
    show_size("unweave_ledger_published_size", size);
}

/// How much waits for the ledger.
pub fn ledger_pending(pending: Pending) {
    show_size("unweave_ledger_size", u64::try_from(pending.size).unwrap_or_default());
    show_size("unweave_ledger_pending", u64::try_from(pending.entries).unwrap_or_default());
    metrics::gauge!("unweave_ledger_lag_seconds").set(pending.oldest_seconds);
}

fn show_size(name: &'static str, size: u64) {
    metrics::gauge!(name).set(count(size));
}

/// A sweep went through.
pub(crate) fn swept(sorted: Sorted, counts: OrphanCounts, unreadable: u64) {
    metrics::counter!("unweave_sweep_reopened_total").increment(sorted.reopened);
    metrics::gauge!("unweave_orphans").set(count(counts.orphans));
    metrics::gauge!("unweave_orphans_unreadable").set(count(unreadable));
    let now = u64::try_from(clock::utc_now().timestamp()).unwrap_or_default();
    metrics::gauge!("unweave_sweep_completed_timestamp_seconds").set(count(now));
}

/// Orphans are to be purged.
pub(crate) fn orphans_purged(orphans: u64) {
    metrics::counter!("unweave_orphans_purged_total").increment(orphans);
}

/// Orphans are left for somebody to look at.
pub(crate) fn orphans_refused(orphans: u64) {
    metrics::counter!("unweave_orphans_refused_total").increment(orphans);
}
