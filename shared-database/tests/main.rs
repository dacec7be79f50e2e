//! The transactions that the protocol rests on, on a real PostgreSQL. Names say the property; DEL-n the invariant.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests panic, and their tasks end with them")]

mod audit;
mod behind_the_lock;
mod blob_keys;
mod clock;
mod cursors;
mod deadlines;
mod deletion;
mod fixture;
mod hours;
mod interrupted;
mod jobs;
mod kept_counts;
mod languages;
mod ledger;
mod migrations;
mod moves;
mod outbox;
mod rate_limits;
mod rewrap;
mod rows_read;
mod schedule_races;
mod schedules;
mod search;
mod secrets;
mod sessions;
mod standing;
mod statements;
