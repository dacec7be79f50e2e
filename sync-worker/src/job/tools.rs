//! What a process gives to each of its jobs.

use std::sync::Arc;

use shared_database::Database;
use shared_database::RowCipher;
use shared_messaging::Publisher;
use shared_models::{BlobEncryption, LeaseOwner, ProtocolTimes};
use shared_service::Tasks;

use crate::lease::Clock;
use crate::pipeline::{Embedding, Stores};
use crate::sources::SourceAccess;

/// What every job of this process is run with.
pub struct JobTools {
    /// Whose leases these are, and how they are kept.
    pub holder: LeaseHolder,
    /// How sources are read.
    pub reading: ReadingTools,
    /// For entities, which may wait for each other.
    pub database: Database,
    /// Vespa and ARF.
    pub stores: Stores,
    /// Whether blobs are encrypted.
    pub blob_encryption: BlobEncryption,
    /// How chunks are embedded, if there is an embedder.
    pub embedding: Option<Embedding>,
    /// Announces ends.
    pub publisher: Publisher,
    /// Tasks of this process.
    pub tasks: Tasks,
}

/// Who holds the leases of this process, and what they are kept with.
pub struct LeaseHolder {
    /// New with every process start.
    pub owner: LeaseOwner,
    /// The protocol's times.
    pub times: ProtocolTimes,
    /// The clock of leases.
    pub clock: Arc<dyn Clock>,
    /// For leases and ends of jobs, which must not wait for entities.
    pub control: Database,
}

/// What sources are given, and which of them may run.
pub struct ReadingTools {
    /// Decrypts credentials.
    pub cipher: RowCipher,
    /// What the operator allows sources to reach.
    pub access: SourceAccess,
    /// Whether sources for tests may run.
    pub has_internal_sources: bool,
}
