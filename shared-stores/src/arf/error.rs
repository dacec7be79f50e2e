//! What can go wrong in the ARF store.

use std::io;
use std::time::Duration;

use crate::object_stores::clients::CannotOpen;
use crate::object_stores::failure::reason;

/// An operation on the ARF store failed. Texts name the operation, never a file.
#[derive(Debug, thiserror::Error)]
pub enum ArfError {
    /// The store can't be used as configured.
    #[error("set up ARF store: {0}")]
    Setup(String),
    /// The blob is larger than one PUT may be; nothing was written.
    #[error("blob of {bytes} bytes is larger than {max}")]
    TooLarge {
        /// Size of the blob.
        bytes: u64,
        /// Largest size.
        max: u64,
    },
    /// No answer within the deadline. A write may have been applied, or may yet be.
    #[error("ARF store did not answer within {0:?}")]
    Unanswered(Duration),
    /// The object store, or the folder by way of it, answered with an error.
    #[error("{action} failed in the object store: {}", reason(.source))]
    Store {
        /// What was tried.
        action: &'static str,
        /// The cause.
        source: Box<object_store::Error>,
    },
    /// The object store answered, for so many blobs or versions, that it doesn't remove them: they are locked, or the
    /// credentials don't suffice.
    #[error("the object store refused to remove {count} blobs: {reason}")]
    Refused {
        /// Blobs, or versions of them.
        count: u64,
        /// What it said of the first.
        reason: String,
    },
    /// The local folder couldn't be read or changed.
    #[error("{action} failed in the local folder: {source}")]
    Folder {
        /// What was tried.
        action: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// A manifest can't be read.
    #[error("the manifest is unreadable")]
    Manifest(#[source] serde_json::Error),
    /// The task that did the work ended without a result: it panicked, or the runtime is shutting down.
    #[error("{0} was aborted")]
    Aborted(&'static str),
}

impl ArfError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        use object_store::Error as E;
        match self {
            Self::Setup(_) | Self::TooLarge { .. } | Self::Manifest(_) => false,
            Self::Unanswered(_) | Self::Refused { .. } | Self::Folder { .. } | Self::Aborted(_) => true,
            Self::Store { source, .. } => !matches!(
                **source,
                E::InvalidPath { .. }
                    | E::NotSupported { .. }
                    | E::NotImplemented { .. }
                    | E::UnknownConfigurationKey { .. }
            ),
        }
    }

    /// Whether a write that ended with this error may have been applied, or may yet be.
    #[must_use]
    pub const fn may_still_apply(&self) -> bool {
        match self {
            Self::Setup(_) | Self::TooLarge { .. } | Self::Manifest(_) | Self::Refused { .. } | Self::Folder { .. } => {
                false
            }
            Self::Unanswered(_) | Self::Store { .. } | Self::Aborted(_) => true,
        }
    }

    /// A short stable name for rows, metrics and logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Setup(_) => "arf_setup",
            Self::TooLarge { .. } => "arf_too_large",
            Self::Unanswered(_) => "arf_unanswered",
            Self::Store { .. } => "arf_store",
            Self::Refused { .. } => "arf_refused",
            Self::Folder { .. } => "arf_folder",
            Self::Manifest(_) => "arf_manifest",
            Self::Aborted(_) => "arf_aborted",
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
