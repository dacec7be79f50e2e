//! Metrics: one recorder per process, rendered as Prometheus text by the admin endpoint.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

use crate::error::ServiceError;

/// Upper bounds of histogram buckets, in seconds: from a local query to a purge of millions.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 300.0, 3600.0];

/// What renders this process's metrics. Cheap to clone.
#[derive(Clone)]
pub(crate) struct MetricsHandle {
    recorded: PrometheusHandle,
    /// `process_*`: processor time, memory, open files, as every Prometheus client shows them.
    process: Collector,
}

impl std::fmt::Debug for MetricsHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MetricsHandle")
    }
}

impl MetricsHandle {
    /// Everything recorded so far, as Prometheus text.
    pub(crate) fn render(&self) -> String {
        self.process.collect();
        self.recorded.run_upkeep();
        self.recorded.render()
    }
}

/// Installs the recorder. Histograms are in seconds. Call it once, before anything is recorded.
///
/// # Errors
/// [`ServiceError::Metrics`] if there is a recorder already.
pub(crate) fn install() -> Result<MetricsHandle, ServiceError> {
    let recorder = PrometheusBuilder::new().set_buckets(SECONDS)?.build_recorder();
    let recorded = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(metrics_exporter_prometheus::BuildError::from)?;
    describe(SHARED);
    let process = Collector::default();
    process.describe();
    Ok(MetricsHandle { recorded, process })
}

/// The commit that was built, if whoever built it said so: a source archive doesn't know it.
const REVISION: &str = match option_env!("UNWEAVE_REVISION") {
    Some(revision) => revision,
    None => "",
};

/// Shows which build of which service this is.
pub(crate) fn show_build(service: &'static str) {
    let version = env!("CARGO_PKG_VERSION");
    let labels = [("service", service), ("version", version), ("revision", REVISION)];
    metrics::gauge!("unweave_build_info", &labels[..]).set(1.0);
}

/// A count of rows as a gauge: they stay far below what it holds exactly.
#[must_use]
pub fn count(rows: u64) -> f64 {
    u32::try_from(rows).map_or(f64::INFINITY, f64::from)
}

/// The one recorder of a test's process.
#[cfg(test)]
pub(crate) fn for_tests() -> MetricsHandle {
    static HANDLE: std::sync::OnceLock<MetricsHandle> = std::sync::OnceLock::new();
    HANDLE.get_or_init(|| install().unwrap()).clone()
}

/// What kind of metric a description is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; named `…_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution, in seconds; named `…_seconds`.
    Histogram,
}

/// A metric's kind, name and one line of help.
pub type Description = (Kind, &'static str, &'static str);

/// Gives metrics their help text.
pub(crate) fn describe(descriptions: &[Description]) {
    for (kind, name, help) in descriptions {
        match kind {
            Kind::Counter => metrics::describe_counter!(*name, *help),
            Kind::Gauge => metrics::describe_gauge!(*name, *help),
            Kind::Histogram => metrics::describe_histogram!(*name, *help),
        }
    }
}

const SHARED: &[Description] = &[
    (Kind::Gauge, "unweave_build_info", "Always 1; the labels say which build of which service this is"),
    (Kind::Counter, "unweave_messages_published_total", "Messages that the broker has confirmed, by type"),
    (Kind::Counter, "unweave_publish_failures_total", "Messages that aren't known to be published, by reason"),
    (Kind::Counter, "unweave_messages_consumed_total", "Messages handled, by queue and outcome"),
    (Kind::Counter, "unweave_broker_reconnects_total", "Connections to the broker that were rebuilt, by their use"),
    (Kind::Counter, "unweave_driver_runs_total", "Runs of periodic tasks, by task and outcome"),
    (
        Kind::Gauge,
        "unweave_driver_last_run_timestamp_seconds",
        "End of the last run of a periodic task, or its start before the first, since 1970",
    ),
    (Kind::Histogram, "unweave_driver_duration_seconds", "Time that a run of a periodic task takes"),
    (Kind::Counter, "unweave_task_panics_total", "Tasks that panicked, by name"),
];
