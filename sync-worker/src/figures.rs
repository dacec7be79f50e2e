//! The metrics of this service.

use shared_models::schedule::SkipReason;
use shared_service::metrics::{Description, Kind};

/// What each metric means.
pub const DESCRIPTIONS: &[Description] = &[
    (Kind::Gauge, "unweave_sync_jobs_running", "Jobs that run in this process"),
    (Kind::Counter, "unweave_sync_jobs_total", "Jobs that ended here, by outcome; lost ones were ended by the reaper"),
    (Kind::Counter, "unweave_entities_total", "Entities by what became of them"),
    (Kind::Counter, "unweave_files_without_blob_total", "Raw files that were too large to be kept"),
    (Kind::Counter, "unweave_texts_cut_total", "Texts of which only the first MiB is searched, by source"),
    (Kind::Counter, "unweave_chunks_without_vector_total", "Chunks that the embedder made no vector of"),
    (Kind::Gauge, "unweave_writes_open", "Writes whose end is not known yet (DEL-2)"),
    (Kind::Gauge, "unweave_writes_in_flight_limit", "Writes that may be under way; falls while Vespa is overloaded"),
    (Kind::Counter, "unweave_lease_renewals_total", "Renewals of write leases, by outcome"),
    (Kind::Counter, "unweave_late_writes_total", "Jobs with a write that may have ended after its lease (DEL-2)"),
    (Kind::Counter, "unweave_schedules_fired_total", "Jobs that the scheduler of this process has made"),
    (Kind::Counter, "unweave_schedules_skipped_total", "Due schedules that made no job, by reason"),
    (Kind::Histogram, "unweave_schedule_lag_seconds", "From a schedule's due time to its job"),
    (
        Kind::Histogram,
        "unweave_stop_acknowledgement_seconds",
        "From the moment that a job is known to be cancelled to its published acknowledgement",
    ),
];

/// Makes what operators are paged for visible before it happens for the first time.
pub fn start_at_zero() {
    metrics::counter!("unweave_late_writes_total").increment(0);
    metrics::counter!("unweave_schedules_fired_total").increment(0);
    metrics::counter!("unweave_chunks_without_vector_total").increment(0);
    for name in ["unweave_stop_acknowledgement_seconds", "unweave_schedule_lag_seconds"] {
        drop(metrics::histogram!(name));
    }
    shared_sources::start_at_zero();
    for reason in SkipReason::ALL {
        metrics::counter!("unweave_schedules_skipped_total", "reason" => reason.as_str()).increment(0);
    }
}
