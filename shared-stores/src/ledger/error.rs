//! What can go wrong in the ledger store.

use std::io;
use std::time::Duration;

use crate::object_stores::clients::CannotOpen;
use crate::object_stores::failure::reason;

/// An operation on the ledger store failed. Texts name objects of the ledger, which tell nothing, and never a folder,
/// a bucket or a secret.
#[derive(Debug, thiserror::Error)]
pub enum LedgerStoreError {
    /// The store can't be used as configured.
    #[error("set up ledger store: {0}")]
    Setup(String),
    /// No object of the ledger has such a name.
    #[error("{0:?} can't be the name of an object of the ledger")]
    Name(String),
    /// Something else lies there already; it was left as it is.
    #[error("the ledger store holds other bytes under {name}")]
    Different {
        /// Of the object.
        name: String,
    },
    /// The object is larger than it may be.
    #[error("{name} of {bytes} bytes is larger than {max}")]
    TooLarge {
        /// Of the object.
        name: String,
        /// Its size.
        bytes: u64,
        /// Largest size.
        max: u64,
    },
    /// The object can only be text, and isn't.
    #[error("{name} in the ledger store is not text")]
    NotText {
        /// Of the object.
        name: String,
    },
    /// The store refused the write, and holds neither that nor other bytes in its place.
    #[error("{name} can't be written now: somebody else writes it at the same time, or the store has locked it")]
    Contended {
        /// Of the object.
        name: String,
    },
    /// The store can't keep what the ledger needs.
    #[error("the ledger store can't be used: {0}")]
    Unsupported(&'static str),
    /// No answer within the deadline. A write may have been applied, or may yet be: writing it again tells.
    #[error("ledger store did not answer within {0:?}")]
    Unanswered(Duration),
    /// The object store answered with an error.
    #[error("{action} failed in the ledger store: {}", reason(.source))]
    Store {
        /// What was tried.
        action: &'static str,
        /// The cause.
        source: Box<object_store::Error>,
    },
    /// The local folder couldn't be read or changed.
    #[error("{action} failed in the ledger's folder: {source}")]
    Folder {
        /// What was tried.
        action: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The task that did the work ended without a result: it panicked, or the runtime is shutting down.
    #[error("{0} was aborted")]
    Aborted(&'static str),
}

impl LedgerStoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        use object_store::Error as E;
        match self {
            Self::Setup(_)
            | Self::Name(_)
            | Self::Different { .. }
            | Self::TooLarge { .. }
            | Self::NotText { .. }
            | Self::Unsupported(_) => false,
            Self::Contended { .. } | Self::Unanswered(_) | Self::Folder { .. } | Self::Aborted(_) => true,
            Self::Store { source, .. } => {
                !matches!(**source, E::InvalidPath { .. } | E::UnknownConfigurationKey { .. })
            }
        }
    }

    /// A short stable name for metrics and logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Setup(_) => "ledger_store_setup",
            Self::Name(_) => "ledger_store_name",
            Self::Different { .. } => "ledger_store_different",
            Self::TooLarge { .. } => "ledger_store_too_large",
            Self::NotText { .. } => "ledger_store_not_text",
            Self::Contended { .. } => "ledger_store_contended",
            Self::Unsupported(_) => "ledger_store_unsupported",
            Self::Unanswered(_) => "ledger_store_unanswered",
            Self::Store { .. } => "ledger_store_store",
            Self::Folder { .. } => "ledger_store_folder",
            Self::Aborted(_) => "ledger_store_aborted",
        }
    }

    pub(super) fn cannot_open(why: CannotOpen) -> Self {
        match why {
            CannotOpen::Setup(text) => Self::Setup(text),
            CannotOpen::Store(error) => Self::store("set up")(error),
        }
    }

    pub(super) fn store(action: &'static str) -> impl Fn(object_store::Error) -> Self {
        move |source| Self::Store { action, source: Box::new(source) }
    }

    pub(super) fn folder(action: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Folder { action, source }
    }
}
