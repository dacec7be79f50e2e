//! Tests of the whole system: real services, real PostgreSQL and RabbitMQ, the Vespa stand-in. Names say the property
//! and the invariant (DEL-n) that it belongs to;
//! docs/reliability.md lists the change to our code that makes each one fail.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests panic, and their tasks end with them"
)]

mod bad_input;
mod broker_lost;
mod checker;
mod clients;
mod collections;
mod command;
mod compose;
mod connection_checks;
mod deletion;
mod doctor;
mod exact;
mod found;
mod frozen_worker;
mod gateway_lost;
mod large_answers;
mod meaning;
mod metrics;
mod odd_files;
mod odd_rows;
mod organization_gone;
mod purge_chaos;
mod readme;
mod restored;
mod shredded;
mod traced;
mod watched;
