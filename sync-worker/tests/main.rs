//! The sync-worker as a process, with real PostgreSQL, RabbitMQ and the Vespa stand-in. Every test waits on facts.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that can't go on panics")]

mod crashes;
mod embedding;
mod encryption;
mod github;
mod job;
mod kept_counts;
mod messages;
mod older_names;
mod refused;
mod s3;
mod schedules;
mod sealed;
mod sources;
mod stage;
mod stops;
mod syncs;
