//! What can go wrong at the database, and whether trying again can help.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

use shared_models::history::LostHistory;

use crate::session::{SqlState, StatedError};

/// Result of a database call.
pub type Result<T, E = DatabaseError> = std::result::Result<T, E>;

/// A database call that failed.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No connection could be had, or it was lost; the outcome of a commit is then unknown.
    #[error("PostgreSQL is unreachable: {0}")]
    Unavailable(String),
    /// A lock or a statement took longer than the session allows.
    #[error("PostgreSQL took too long: {0}")]
    TimedOut(String),
    /// A deadlock or serialization failure: the transaction was rolled back and may be run again.
    #[error("transaction must be run again: {0}")]
    Conflict(String),
    /// A row that is referred to isn't there: for a worker this means stop.
    #[error("referenced row is gone ({constraint})")]
    ForeignKey {
        /// Name of the violated constraint.
        constraint: String,
    },
    /// A row with that key is there already.
    #[error("row exists already ({constraint})")]
    Unique {
        /// Name of the violated constraint or index.
        constraint: String,
    },
    /// A row holds what this version can't read.
    #[error("unreadable row: {0}")]
    Corrupt(String),
    /// Something secret that the key ring can't decrypt.
    #[error("{what} can't be decrypted: {why}")]
    Undecryptable {
        /// What it is.
        what: &'static str,
        /// Why.
        why: &'static str,
    },
    /// PostgreSQL went back in time, or may have (DEL-10): nothing is searched, synced or purged until that is settled.
    #[error("{0}")]
    HistoryLost(LostHistory),
    /// Something may still write for what is to go: nothing was changed.
    #[error("something may still write")]
    MayWrite,
    /// The migrations could not be run.
    #[error("run migrations: {0}")]
    Migration(String),
    /// Anything else: a bug in a statement.
    #[error("database error")]
    Other(#[source] DieselError),
}

impl DatabaseError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::TimedOut(_) | Self::Conflict(_) | Self::HistoryLost(_) | Self::MayWrite => {
                true
            }
            Self::ForeignKey { .. }
            | Self::Unique { .. }
            | Self::Corrupt(_)
            | Self::Undecryptable { .. }
            | Self::Migration(_)
            | Self::Other(_) => false,
        }
    }

    /// Whether PostgreSQL itself ended the statement, so that it can neither be under way nor have changed anything.
    #[must_use]
    pub const fn was_rolled_back(&self) -> bool {
        match self {
            Self::Conflict(_) | Self::TimedOut(_) | Self::MayWrite => true,
            Self::Unavailable(_)
            | Self::ForeignKey { .. }
            | Self::Unique { .. }
            | Self::Corrupt(_)
            | Self::Undecryptable { .. }
            | Self::HistoryLost(_)
            | Self::Migration(_)
            | Self::Other(_) => false,
        }
    }
}

impl From<DieselError> for DatabaseError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(kind, information) => of_kind(kind, information),
            DieselError::QueryBuilderError(inner) => match inner.downcast::<StatedError>() {
                Ok(stated) => of_state(*stated),
                Err(other) => Self::Other(DieselError::QueryBuilderError(other)),
            },
            DieselError::DeserializationError(source) => Self::Corrupt(source.to_string()),
            // A transaction that was broken in between: its session is given up, and nothing of it happened.
            DieselError::BrokenTransactionManager => {
                Self::Unavailable(DieselError::BrokenTransactionManager.to_string())
            }
            other => Self::Other(other),
        }
    }
}

/// By the kinds that Diesel knows.
fn of_kind(kind: DatabaseErrorKind, information: Box<dyn DatabaseErrorInformation + Send + Sync>) -> DatabaseError {
    let constraint = information.constraint_name().unwrap_or_default().to_owned();
    match kind {
        DatabaseErrorKind::ForeignKeyViolation => DatabaseError::ForeignKey { constraint },
        DatabaseErrorKind::UniqueViolation => DatabaseError::Unique { constraint },
        DatabaseErrorKind::SerializationFailure => DatabaseError::Conflict(information.message().to_owned()),
        // Without a word from the server: the connection is gone.
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
            DatabaseError::Unavailable(information.message().to_owned())
        }
        other => DatabaseError::Other(DieselError::DatabaseError(other, information)),
    }
}

/// By what the server says, in whatever language it says the rest.
fn of_state(error: StatedError) -> DatabaseError {
    let text = error.to_string();
    match error.state {
        SqlState::DEADLOCK => DatabaseError::Conflict(text),
        SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED => DatabaseError::TimedOut(text),
        state if state.is_without_session() => DatabaseError::Unavailable(text),
        _ => DatabaseError::Other(DieselError::QueryBuilderError(Box::new(error))),
    }
}
