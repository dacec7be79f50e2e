//! What every service needs once: its start and its end, settings, telemetry, metrics, health endpoint, invariants,
//! tasks, periodic work, back-off, clock.
//!
//! Nothing here knows a table, a queue or a store.

pub mod admin;
mod backoff;
pub mod cleanup_figures;
pub mod clock;
mod connection_check;
mod error;
pub mod invariants;
pub mod metrics;
pub mod periodic;
mod runtime;
mod service;
pub mod settings;
pub mod tasks;
mod telemetry;

pub use backoff::Backoff;
pub use clock::BootClock;
pub use connection_check::ConnectionCheck;
pub use error::ServiceError;
pub use periodic::{Bell, Driver, Periodic};
pub use runtime::run;
pub use service::{About, Service, operation, serve};
pub use tasks::Tasks;

/// Makes ring the TLS provider of this process. Call it first in `main`; calling it again changes nothing.
pub fn install_tls_provider() {
    // An error means that a provider is installed already: this one, since the workspace builds no other.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
}
