//! The gauges of cleanups, which every gateway and every cleanup-worker shows alike: take the maximum, not the sum.

use metrics::gauge;
use shared_models::CleanupStats;

use crate::metrics::{Description, Kind, count};

/// What they mean.
pub const DESCRIPTIONS: &[Description] = &[
    (Kind::Gauge, "unweave_cleanups", "Cleanups, by the state that they have reached"),
    (Kind::Gauge, "unweave_cleanups_by_status", "Cleanups by how they stand, and what they wait for"),
    (Kind::Gauge, "unweave_cleanup_oldest_open_age_seconds", "Age of the oldest open cleanup; 0 if none is open"),
    (
        Kind::Gauge,
        "unweave_cleanup_oldest_failing_age_seconds",
        "Time since attempts began to fail, of the cleanup that has been failing the longest; 0 if none is failing",
    ),
    (Kind::Gauge, "unweave_cleanups_overdue", "Open cleanups that are older than CLEANUP_DEADLINE"),
];

/// Shows these numbers.
pub fn show(stats: &CleanupStats) {
    for (state, cleanups) in &stats.by_state {
        gauge!("unweave_cleanups", "state" => state.as_str()).set(count(*cleanups));
    }
    for (standing, cleanups) in &stats.by_standing {
        let (name, status) = ("unweave_cleanups_by_status", standing.status().as_str());
        let gauge = match standing.waiting_for() {
            Some(what) => gauge!(name, "status" => status, "waiting_for" => what.as_str()),
            None => gauge!(name, "status" => status),
        };
        gauge.set(count(*cleanups));
    }
    gauge!("unweave_cleanup_oldest_open_age_seconds").set(stats.oldest_open_age_seconds);
    gauge!("unweave_cleanup_oldest_failing_age_seconds").set(stats.oldest_failing_age_seconds);
    gauge!("unweave_cleanups_overdue").set(count(stats.overdue));
}
