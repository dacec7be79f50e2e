//! Removal of objects, and of versions, by their keys as the list has them.
//!
//! Facts: Amazon S3 API Reference, "DeleteObjects" and "DeleteObject".

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::Method;

use super::xml::{self, Element, Unreadable};
use super::{S3, UNREADABLE, word};
use crate::arf::ArfError;
use crate::arf::bucket::object::{Object, Refusals, Removal, failure};
use crate::object_stores::failure::is_blob_missing;

/// So many are removed with one request.
const MOST: usize = 1_000;
/// Objects that are removed one by one at the same time.
const SINGLES_AT_ONCE: usize = 16;
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

impl S3 {
    /// Removes these and nothing else. What isn't there is as good as removed, and isn't counted.
    pub(in crate::arf::bucket) async fn remove(&self, action: &'static str, objects: Vec<Object>) -> Removal {
        let (together, singly): (Vec<_>, Vec<_>) =
            objects.into_iter().partition(|object| self.removes_many && can_be_told(object));
        let mut removal = Removal::default();
        for some in together.chunks(MOST) {
            removal.add(self.remove_together(action, some).await);
            if removal.failure.is_some() {
                return removal;
            }
        }
        let mut singles =
            stream::iter(singly).map(|object| self.remove_one(action, object)).buffer_unordered(SINGLES_AT_ONCE);
        while let Some(one) = singles.next().await {
            removal.add(one);
        }
        removal
    }

    async fn remove_together(&self, action: &'static str, objects: &[Object]) -> Removal {
        let answers = match self.ask_to_remove(action, objects).await {
            Ok(answers) => answers,
            Err(error) => return Removal::failed(of_all(error, objects.len())),
        };
        let mut removal = Removal::default();
        for object in objects {
            match answers.of(object) {
                Outcome::Removed => removal.removed.push(object.clone()),
                Outcome::Refused("NoSuchKey" | "NoSuchVersion") => {}
                Outcome::Refused(code) => removal.refusals.add(Refusals::one(word(code))),
                Outcome::Unsaid => removal.refusals.add(Refusals::one("its answer doesn't name them".to_owned())),
            }
        }
        removal
    }

    async fn ask_to_remove(&self, action: &'static str, objects: &[Object]) -> Result<Answers, ArfError> {
        let answer = self.ask(action, &Method::POST, None, &[("delete", "")], &deletion(objects)).await?;
        answers(&answer).map_err(|Unreadable| failure(action, UNREADABLE))
    }

    /// Removes one whose name can't be told in XML.
    async fn remove_one(&self, action: &'static str, object: Object) -> Removal {
        let version: Vec<_> = object.version.iter().map(|version| ("versionId", version.as_str())).collect();
        match self.ask(action, &Method::DELETE, Some(&object.key), &version, &Bytes::new()).await {
            Ok(_) => Removal { removed: vec![object], ..Removal::default() },
            Err(ArfError::Store { source, .. }) if is_blob_missing(&source) => Removal::default(),
            Err(error) => match of_all(error, 1) {
                ArfError::Refused { count, reason } => {
                    Removal { refusals: Refusals { count, reason: Some(reason) }, ..Removal::default() }
                }
                error => Removal::failed(error),
            },
        }
    }
}

/// A request that isn't allowed, or can't be made, is a refusal of all that it was to remove.
fn of_all(error: ArfError, objects: usize) -> ArfError {
    use object_store::Error as E;
    match error {
        ArfError::Store { source, .. } if matches!(*source, E::PermissionDenied { .. } | E::InvalidPath { .. }) => {
            let count = u64::try_from(objects).unwrap_or(u64::MAX);
            ArfError::Refused { count, reason: crate::object_stores::failure::reason(&source) }
        }
        error => error,
    }
}

fn can_be_told(object: &Object) -> bool {
    xml::carries(&object.key) && object.version.as_deref().is_none_or(xml::carries)
}

/// The request to remove these. It isn't quiet: the answer wouldn't name what was removed, and silence would count as
/// success.
fn deletion(objects: &[Object]) -> Bytes {
    let mut text = format!("<Delete xmlns=\"{NAMESPACE}\"><Quiet>false</Quiet>");
    for Object { key, version } in objects {
        let version = version.as_deref().map(|id| format!("<VersionId>{}</VersionId>", xml::escaped(id)));
        let (key, version) = (xml::escaped(key), version.unwrap_or_default());
        // Writing to a text can't fail.
        let _written = write!(text, "<Object><Key>{key}</Key>{version}</Object>");
    }
    Bytes::from(text + "</Delete>")
}

/// What a store says of the objects that it was to remove, by key: some name no version.
#[derive(Debug, Default)]
struct Answers {
    removed: HashMap<String, HashSet<Option<String>>>,
    refused: HashMap<String, HashMap<Option<String>, String>>,
}

/// What a store says of one object.
#[derive(Debug, PartialEq, Eq)]
enum Outcome<'a> {
    Removed,
    /// With this code.
    Refused(&'a str),
    Unsaid,
}

impl Answers {
    fn of(&self, object: &Object) -> Outcome<'_> {
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

/// What it says of each.
fn answers(answer: &[u8]) -> Result<Answers, Unreadable> {
    let result = xml::read(answer)?;
    if result.name != "DeleteResult" {
        return Err(Unreadable);
    }
    let named = |entry: &Element| {
        let (key, version) = (entry.text_of("Key")?, entry.text_of("VersionId")?);
        Ok((key.ok_or(Unreadable)?.to_owned(), version.map(str::to_owned)))
    };
    let mut answers = Answers::default();
    for entry in result.all("Deleted") {
        let (key, version) = named(entry)?;
        answers.removed.entry(key).or_default().insert(version);
    }
    for entry in result.all("Error") {
        let (key, version) = named(entry)?;
        let code = entry.text_of("Code")?.ok_or(Unreadable)?;
        answers.refused.entry(key).or_default().insert(version, code.to_owned());
    }
    Ok(answers)
}
