//! The cleanup-worker on a real PostgreSQL, a real RabbitMQ and the Vespa stand-in, one set of them per test.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on panics"
)]

mod buckets;
mod checkpoints;
mod claims;
mod claims_ends;
mod cost;
mod failing;
mod faults;
mod ledger;
mod limits;
mod lost_history;
mod other_store;
mod panics;
mod pauses;
mod purge;
mod recovery;
mod runtime;
mod settings;
mod steps;
mod support;
mod sweep;
mod unfinished;
