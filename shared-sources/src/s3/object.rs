//! Turns an object that was got into an entity.

use std::path::Path;

use percent_encoding::utf8_percent_encode;
use serde_json::Map;
use shared_models::DocumentType;

use super::client::Got;
use super::listing::{Listed, Mark};
use crate::tools::breadcrumbs::breadcrumbs;
use crate::tools::content::Content;
use crate::tools::kinds::NameFacts;
use crate::tools::text::{MAX_TEXT_BYTES, searchable, without_nul};
use crate::tools::{cut, times, url};
use crate::{Breadcrumb, RawFile, Source, SourceEntity};

/// Class of an object's entity.
pub(super) const OBJECT: &str = "S3ObjectEntity";
/// Changes with what is made of an object: the next sync then gets them all again.
const FORM: &str = "1";

/// Where objects come from and how much of them is kept.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) bucket: String,
    pub(super) max_blob_bytes: u64,
}

impl Origin {
    /// What an object's entity is made of, in one text: the same text means the same entity.
    pub(super) fn version(&self, size: Option<u64>, mark: &Mark) -> String {
        let Self { bucket, max_blob_bytes } = self;
        let size = size.map_or_else(|| "?".to_owned(), |size| size.to_string());
        match mark {
            Mark::Tag(tag) => format!("{FORM} {bucket} {max_blob_bytes} {size} tag {tag}"),
            Mark::Time(time) => format!("{FORM} {bucket} {max_blob_bytes} {size} time {time}"),
        }
    }

    /// How many bytes of an object of this size are got: all that is kept, or what is searched.
    pub(super) fn bytes_to_get(&self, size: u64) -> u64 {
        let for_text = u64::try_from(MAX_TEXT_BYTES).unwrap_or(u64::MAX);
        if size <= self.max_blob_bytes { size } else { size.min(for_text) }
    }

    /// The entity of an object; `None` if it is binary.
    pub(super) fn entity(&self, listed: &Listed, size: u64, got: Got) -> Option<SourceEntity> {
        let Got { bytes, mark } = got;
        let Content::Text(text) = Content::of(bytes.get(..MAX_TEXT_BYTES).unwrap_or(&bytes)) else { return None };
        let key = listed.key.as_str();
        let name = name_of(key).to_owned();
        let facts = NameFacts::of(Path::new(key));
        let is_cut = cut::count(Source::S3, size);
        let modified = listed.modified.map(times::text);
        let fields = Map::from_iter([
            ("bucket".to_owned(), self.bucket.as_str().into()),
            ("key".to_owned(), key.into()),
            ("size".to_owned(), size.into()),
            ("mime_type".to_owned(), facts.mime_type.unwrap_or("text/plain").into()),
            ("extension".to_owned(), facts.extension.as_deref().into()),
            ("language".to_owned(), facts.language.into()),
            ("modified".to_owned(), modified.into()),
            ("truncated".to_owned(), is_cut.into()),
        ]);
        let is_kept = size <= self.max_blob_bytes;
        let text = if text.trim().is_empty() { format!("{name}\n{key}") } else { text };
        Some(SourceEntity {
            class: OBJECT,
            document_type: if facts.language.is_some() { DocumentType::CodeFile } else { DocumentType::File },
            text: searchable(text),
            fields: without_nul(fields),
            breadcrumbs: folders(key),
            created_at: None,
            updated_at: listed.modified,
            web_url: format!("s3://{}/{}", self.bucket, utf8_percent_encode(key, url::PATH)),
            file: is_kept.then(|| RawFile { name: name.clone(), bytes }),
            version: Some(self.version(listed.size, &mark)),
            id: key.to_owned(),
            name,
        })
    }
}

/// The last part of a key.
fn name_of(key: &str) -> &str {
    key.rsplit('/').find(|part| !part.is_empty()).unwrap_or(key)
}

fn folders(key: &str) -> Vec<Breadcrumb> {
    let folders = key.match_indices('/').filter_map(|(end, _)| key.get(..end)).filter(|folder| !folder.is_empty());
    breadcrumbs(folders.collect(), |folder| Breadcrumb {
        entity_id: folder.to_owned(),
        name: name_of(folder).to_owned(),
        entity_type: "Folder",
    })
}
