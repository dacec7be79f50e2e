//! What the stages of a job share, and how its source is read.

use std::sync::Arc;

use serde_json::{Map, Value};
use shared_database::jobs::ClaimedJob;
use shared_models::EntityKeys;
use shared_stores::arf::BlobForm;
use shared_stores::embedder::{Embedder, Patience};

use super::counts::Counts;
use super::refused::Refused;
use super::writer::Writer;
use crate::sources::{Source, SourceAccess};

/// What all stages of one job share.
pub struct Run {
    /// The job.
    pub job: Arc<ClaimedJob>,
    /// The one place from which the job writes.
    pub writer: Writer,
    /// What it has done so far.
    pub counts: Arc<Counts>,
    /// What stores refused of it, by name.
    pub refused: Refused,
    /// Largest raw file that is kept as a blob, bytes.
    pub max_blob_bytes: u64,
    /// How chunks are embedded, if there is an embedder.
    pub embedding: Option<Embedding>,
    /// Names its entities.
    pub entity_keys: EntityKeys,
    /// How its blobs are written.
    pub blob_form: Arc<BlobForm>,
    /// Whether the sync has entities under names of a version before blob keys.
    pub has_older_names: bool,
}

/// How the source is read.
pub struct Reading {
    /// The source.
    pub source: Source,
    /// Config, as the catalogue validated it.
    pub config: Map<String, Value>,
    /// Credentials, likewise.
    pub credentials: Map<String, Value>,
    /// What the operator allows.
    pub access: SourceAccess,
    /// Where an earlier job came to an end; `None` reads everything.
    pub cursor: Option<Value>,
}

/// How chunks are embedded.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// By what.
    pub embedder: Embedder,
    /// How long it is asked.
    pub patience: Patience,
}
