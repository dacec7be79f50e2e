//! How a source fails. Texts are shown to the connection's owner and never hold a secret.

use shared_models::job::ErrorCategory;

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
    /// A short stable name for logs: the texts name repositories, tables and files.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "source_unreachable",
            Self::Refused { .. } => "source_refused",
            Self::Misconfigured(_) => "source_misconfigured",
            Self::Failed(_) => "source_failed",
            Self::Stopped => "source_stopped",
        }
    }

    /// What the owner of the credentials must mend, if anything.
    #[must_use]
    pub const fn category(&self) -> Option<ErrorCategory> {
        match self {
            Self::Refused { category, .. } => Some(*category),
            Self::Unreachable(_) | Self::Misconfigured(_) | Self::Failed(_) | Self::Stopped => None,
        }
    }
}
