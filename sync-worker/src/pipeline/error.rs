//! How a job can end before its end.

use shared_database::DatabaseError;
use shared_database::jobs::JobOutcome;
use shared_stores::{ArfError, EmbedderError, VespaError};

use crate::lease::Stop;
use crate::sources::SourceError;

/// Longest text of an error that is kept, bytes: parts of it are other people's.
const MAX_ERROR_BYTES: usize = 2_000;

fn bounded(mut text: String) -> String {
    if text.len() > MAX_ERROR_BYTES {
        text.truncate(text.floor_char_boundary(MAX_ERROR_BYTES));
        text.push('…');
    }
    text
}

/// Why a job ended early.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// It was stopped.
    #[error(transparent)]
    Stopped(#[from] Stop),
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The source crashed.
    #[error("reading the source crashed")]
    SourceCrashed,
    /// This installation doesn't offer the source.
    #[error("source '{0}' is not enabled")]
    SourceDisabled(String),
    /// Vespa doesn't take writes.
    #[error("write to Vespa: {0}")]
    Vespa(#[source] VespaError),
    /// The embedder makes no vectors.
    #[error("embed chunks: {0}")]
    Embedder(#[source] EmbedderError),
    /// The ARF store doesn't take writes.
    #[error("write to the ARF store: {0}")]
    Arf(#[source] ArfError),
    /// Not one entity after the other, but all of them are refused.
    #[error("{count} entities in a row were refused, the last one: {last}")]
    Refused {
        /// How many.
        count: u32,
        /// Why the last one was.
        last: String,
    },
    /// A statement can't succeed.
    #[error("use PostgreSQL: {0}")]
    Database(#[source] DatabaseError),
    /// The key ring can't decrypt what the job needs: its keys were lost or are another installation's.
    #[error(transparent)]
    Secret(DatabaseError),
    /// Another write of the job failed; its error is the one that counts.
    #[error("another write of the job failed")]
    GivenUp,
    /// Preparing entities crashed.
    #[error("preparing entities crashed")]
    PrepareCrashed,
}

impl From<DatabaseError> for JobError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Undecryptable { .. } => Self::Secret(error),
            error => Self::Database(error),
        }
    }
}

impl JobError {
    /// Whether somebody wanted the job to end: nothing is wrong.
    #[must_use]
    pub const fn is_asked_for(&self) -> bool {
        matches!(
            self,
            Self::Stopped(Stop::Cancelled | Stop::Refused | Stop::Shutdown) | Self::Source(SourceError::Stopped)
        )
    }

    /// A short stable name for logs: the texts may name what only the connection's owner may see.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Stopped(stop) => stop.code(),
            Self::Source(error) => error.code(),
            Self::SourceCrashed => "source_crashed",
            Self::SourceDisabled(_) => "source_disabled",
            Self::Vespa(error) => error.code(),
            Self::Embedder(error) => error.code(),
            Self::Arf(error) => error.code(),
            Self::Refused { .. } => "entities_refused",
            Self::Database(_) => "database",
            Self::Secret(_) => "undecryptable",
            Self::GivenUp => "given_up",
            Self::PrepareCrashed => "prepare_crashed",
        }
    }

    /// The reason that a store of ours gave, for logs: it says nothing of an entity.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Vespa(VespaError::Rejected { .. }) => None,
            Self::Vespa(error) => Some(error.to_string()),
            Self::Embedder(error) => Some(error.to_string()),
            Self::Arf(error) => Some(error.to_string()),
            Self::Database(error) | Self::Secret(error) => Some(error.to_string()),
            Self::Stopped(_)
            | Self::Source(_)
            | Self::SourceCrashed
            | Self::SourceDisabled(_)
            | Self::Refused { .. }
            | Self::GivenUp
            | Self::PrepareCrashed => None,
        }
    }

    /// What the job's row says, if its lease says `stop`. Texts are shown to the connection's owner.
    #[must_use]
    pub fn outcome(&self, stop: Stop) -> JobOutcome {
        let category = match self {
            Self::Stopped(_) | Self::Source(SourceError::Stopped) => {
                return if stop == Stop::Shutdown { JobOutcome::Interrupted } else { JobOutcome::Cancelled };
            }
            Self::Source(error) => error.category(),
            Self::SourceCrashed
            | Self::SourceDisabled(_)
            | Self::Vespa(_)
            | Self::Embedder(_)
            | Self::Arf(_)
            | Self::Refused { .. }
            | Self::Database(_)
            | Self::Secret(_)
            | Self::GivenUp
            | Self::PrepareCrashed => None,
        };
        JobOutcome::Failed { error: bounded(self.to_string()), category }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_of_others_are_cut() {
        let cut = |text: String| match JobError::Source(SourceError::Failed(text)).outcome(Stop::Over) {
            JobOutcome::Failed { error, .. } => error,
            other => panic!("{other:?}"),
        };
        assert!(cut("short".to_owned()).ends_with("short"));
        let error = cut("é".repeat(1_000_000));
        assert!(error.ends_with("é…") && error.len() <= MAX_ERROR_BYTES + '…'.len_utf8(), "{}", error.len());
    }
}
