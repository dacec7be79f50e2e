//! The vocabulary that every part of Unweave shares: ids, states and their transitions, messages, schedules, plans,
//! receipts, invariants, wire types.
//!
//! Nothing here does I/O. A word that appears in SQL, in a queue, in a metric or on the wire has its one spelling here.

pub mod api_key;
mod blob_key;
mod cleanup;
mod deletion_reference;
pub mod document;
pub mod history;
mod ids;
pub mod invariant;
pub mod job;
pub mod ledger;
pub mod message;
mod plan;
mod purge_key;
pub mod receipt;
pub mod schedule;
mod text_enum;
mod times;
pub mod wire;

pub use blob_key::{BlobEncryption, BlobKey, EntityKeys, derived_key};
pub use cleanup::{
    CleanupState, CleanupStats, CleanupStatus, CleanupWork, PurgeTarget, Round, Shredding, Standing, StandingFacts,
    TargetProgress, TargetsProgress, Verification, VerifiedEmpty, WaitingFor, WriterEnd,
};
pub use deletion_reference::{DeletionReference, LONGEST_REFERENCE, NoReference};
pub use document::{DocumentId, DocumentType, EntityKey};
pub use ids::*;
pub use invariant::{Facts, Invariant, Violation};
pub use job::{JobStatus, StatusFacts};
pub use message::{Envelope, Message};
pub use plan::Plan;
pub use purge_key::{PrefixRange, SlotRange, purge_key};
pub use times::{ProtocolTimes, TimesDontFit};
