//! The worker's metrics, by the names that dashboards and alarms use.

use std::time::Duration;

use shared_models::PurgeTarget;
use shared_service::metrics::{Description, Kind};

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
    (Kind::Histogram, "unweave_cleanup_duration_seconds", "Time from the end of the rows to the first receipt"),
];

/// Makes the counters that alarms watch exist before their first event.
pub fn start_at_zero() {
    metrics::counter!("unweave_cleanup_refused_total").increment(0);
    drop(metrics::histogram!("unweave_cleanup_duration_seconds"));
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
