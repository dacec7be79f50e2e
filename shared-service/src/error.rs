//! What can keep a service from starting.

/// A failure of the parts that every service shares.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Telemetry can't be set up.
    #[error("LOG_LEVEL {0:?} is not a filter such as `info` or `info,sync_worker=debug`")]
    LogLevel(String),
    /// A second subscriber.
    #[error("install telemetry: {0}")]
    Telemetry(#[from] tracing_subscriber::util::TryInitError),
    /// A second recorder, or buckets that can't be.
    #[error("install the metrics recorder: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// The admin address can't be listened on.
    #[error("listen on ADMIN_LISTEN {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The signals can't be listened for.
    #[error("listen for signals: {0}")]
    Signals(std::io::Error),
    /// The drain ended before the tasks.
    #[error("tasks were still running {0:?} after the shutdown began")]
    StillRunning(std::time::Duration),
    /// The runtime can't be built.
    #[error("start the runtime: {0}")]
    Runtime(std::io::Error),
}
