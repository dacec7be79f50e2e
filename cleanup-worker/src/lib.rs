//! Purges of deleted syncs: claim, guard, purge in slices, verify, settle, verify again, receipt.
//!
//! `machine` decides and does no I/O, `targets` do I/O and decide nothing, `work` puts the two together under a claim.
//! `looks` asks the stores about many cleanups at once, `slots` has each that holds something purged, `orphan_sweep`
//! looks for what no cleanup knows of. Keeps DEL-4 to DEL-7; each module says which and how.

pub mod bell;
pub mod connection_checks;
pub mod end;
pub mod figures;
pub mod heartbeat;
pub mod ledger;
pub mod looks;
pub mod machine;
pub mod orphan_sweep;
mod pace;
pub mod policy;
pub mod receipt;
pub mod schedule;
pub mod settings;
pub mod slots;
pub mod targets;
pub mod work;
