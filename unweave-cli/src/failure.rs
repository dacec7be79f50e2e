//! Why a command didn't end well, and what its exit code is then.

use shared_ledger::files::FileError;
use shared_models::ledger::{CopyError, Refusal};
use shared_stores::LedgerStoreError;

use crate::answer::Answer;

/// What was asked for isn't shown, can't be done, or wasn't understood.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was looked at isn't evidence, or not of what it should be.
    #[error("refused ({reason}): {text}")]
    Refused {
        /// Its name, for programs.
        reason: &'static str,
        /// Why, for people.
        text: String,
    },
    /// It was looked at, and it isn't as it should be: the findings are the answer.
    #[error("something is not as it should be")]
    Found(Answer),
    /// The command was given what it can't work with.
    #[error("{0}")]
    Usage(String),
    /// It couldn't be looked at: nothing is said about it.
    #[error("{0}")]
    Unchecked(String),
}

impl Failure {
    /// A refusal with this name.
    pub fn refused(reason: &'static str, text: impl Into<String>) -> Self {
        Self::Refused { reason, text: text.into() }
    }

    /// What the program ends with.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Refused { .. } | Self::Found(_) => 1,
            Self::Usage(_) => 2,
            Self::Unchecked(_) => 3,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let reason = match refusal {
            Refusal::UnknownKey(_) => "unknown_key",
            Refusal::Altered => "altered",
            Refusal::Malformed(_) => "malformed",
            Refusal::UnknownForm(_) => "unknown_form",
            Refusal::OtherDeletion { .. } => "other_deletion",
            Refusal::LacksTarget(_) => "lacks_target",
            Refusal::Unverified(_) => "unverified",
            Refusal::Superseded(_) => "superseded",
            Refusal::Reference => "reference",
            Refusal::Checkpoint(_) => "checkpoint",
            Refusal::NotInLedger(_) => "not_in_ledger",
            Refusal::NoEntry(_) => "no_entry",
        };
        Self::refused(reason, refusal.to_string())
    }
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        let reason = match error {
            CopyError::Bundle { .. } => "bundle",
            CopyError::Entry { .. } => "entry",
            CopyError::Tree(_) | CopyError::Size { .. } | CopyError::Unwatched(_) => "size",
            CopyError::Root { .. } => "root",
        };
        Self::refused(reason, error.to_string())
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let text = error.to_string();
        match error {
            FileError::Store(error) => error.into(),
            FileError::Missing(_) => Self::refused("missing", text),
            FileError::Malformed { .. } => Self::refused("tile", text),
        }
    }
}

impl From<LedgerStoreError> for Failure {
    fn from(error: LedgerStoreError) -> Self {
        let text = error.to_string();
        match error {
            LedgerStoreError::Different { .. } => Self::refused("different", text),
            // Nothing in a ledger is that large, or anything but text where text belongs.
            LedgerStoreError::TooLarge { .. } | LedgerStoreError::NotText { .. } => Self::refused("malformed", text),
            LedgerStoreError::Setup(_) | LedgerStoreError::Name(_) => Self::Usage(text),
            LedgerStoreError::Contended { .. }
            | LedgerStoreError::Unsupported(_)
            | LedgerStoreError::Unanswered(_)
            | LedgerStoreError::Store { .. }
            | LedgerStoreError::Folder { .. }
            | LedgerStoreError::Aborted(_) => Self::Unchecked(text),
        }
    }
}
