//! The paths under `/document/v1/`.

use hyper::StatusCode;
use percent_encoding::percent_decode_str;

use super::reply::Reply;
use crate::document_id::{DocumentId, Location};
use crate::text::illegal_code_point;

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The whole content cluster.
    Root,
    /// The documents of a type, or those of them with a number or group.
    Type { namespace: String, doc_type: String, location: Location },
    /// One document.
    Document(DocumentId),
}

const AVAILABLE: &str = "/document/v1/\n/document/v1/{namespace}/{documentType}/docid/\n\
                         /document/v1/{namespace}/{documentType}/group/{group}/\n\
                         /document/v1/{namespace}/{documentType}/number/{number}/\n\
                         /document/v1/{namespace}/{documentType}/docid/{*}\n\
                         /document/v1/{namespace}/{documentType}/group/{group}/{*}\n\
                         /document/v1/{namespace}/{documentType}/number/{number}/{*}";

/// Reads the raw, still encoded path.
pub(super) fn parse(path: &str) -> Result<Target, Reply> {
    let nothing = || {
        let message = format!("Nothing at '{path}'. Available paths are:\n{AVAILABLE}");
        Reply::failure(StatusCode::NOT_FOUND, path, &message)
    };
    let rest = path.strip_prefix("/document/v1").ok_or_else(nothing)?;
    if rest.is_empty() || rest == "/" {
        return Ok(Target::Root);
    }
    let rest = rest.strip_prefix('/').ok_or_else(nothing)?;
    let mut parts = rest.splitn(4, '/');
    let (Some(namespace), Some(doc_type), Some(kind)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(nothing());
    };
    let rest = parts.next().unwrap_or_default();
    let (location, specific) = match kind {
        "docid" => (Location::None, rest),
        "number" | "group" => {
            let (key, specific) = rest.split_once('/').unwrap_or((rest, ""));
            let key = decoded(path, key)?;
            let location = match (kind, key.parse()) {
                (_, _) if key.is_empty() => return Err(nothing()),
                ("group", _) => Location::Group(key),
                (_, Ok(number)) => Location::Number(number),
                (_, Err(_)) => {
                    let message = format!("Failed parsing '{key}': For input string: \"{key}\"");
                    return Err(Reply::failure(StatusCode::BAD_REQUEST, path, &message));
                }
            };
            (location, specific)
        }
        _ => return Err(nothing()),
    };
    let (namespace, doc_type) = (decoded(path, namespace)?, decoded(path, doc_type)?);
    if specific.is_empty() {
        return Ok(Target::Type { namespace, doc_type, location });
    }
    Ok(Target::Document(DocumentId { namespace, doc_type, location, specific: decoded(path, specific)? }))
}

fn decoded(path: &str, part: &str) -> Result<String, Reply> {
    let refused = |message: String| Reply::failure(StatusCode::BAD_REQUEST, path, &message);
    let text = percent_decode_str(part)
        .decode_utf8()
        .map_err(|error| refused(format!("Failed parsing '{part}': {error}")))?
        .into_owned();
    match illegal_code_point(&text) {
        Some(code) => Err(refused(format!("Unparseable id '{text}': Contains illegal code point {code}"))),
        None => Ok(text),
    }
}
