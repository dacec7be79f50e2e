//! Why an object store failed, as it may be shown: without paths, URLs and secrets.

use std::error::Error;
use std::io;

use object_store::client::{HttpError, HttpErrorKind};

/// A reason of our own, which names no path.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Reason(pub(crate) &'static str);

/// Why the object store failed, without paths: the library's texts name them.
pub(crate) fn reason(error: &object_store::Error) -> String {
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
pub(crate) fn is_blob_missing(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) && !is_bucket_missing(error)
}

/// Whether the store itself says that it has no such object: a 404 of whatever answers in its place doesn't.
pub(crate) fn is_said_missing(error: &object_store::Error) -> bool {
    const SAID: [&str; 2] = ["NoSuchKey", "BlobNotFound"];
    is_blob_missing(error) && causes(error).any(|cause| SAID.iter().any(|said| cause.to_string().contains(said)))
}

/// Whether the store can't do what was asked of it at all.
pub(crate) fn is_unsupported(error: &object_store::Error) -> bool {
    use object_store::Error as E;
    matches!(error, E::NotSupported { .. } | E::NotImplemented { .. })
        || status(error).is_some_and(|told| told.contains(" 501 "))
}

/// What the store said of one object in its answer to a request for many, such as `AccessDenied`: only the library's
/// text has it.
pub(crate) fn code_of_one(error: &object_store::Error) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(source: object_store::Error) -> String {
        reason(&source)
    }

    fn generic(source: impl Into<Box<dyn Error + Send + Sync>>) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: source.into() }
    }

    #[test]
    fn the_store_s_reason_is_told_without_paths() {
        let full = io::Error::from_raw_os_error(28);
        assert_eq!(told(generic(full)), "No space left on device (os error 28)");
        let answered = "Error performing PUT https://s3.test/bucket/raw/secret.txt in 1s - \
                        Server returned non-2xx status code: 507 Insufficient Storage: <Error>raw/secret.txt</Error>";
        assert_eq!(told(generic(answered)), "it answered 507 Insufficient Storage");
        let denied = object_store::Error::PermissionDenied { path: "raw/secret.txt".to_owned(), source: "no".into() };
        assert_eq!(told(denied), "access denied");
        assert!(!told(generic("of raw/secret.txt")).contains("secret"));
    }
}
