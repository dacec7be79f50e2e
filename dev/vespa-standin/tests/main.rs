//! The stand-in over HTTP: each test has a server of its own, on a free port, with a folder of its own.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "the whole crate is tests, their helpers included: a failing one shall stop where it fails"
)]

mod chunks;
mod documents;
mod durability;
mod faults;
mod filter_model;
mod filters;
mod limits;
mod parsers;
mod protocols;
mod purge_keys;
mod queries;
mod schema;
mod selections;
mod semantic;
mod support;
mod vectors;
mod vespa_cli;
mod visits;
