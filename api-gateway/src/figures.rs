//! Figures read from PostgreSQL when metrics are asked for. Every gateway shows the same: take the maximum,
//! not the sum.

use shared_database::{Database, DatabaseError};
use shared_service::cleanup_figures;
use shared_service::metrics::{Description, Kind, count};

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
    (Kind::Counter, "unweave_deletions_total", "Deletions that were answered, or finished for nobody, by result"),
    (Kind::Histogram, "unweave_deletion_seconds", "Time to answer a deletion, by result"),
    (Kind::Histogram, "unweave_deletion_wait_seconds", "Time from D1 to the last writer's stop, where there was one"),
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
    cleanup_figures::show(&stats);
    let overdue = database.schedule_outlook().await?.overdue;
    metrics::gauge!("unweave_schedule_overdue_seconds").set(overdue.as_secs_f64());
    let backlog = database.outbox_backlog().await?;
    metrics::gauge!("unweave_outbox_messages").set(count(u64::try_from(backlog.messages).unwrap_or_default()));
    metrics::gauge!("unweave_outbox_oldest_age_seconds").set(backlog.oldest_age_seconds);
    Ok(())
}
