//! Harness of the whole-system tests and benches: our services as processes, each test with its own database, virtual
//! host, stand-in and ARF folder.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test harness panics")]

pub mod api;
mod checker;
pub mod copies;
pub mod corpus;
pub mod counted;
mod facts;
mod ledger_keys;
mod postgres;
pub mod process;
pub mod script;
mod system;
pub mod vespa_cli;
pub mod wide;

pub use api::{Answer, Api};
pub use checker::Checker;
pub use facts::Holdings;
pub use postgres::postgres_program;
pub use system::{Gateway, System, Worker, fast_times, metric, metrics, verified, write_file};
