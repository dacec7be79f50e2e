//! The harness of everybody's tests: a database and a virtual host for each test, services as processes, waiting on
//! facts, counting what is asked of PostgreSQL.
//!
//! It panics where a test can't go on, and says why.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test harness panics"
)]

mod broker;
mod counting_proxy;
mod database;
mod embedder;
pub mod github;
mod log_events;
mod management;
mod moves;
mod rest;
mod s3;
mod service;
mod standin;
mod tls_front;
mod wait;
mod witness;

pub use broker::{BrokerMessage, TestBroker};
pub use counting_proxy::{Asked, CountingProxy, Prepared, RoundTrip};
pub use database::{KeptDatabase, TestDatabase, connect};
pub use embedder::{TestEmbedder, meaning};
pub use log_events::{Expectations, Fault, LogEvent, log_events};
pub use rest::{Leftover, Rest};
pub use s3::{
    BucketRequests, Conditions, ObjectVersion, S3_KEY_ID, S3_SECRET, TestBucket, TestS3, TestVersionedBucket,
    s3_settings,
};
pub use service::{Service, free_port, service_binary};
pub use standin::{StandIn, copy_folder};
pub use tls_front::TlsFront;
pub use wait::wait_until;

/// An environment variable that the test run must provide.
#[expect(clippy::disallowed_methods, reason = "tests get their servers from the environment, not from settings")]
pub(crate) fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run the tests with `make test` or `local-stack exec -- cargo test`")
    })
}

/// Makes ring the TLS provider, without which no HTTP client can be built.
pub fn install_tls_provider() {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
}

/// Tidies up on a thread of its own, whatever runtime the caller is in: for `Drop`. Best effort.
pub fn finish(work: impl Future<Output = ()> + Send + 'static) {
    let bounded = async {
        let _too_slow = tokio::time::timeout(std::time::Duration::from_secs(10), work).await;
    };
    let _panicked = on_own_runtime(bounded);
}

/// Runs `work` to its end on a thread of its own, whatever runtime the caller is in.
///
/// # Errors
/// It panicked.
pub fn on_own_runtime<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> std::thread::Result<T> {
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work)
    });
    thread.join()
}
