//! What can go wrong at the database, and whether trying again can help.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

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
    /// Credentials that the key ring can't decrypt.
    #[error("credentials can't be decrypted: {0}")]
    Undecryptable(&'static str),
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
            Self::Unavailable(_) | Self::TimedOut(_) | Self::Conflict(_) => true,
            Self::ForeignKey { .. }
            | Self::Unique { .. }
            | Self::Corrupt(_)
            | Self::Undecryptable(_)
            | Self::Migration(_)
            | Self::Other(_) => false,
        }
    }
}

impl From<DieselError> for DatabaseError {
    fn from(error: DieselError) -> Self {
        let DieselError::DatabaseError(kind, information) = &error else {
            return match error {
                DieselError::DeserializationError(source) => Self::Corrupt(source.to_string()),
                other => Self::Other(other),
            };
        };
        let constraint = information.constraint_name().unwrap_or_default().to_owned();
        let message = information.message().to_owned();
        match kind {
            DatabaseErrorKind::ForeignKeyViolation => Self::ForeignKey { constraint },
            DatabaseErrorKind::UniqueViolation => Self::Unique { constraint },
            DatabaseErrorKind::SerializationFailure => Self::Conflict(message),
            DatabaseErrorKind::ClosedConnection => Self::Unavailable(message),
            _ => by_message(message).unwrap_or(Self::Other(error)),
        }
    }
}

/// Diesel doesn't hand the SQLSTATE through, so the rest is told by PostgreSQL's (untranslated) texts.
fn by_message(message: String) -> Option<DatabaseError> {
    let has = |part: &str| message.contains(part);
    if has("deadlock detected") {
        return Some(DatabaseError::Conflict(message));
    }
    if has("lock timeout") || has("statement timeout") {
        return Some(DatabaseError::TimedOut(message));
    }
    let lost = has("connection closed")
        || has("terminating connection")
        || has("error communicating with the server")
        || has("database system is")
        || has("too many clients");
    lost.then_some(DatabaseError::Unavailable(message))
}
