//! The gateway as a process, asked over HTTP. Needs `DATABASE_URL`: run with `local-stack exec -- cargo test`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests panic")]

mod api_keys;
mod auth;
mod authentications;
mod browsers;
mod cleanups;
mod collections;
mod connections;
mod contract;
mod deletion;
mod events;
mod forms;
mod front;
mod gateway;
mod https;
mod isolation;
mod jobs;
mod openapi;
mod operations;
mod preview;
mod rate_limits;
mod receipt_exports;
mod receipts;
mod retrieval;
mod round_trips;
mod schedules;
mod search;
mod slow_clients;
mod sources;
