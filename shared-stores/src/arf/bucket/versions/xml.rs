//! What S3 says of versions, and what it is told, in XML.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use quick_xml::events::Event;
use quick_xml::{Reader, de, se};
use serde::{Deserialize, Serialize};

use crate::arf::bucket::object::{Object, Page, PageToken};

/// `ListVersionsResult`. Versions and delete markers stand among each other.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListVersionsResult {
    #[serde(default, rename = "Version")]
    versions: Vec<ObjectVersion>,
    #[serde(default, rename = "DeleteMarker")]
    markers: Vec<ObjectVersion>,
    #[serde(default)]
    common_prefixes: Vec<CommonPrefix>,
    /// Every list has it: without it an answer of something else would look like an empty bucket.
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_version_id_marker: Option<String>,
    encoding_type: Option<String>,
}

/// A version of an object. The same names are what `DeleteObjects` is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ObjectVersion {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CommonPrefix {
    prefix: String,
}

#[derive(Debug, Serialize)]
struct Delete {
    /// Otherwise the answer wouldn't name what was removed, and silence would count as success.
    #[serde(rename = "Quiet")]
    is_quiet: bool,
    #[serde(rename = "Object")]
    objects: Vec<ObjectVersion>,
}

#[derive(Debug, Deserialize)]
struct DeleteResult {
    #[serde(default, rename = "Deleted")]
    removed: Vec<ObjectVersion>,
    #[serde(default, rename = "Error")]
    errors: Vec<RefusedObject>,
}

/// What a store says of the objects that it was to remove, by key: some name no version.
#[derive(Debug, Default)]
pub(super) struct Answers {
    removed: HashMap<String, HashSet<Option<String>>>,
    refused: HashMap<String, HashMap<Option<String>, String>>,
}

/// What a store says of one object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    Removed,
    /// With this code.
    Refused(&'a str),
    Unsaid,
}

impl Answers {
    pub(super) fn of(&self, object: &Object) -> Outcome<'_> {
        let refused = self.refused.get(&object.key);
        let code = refused.and_then(|refused| refused.get(&object.version).or_else(|| refused.get(&None)));
        let removed = self.removed.get(&object.key);
        match code {
            Some(code) => Outcome::Refused(code),
            None if removed.is_some_and(|of| of.contains(&object.version) || of.contains(&None)) => Outcome::Removed,
            None => Outcome::Unsaid,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RefusedObject {
    key: String,
    version_id: Option<String>,
    code: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    code: String,
}

/// The page that the answer is; `None` if it isn't one, or is cut off without saying where it goes on.
pub(super) fn page(answer: &Bytes) -> Option<Page> {
    // Whoever doesn't know versions may answer with an ordinary list, which would look like an empty one.
    let read: ListVersionsResult = de::from_str(rooted(answer, "ListVersionsResult")?).ok()?;
    let is_encoded = read.encoding_type.is_some_and(|kind| kind.eq_ignore_ascii_case("url"));
    let plain = |key: String| if is_encoded { decoded(&key) } else { key };
    let object = |found: ObjectVersion| Object { key: plain(found.key), version: found.version_id };
    let token = read.next_key_marker.filter(|marker| !marker.is_empty());
    let token = token.map(|token| PageToken { token: plain(token), version: read.next_version_id_marker });
    if read.is_truncated && token.is_none() {
        return None;
    }
    let prefixes = read.common_prefixes.into_iter().map(|found| plain(found.prefix).trim_end_matches('/').to_owned());
    Some(Page {
        objects: read.versions.into_iter().chain(read.markers).map(object).collect(),
        prefixes: prefixes.collect(),
        next: token.filter(|_| read.is_truncated),
    })
}

/// The request to remove these; `None` if a key can't be said in XML.
pub(super) fn deletion(objects: &[Object]) -> Option<Bytes> {
    let of = |object: &Object| ObjectVersion { key: object.key.clone(), version_id: object.version.clone() };
    let delete = Delete { is_quiet: false, objects: objects.iter().map(of).collect() };
    se::to_string(&delete).ok().map(Bytes::from)
}

/// What it says of each; `None` if it isn't an answer to a removal.
pub(super) fn answers(answer: &Bytes) -> Option<Answers> {
    let read: DeleteResult = de::from_str(rooted(answer, "DeleteResult")?).ok()?;
    let mut answers = Answers::default();
    for object in read.removed {
        answers.removed.entry(object.key).or_default().insert(object.version_id);
    }
    for object in read.errors {
        answers.refused.entry(object.key).or_default().insert(object.version_id, object.code);
    }
    Some(answers)
}

/// The text, if its root is this element.
fn rooted<'a>(answer: &'a Bytes, element: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(answer).ok()?;
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => return (start.local_name().as_ref() == element.as_bytes()).then_some(text),
            Event::Empty(start) => return (start.local_name().as_ref() == element.as_bytes()).then_some(text),
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// Whether it is an error, which S3 may also send with 200.
pub(super) fn is_error(answer: &Bytes) -> bool {
    code(answer).is_some()
}

/// The code of an error, such as `AccessDenied`.
pub(super) fn code(answer: &Bytes) -> Option<String> {
    let read: Answer = de::from_str(rooted(answer, "Error")?).ok()?;
    Some(read.code)
}

/// Keys are encoded as in forms: `+` is a space.
fn decoded(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}
