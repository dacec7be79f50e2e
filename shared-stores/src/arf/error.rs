//! What can go wrong in the ARF store.

use std::error::Error;
use std::io;
use std::time::Duration;

use object_store::client::{HttpError, HttpErrorKind};

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

/// A reason of our own, which names no path.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Reason(pub(super) &'static str);

/// Why the object store failed, without paths: the library's texts name them.
pub(super) fn reason(error: &object_store::Error) -> String {
    use object_store::Error as E;
    let known = match error {
        _ if is_bucket_missing(error) => Some("the bucket isn't there"),
        E::PermissionDenied { .. } => Some("access denied"),
        E::Unauthenticated { .. } => Some("the credentials are refused"),
        E::NotFound { .. } => Some("not found"),
        E::InvalidPath { .. } => Some("the store takes no such name"),
        E::NotSupported { .. } | E::NotImplemented { .. } => Some("the store doesn't support it"),
        _ => None,
    };
    let known = known.map(str::to_owned);
    known
        .or_else(|| of_system(error))
        .or_else(|| code_of_one(error))
        .or_else(|| of_connection(error).map(str::to_owned))
        .or_else(|| status(error))
        .unwrap_or_else(|| "no reason is known".to_owned())
}

/// Whether the store says that there is no such bucket, or container: what is asked of it isn't "not there" then.
fn is_bucket_missing(error: &object_store::Error) -> bool {
    const SAID: [&str; 4] = [
        "NoSuchBucket",
        "ContainerNotFound",
        "The specified bucket does not exist",
        "The specified container does not exist",
    ];
    causes(error).any(|cause| SAID.iter().any(|said| cause.to_string().contains(said)))
}

/// Whether the blob isn't there, rather than its bucket.
pub(super) fn is_blob_missing(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) && !is_bucket_missing(error)
}

/// What the store said of one object in its answer to a request for many, such as `AccessDenied`: only the library's
/// text has it.
pub(super) fn code_of_one(error: &object_store::Error) -> Option<String> {
    let text = causes(error).map(ToString::to_string).find(|text| text.contains("request failed for key "))?;
    let (_, code) = text.rsplit_once("(code: ")?;
    Some(code.chars().take_while(char::is_ascii_alphanumeric).collect())
}

/// The error, and what is behind it.
fn causes(error: &object_store::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error| (*error).source())
}

/// What the operating system said, if anything did below this error.
fn of_system(error: &object_store::Error) -> Option<String> {
    let code = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error())?;
    Some(io::Error::from_raw_os_error(code).to_string())
}

/// What became of the connection, or a reason of our own.
fn of_connection(error: &object_store::Error) -> Option<&'static str> {
    if causes(error).any(|cause| cause.to_string().contains("URL scheme is not allowed")) {
        return Some("its endpoint is plain http, which AWS_ALLOW_HTTP=true allows");
    }
    causes(error).find_map(|cause| {
        let own = cause.downcast_ref::<Reason>().map(|reason| reason.0);
        own.or_else(|| match cause.downcast_ref::<HttpError>()?.kind() {
            HttpErrorKind::Connect => Some("cannot connect"),
            HttpErrorKind::Timeout => Some("no answer in time"),
            HttpErrorKind::Request | HttpErrorKind::Interrupted => Some("the connection broke"),
            HttpErrorKind::Decode => Some("the answer is unreadable"),
            _ => None,
        })
    })
}

/// The status of the store's answer, such as `507 Insufficient Storage`: only the library's text has it.
fn status(error: &object_store::Error) -> Option<String> {
    const BEFORE: &str = "status code: ";
    let text = causes(error).map(ToString::to_string).find(|text| text.contains(BEFORE))?;
    let (_, told) = text.split_once(BEFORE)?;
    let words = told.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != ' ').next()?.trim();
    Some(format!("it answered {words}"))
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

    pub(super) fn store(action: &'static str) -> impl Fn(object_store::Error) -> Self {
        move |source| Self::Store { action, source: Box::new(source) }
    }

    pub(super) fn folder(action: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Folder { action, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(source: object_store::Error) -> String {
        ArfError::store("put a blob")(source).to_string()
    }

    fn generic(source: impl Into<Box<dyn Error + Send + Sync>>) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: source.into() }
    }

    #[test]
    fn the_store_s_reason_is_told_without_paths() {
        let full = io::Error::from_raw_os_error(28);
        assert_eq!(told(generic(full)), "put a blob failed in the object store: No space left on device (os error 28)");
        let answered = "Error performing PUT https://s3.test/bucket/raw/secret.txt in 1s - \
                        Server returned non-2xx status code: 507 Insufficient Storage: <Error>raw/secret.txt</Error>";
        assert_eq!(
            told(generic(answered)),
            "put a blob failed in the object store: it answered 507 Insufficient Storage"
        );
        let denied = object_store::Error::PermissionDenied { path: "raw/secret.txt".to_owned(), source: "no".into() };
        assert_eq!(told(denied), "put a blob failed in the object store: access denied");
        assert!(!told(generic("of raw/secret.txt")).contains("secret"));
    }
}
