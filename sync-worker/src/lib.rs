//! Runs sync jobs: reads sources, writes documents to Vespa and raw captures to the ARF store,
//! each under a write lease.
//!
//! Keeps DEL-2. Several workers may run at once; whatever dies,
//! its lease runs out and the reaper of another ends its job.

pub mod cancel;
pub mod connection_checks;
pub mod figures;
pub mod job;
mod late_write;
pub mod lease;
pub mod pipeline;
pub mod reaper;
pub mod scheduler;
pub mod settings;
pub mod sources;
pub mod vespa_application;
pub mod worker;
