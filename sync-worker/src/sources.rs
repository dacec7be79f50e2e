//! Sources: what they yield and how they fail. One file per source.
//!
//! A source reads and nothing else: it never writes to a store, knows no sync id and can be dropped at any await.
//! It ends promptly with [`SourceError::Stopped`] once nobody takes its entities.
//!
//! What a source didn't see is taken for gone, so a source says what it saw: [`Seen`]. A source that can read only what
//! changed gets the cursor that it gave at the end of an earlier run; a cursor is kept only if that job completed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use shared_models::DocumentType;
use shared_models::job::ErrorCategory;
use tokio::sync::mpsc;
use tokio::time::Instant;

mod breadcrumbs;
mod cut;
mod exception_stub;
mod files;
mod github;
mod incremental_stub;
mod memory;
mod postgresql;
mod reasons;
mod seen;
mod stub;
#[cfg(test)]
mod tests;
mod text;
mod timed;
mod url;

pub(crate) use cut::LongTexts;
pub use github::{GithubApis, GithubLimits};
pub use postgresql::AllowedHosts;
pub use seen::{Seen, Unread};
pub(crate) use text::fields_bytes;

/// One thing that a source yields; becomes an entity row, documents and blobs.
#[derive(Debug, Clone)]
pub struct SourceEntity {
    /// Entity class, e.g. `FileEntity`.
    pub class: &'static str,
    /// Id, unique within its class in this source.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// The type its documents get.
    pub document_type: DocumentType,
    /// The text to search in; split into chunks later.
    pub text: String,
    /// The source's own fields, as shown to clients; part of the content hash.
    pub fields: Map<String, Value>,
    /// From the outermost container inwards.
    pub breadcrumbs: Vec<Breadcrumb>,
    /// When the source says it was created.
    pub created_at: Option<DateTime<Utc>>,
    /// When the source says it was changed.
    pub updated_at: Option<DateTime<Utc>>,
    /// Where people see it.
    pub web_url: String,
    /// The raw file, if it has one and it isn't too large.
    pub file: Option<RawFile>,
}

/// A container that an entity is in.
#[derive(Debug, Clone)]
pub struct Breadcrumb {
    /// The container's entity id.
    pub entity_id: String,
    /// Its name.
    pub name: String,
    /// Its class.
    pub entity_type: &'static str,
}

/// The bytes behind a file entity.
#[derive(Debug, Clone)]
pub struct RawFile {
    /// File name, without folders.
    pub name: String,
    /// Content.
    pub bytes: Bytes,
}

/// What a source says at its end.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadSummary {
    /// Unreadable or unusable items, counted as failed entities.
    pub skipped: i64,
    /// What it saw; decides what is taken for gone.
    pub seen: Seen,
    /// From where the next run may go on; `None` leaves the stored cursor as it is. Shown to clients: no secrets.
    pub cursor: Option<Value>,
}

impl ReadSummary {
    /// Of a source that saw everything that it has, so that what it didn't yield is gone; it has no cursor.
    #[must_use]
    pub const fn everything() -> Self {
        Self { skipped: 0, seen: Seen::Everything, cursor: None }
    }
}

/// Why a source stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The source can't be reached, or broke off.
    #[error("{0}")]
    Unreachable(String),
    /// The source refused the credentials.
    #[error("{message}")]
    Refused {
        /// What it said, without secrets.
        message: String,
        /// What the owner must mend.
        category: ErrorCategory,
    },
    /// Config or credentials name something that isn't there or isn't allowed.
    #[error("{0}")]
    Misconfigured(String),
    /// The source failed by itself.
    #[error("{0}")]
    Failed(String),
    /// Nobody takes entities any more: the job is stopping.
    #[error("stopped")]
    Stopped,
}

