//! What every service needs once: settings, telemetry, metrics, health endpoint, tasks and shutdown, clock.
//!
//! Nothing here knows a table, a queue or a store.

pub mod admin;
pub mod clock;
mod error;
pub mod metrics;
pub mod periodic;
mod runtime;
pub mod settings;
pub mod tasks;
pub mod telemetry;

pub use clock::BootClock;
pub use error::ServiceError;
pub use periodic::{periodic, periodic_or_due};
pub use runtime::run;
pub use tasks::Tasks;

/// Makes ring the TLS provider of this process. Call it first in `main`; calling it again changes nothing.
pub fn install_tls_provider() {
    // An error means that a provider is installed already: this one, since the workspace builds no other.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
}
