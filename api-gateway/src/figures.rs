//! Figures read from PostgreSQL when metrics are asked for. Every gateway shows the same: take the maximum,
//! not the sum.

use shared_database::{Database, DatabaseError};
use shared_service::metrics::{Description, Kind};

/// Help texts of the gateway's own metrics.
pub const DESCRIPTIONS: &[Description] = &[
    (Kind::Counter, "unweave_http_requests_total", "Requests answered, by method, route and status"),
    (Kind::Histogram, "unweave_http_request_seconds", "Time to answer a request, by method and route"),
    (Kind::Counter, "unweave_tls_certificates_total", "Changed certificates that were taken or refused"),
    (
        Kind::Counter,
        "unweave_search_fallbacks_total",
        "Hybrid searches that were answered by keywords alone, because there were no hits by meaning",
    ),
    (Kind::Counter, "unweave_requests_refused_by_rate_limit_total", "Requests refused by the rate limit"),
    (Kind::Gauge, "unweave_cleanups", "Cleanups, by state"),
    (Kind::Gauge, "unweave_cleanup_oldest_open_age_seconds", "Age of the oldest open cleanup; 0 if none is open"),
    (
        Kind::Gauge,
        "cleanup_oldest_pending_age_seconds",
        "Age of the oldest open cleanup, as unweave_cleanup_oldest_open_age_seconds",
    ),
    (
        Kind::Gauge,
        "unweave_schedule_overdue_seconds",
        "How long the oldest due schedule has been waiting for a sync-worker; 0 if none is due",
    ),
    (Kind::Gauge, "unweave_outbox_messages", "Messages in the outbox that aren't published yet"),
    (
        Kind::Gauge,
        "unweave_outbox_oldest_age_seconds",
        "Age of the oldest message in the outbox that isn't published yet; 0 if there is none",
    ),
];

/// Makes the counters that alarms watch exist before their first event.
pub fn start_at_zero() {
    metrics::counter!("unweave_search_fallbacks_total").increment(0);
    for outcome in ["taken", "refused"] {
        metrics::counter!("unweave_tls_certificates_total", "outcome" => outcome).increment(0);
    }
}

/// Reads the figures and sets their gauges; what can't be read stays as it was.
pub async fn collect(database: Database) {
    if let Err(error) = read(&database).await {
        tracing::warn!(%error, "figures for metrics could not be read");
    }
}

async fn read(database: &Database) -> Result<(), DatabaseError> {
    let stats = database.cleanup_stats().await?;
    for (state, cleanups) in stats.by_state {
        metrics::gauge!("unweave_cleanups", "state" => state.as_str()).set(gauge(cleanups));
    }
    metrics::gauge!("unweave_cleanup_oldest_open_age_seconds").set(stats.oldest_open_age_seconds);
    metrics::gauge!("cleanup_oldest_pending_age_seconds").set(stats.oldest_open_age_seconds);
    let overdue = database.schedule_outlook().await?.overdue;
    metrics::gauge!("unweave_schedule_overdue_seconds").set(overdue.as_secs_f64());
    let backlog = database.outbox_backlog().await?;
    metrics::gauge!("unweave_outbox_messages").set(gauge(u64::try_from(backlog.messages).unwrap_or_default()));
    metrics::gauge!("unweave_outbox_oldest_age_seconds").set(backlog.oldest_age_seconds);
    Ok(())
}

/// Counts of rows stay far below what a gauge holds exactly.
fn gauge(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
