//! The transactions that the protocol rests on, on a real PostgreSQL. Names say the property; DEL-n the invariant.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests panic, and their tasks end with them")]

mod cursors;
mod deletion;
mod fixture;
mod jobs;
mod languages;
mod kept_counts;
mod migrations;
mod outbox;
mod rate_limits;
mod schedule_races;
mod schedules;
mod search;
mod secrets;
mod statements;