impl SourceError {
    /// What the owner of the credentials must mend, if anything.
    #[must_use]
    pub const fn category(&self) -> Option<ErrorCategory> {
        match self {
            Self::Refused { category, .. } => Some(*category),
            Self::Unreachable(_) | Self::Misconfigured(_) | Self::Failed(_) | Self::Stopped => None,
        }
    }
}

/// Where a source puts what it read; waits while the pipeline is full, so memory stays bounded.
#[derive(Debug, Clone)]
pub struct EntitySink(mpsc::Sender<SourceEntity>);

impl EntitySink {
    /// A sink and the end that the pipeline reads.
    #[must_use]
    pub fn new(capacity: usize) -> (Self, mpsc::Receiver<SourceEntity>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(sender), receiver)
    }

    /// Hands an entity on.
    ///
    /// # Errors
    /// [`SourceError::Stopped`] if the job is stopping.
    pub async fn send(&self, entity: SourceEntity) -> Result<(), SourceError> {
        self.0.send(entity).await.map_err(|_| SourceError::Stopped)
    }

    /// Waits until nobody takes entities any more.
    pub async fn closed(&self) {
        self.0.closed().await;
    }

    /// Whether nobody takes entities any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Sleeps, but not longer than somebody takes entities.
    ///
    /// # Errors
    /// [`SourceError::Stopped`] if the job is stopping.
    async fn sleep_until(&self, deadline: Instant) -> Result<(), SourceError> {
        tokio::select! {
            () = self.closed() => Err(SourceError::Stopped),
            () = tokio::time::sleep_until(deadline) => Ok(()),
        }
    }
}

/// What the operator allows sources to reach on this machine.
#[derive(Debug, Clone, Default)]
pub struct SourceLimits {
    /// Names of allowed roots and their folders.
    pub file_roots: BTreeMap<String, PathBuf>,
    /// Largest raw file that is kept as a blob, bytes.
    pub max_blob_bytes: u64,
    /// Servers that the source `postgresql` may connect to.
    pub postgresql_hosts: AllowedHosts,
    /// Which APIs the source `github` may use, and how patiently.
    pub github: GithubLimits,
}

/// Reads the source `short_name` from its beginning to its end into `sink`.
///
/// `config` and `credentials` are as the catalogue validated them. With a `cursor` the source may yield only what came
/// after it, and then says [`Seen::Changes`]; without one it reads everything.
///
/// # Errors
/// [`SourceError`]; what was sent until then stays sent.
pub async fn run(
    short_name: &str,
    config: &Map<String, Value>,
    credentials: &Map<String, Value>,
    limits: &SourceLimits,
    cursor: Option<&Value>,
    sink: EntitySink,
) -> Result<ReadSummary, SourceError> {
    match short_name {
        "exception_stub" => exception_stub::read(&parse_config(config)?, &sink).await,
        "files" => files::read(parse_config(config)?, parse_credentials(credentials)?, limits, &sink).await,
        "github" => github::read(parse_config(config)?, parse_credentials(credentials)?, limits, &sink).await,
        "postgresql" => postgresql::read(parse_config(config)?, parse_credentials(credentials)?, limits, &sink).await,
        "incremental_stub" => incremental_stub::read(&parse_config(config)?, cursor, &sink).await,
        "stub" => stub::read(&parse_config(config)?, limits, &sink).await,
        "timed" => timed::read(&parse_config(config)?, &sink).await,
        unknown => Err(SourceError::Misconfigured(format!("source '{unknown}' is unknown"))),
    }
}

fn parse_config<'a, T: Deserialize<'a>>(fields: &'a Map<String, Value>) -> Result<T, SourceError> {
    T::deserialize(fields).map_err(|error| SourceError::Misconfigured(format!("config is not valid: {error}")))
}

fn parse_credentials<'a, T: Deserialize<'a>>(fields: &'a Map<String, Value>) -> Result<T, SourceError> {
    // The parser's own text would quote the value, and with it a secret.
    T::deserialize(fields).map_err(|_| SourceError::Misconfigured("credentials are not valid".to_owned()))
}
