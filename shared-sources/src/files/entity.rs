//! Turns a file that was read into an entity.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use percent_encoding::percent_encode;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use shared_models::DocumentType;

use crate::tools::breadcrumbs::breadcrumbs;
use crate::tools::content::Content;
use crate::tools::kinds::NameFacts;
use crate::tools::text::{MAX_TEXT_BYTES, searchable};
use crate::tools::{cut, times, url};
use crate::{Breadcrumb, RawFile, Source, SourceEntity};

/// What was read of a file.
#[derive(Debug)]
pub(super) struct ReadFile {
    /// The content, or its beginning.
    pub(super) bytes: Bytes,
    /// Whether `bytes` is everything.
    pub(super) is_whole: bool,
    /// Size of the whole file, bytes.
    pub(super) size: u64,
    /// When it was changed.
    pub(super) modified: Option<SystemTime>,
}

impl ReadFile {
    fn changed_at(&self) -> Option<DateTime<Utc>> {
        self.modified.and_then(times::of_file)
    }
}

/// Id of the entity of a path below its root: the path, in a form that is text and belongs to this path only. The id of
/// what is in a folder begins with the folder's and a `/`.
pub(super) fn id_of(path: &Path) -> String {
    let names: Vec<Cow<'_, str>> = path.iter().map(id_part).collect();
    names.join("/")
}

/// The path as people read it.
fn shown(path: &Path) -> String {
    let names: Vec<Cow<'_, str>> = path.iter().map(readable).collect();
    names.join("/")
}

/// The entity of the file `path` (below its root); `None` if it is binary.
pub(super) fn from_file(root: &str, path: &Path, file: ReadFile, max_blob_bytes: u64) -> Option<SourceEntity> {
    let text = match Content::of(file.bytes.get(..MAX_TEXT_BYTES).unwrap_or(&file.bytes)) {
        Content::Text(text) => text,
        Content::Binary(_) => return None,
    };
    let id = id_of(path);
    let name = path.file_name().map(readable).unwrap_or_default().into_owned();
    let facts = NameFacts::of(path);
    let is_cut = cut::count(Source::Files, file.size);
    let mut fields = fields(&file, &facts);
    fields.extend([
        ("root".to_owned(), root.into()),
        ("path".to_owned(), shown(path).into()),
        ("truncated".to_owned(), is_cut.into()),
    ]);
    let (class, document_type) = match facts.language {
        Some(_) => ("CodeFileEntity", DocumentType::CodeFile),
        None => ("FileEntity", DocumentType::File),
    };
    let is_kept = file.is_whole && file.size <= max_blob_bytes;
    let text = if text.trim().is_empty() { format!("{name}\n{id}") } else { text };
    Some(SourceEntity {
        class,
        document_type,
        text: searchable(text),
        fields,
        breadcrumbs: folders(path),
        created_at: None,
        updated_at: file.changed_at(),
        web_url: format!(
            "file://{}/{}",
            percent_encode(root.as_bytes(), url::PATH),
            percent_encode(path.as_os_str().as_bytes(), url::PATH)
        ),
        file: is_kept.then(|| RawFile { name: name.clone(), bytes: file.bytes }),
        version: None,
        id,
        name,
    })
}

/// What is known of a file by itself.
fn fields(file: &ReadFile, facts: &NameFacts) -> Map<String, Value> {
    let modified = file.changed_at().map(times::text);
    let sha256 = file.is_whole.then(|| hex::encode(Sha256::digest(&file.bytes)));
    Map::from_iter([
        ("size".to_owned(), file.size.into()),
        ("mime_type".to_owned(), facts.mime_type.unwrap_or("text/plain").into()),
        ("extension".to_owned(), facts.extension.as_deref().into()),
        ("language".to_owned(), facts.language.into()),
        ("modified".to_owned(), modified.into()),
        ("sha256".to_owned(), sha256.into()),
    ])
}

fn folders(path: &Path) -> Vec<Breadcrumb> {
    let mut folders: Vec<(&Path, &OsStr)> =
        path.ancestors().skip(1).filter_map(|folder| Some((folder, folder.file_name()?))).collect();
    folders.reverse();
    breadcrumbs(folders, |(folder, name)| Breadcrumb {
        entity_id: id_of(folder),
        name: readable(name).into_owned(),
        entity_type: "Folder",
    })
}

/// The name as it is if it is UTF-8, otherwise with `%` and its other bytes as `%XX`.
fn readable(name: &OsStr) -> Cow<'_, str> {
    if let Some(name) = name.to_str() {
        return name.into();
    }
    let mut readable = String::with_capacity(name.len());
    for chunk in name.as_bytes().utf8_chunks() {
        readable.push_str(&chunk.valid().replace('%', "%25"));
        for byte in chunk.invalid() {
            let _ = write!(readable, "%{byte:02X}");
        }
    }
    readable.into()
}

/// The name as a part of an id. No two names become one: a slash, which no name has, marks one that was escaped.
fn id_part(name: &OsStr) -> Cow<'_, str> {
    if name.to_str().is_some() { readable(name) } else { format!("/{}", readable(name)).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_belongs_to_one_path_only_and_begins_with_its_folder_s() {
        let of = |bytes: &[u8]| id_of(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(of("a/ä 100%.txt".as_bytes()), "a/ä 100%.txt");
        assert_eq!(of(b"My%20File.txt"), "My%20File.txt");
        assert_eq!(of(b"50% off/x\xff"), "50% off//x%FF");
        assert_eq!(of(b"a\xff"), "/a%FF");
        assert_eq!(of(b"a%FF"), "a%FF");
        assert_eq!(of(b"a\xff/b"), "/a%FF/b");
        assert_eq!(of(b"50%\xff"), "/50%25%FF");
        assert_eq!(of(b"50%25%FF"), "50%25%FF");
    }

    #[test]
    fn a_name_is_shown_as_it_is() {
        for name in ["My%20File.txt", "100%", "%", "%%41", "ä%C3%A4"] {
            assert_eq!(readable(OsStr::new(name)), name);
        }
        assert_eq!(readable(OsStr::from_bytes(b"a%41\xff")), "a%2541%FF");
    }
}
