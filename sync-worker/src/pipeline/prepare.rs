//! From what a source yields to what is written: hash, chunks, the capture for ARF, the documents for Vespa.

use bytes::Bytes;
use serde_json::{Value, json};
use shared_database::entities::{EntityIntent, WrittenEntity};
use shared_database::jobs::ClaimedJob;
use shared_models::{DocumentId, EntityKey};
use shared_stores::arf::{Blob, MAX_BLOB_BYTES};
use shared_stores::embedder::{EmbedderIdentity, Embedding};
use shared_stores::vespa::{Breadcrumb, Document};

use super::chunk::split;
use super::hash::content_hash;
use crate::sources::{RawFile, SourceEntity};

/// How much of an entity's name is embedded with each chunk.
const EMBEDDED_NAME_CHARS: usize = 200;

/// An entity with its identity and content hash.
#[derive(Debug, Clone)]
pub struct Hashed {
    /// Its key.
    pub key: EntityKey,
    /// Hash of its content.
    pub hash: [u8; 32],
    /// What the source said.
    pub entity: SourceEntity,
}

impl Hashed {
    /// Hashes `entity`, whose chunks will be embedded by `embedder` if there is one; a raw file of more than
    /// `max_blob_bytes` is left out, and counted.
    #[must_use]
    pub fn new(
        key: EntityKey,
        mut entity: SourceEntity,
        max_blob_bytes: u64,
        embedder: Option<&EmbedderIdentity>,
    ) -> Self {
        let is_too_large = |file: &RawFile| u64::try_from(file.bytes.len()).unwrap_or(u64::MAX) > max_blob_bytes;
        if entity.file.as_ref().is_some_and(is_too_large) {
            metrics::counter!("unweave_files_without_blob_total").increment(1);
            entity.file = None;
        }
        let hash = content_hash(&entity, embedder);
        Self { key, hash, entity }
    }

    /// The name of the raw file as it is in the row, if there is a file.
    #[must_use]
    pub fn file_name(&self) -> Option<String> {
        self.entity.file.as_ref().map(|file| without_nul(&file.name))
    }
}

/// An entity that is new or has changed, ready to be written.
#[derive(Debug, Clone)]
pub struct Prepared {
    hashed: Hashed,
    chunks: Vec<String>,
    payload: String,
    capture: Bytes,
}

impl Prepared {
    /// Its id in the source.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.hashed.entity.id
    }

    /// Splits the text and makes the capture. Takes time in proportion to the text: call it where blocking is allowed.
    #[must_use]
    pub fn new(hashed: Hashed) -> Self {
        let chunks = split(&hashed.entity.text);
        let payload = Value::Object(hashed.entity.fields.clone()).to_string();
        let capture = capture(&hashed);
        Self { hashed, chunks, payload, capture }
    }

    /// The entity's key.
    #[must_use]
    pub const fn key(&self) -> EntityKey {
        self.hashed.key
    }

    /// How many chunks it has.
    #[must_use]
    pub fn chunk_count(&self) -> u32 {
        u32::try_from(self.chunks.len()).unwrap_or(u32::MAX)
    }

    /// Its blobs for ARF: the capture, and the raw file if there is one.
    pub fn blobs(&self) -> impl Iterator<Item = Blob> {
        let key = self.hashed.key;
        let name = self.hashed.file_name();
        let content = self.hashed.entity.file.as_ref().map(|file| file.bytes.clone());
        let file = name.zip(content).map(|(name, content)| Blob::file(key, name, content));
        std::iter::once(Blob::capture(key, self.capture.clone())).chain(file)
    }

    /// What is said before it is written.
    #[must_use]
    pub fn intent(&self) -> EntityIntent {
        let entity = &self.hashed.entity;
        EntityIntent {
            key: self.hashed.key,
            class: without_nul(entity.class),
            id: without_nul(&entity.id),
            document_type: entity.document_type,
            chunk_count: self.chunk_count(),
            file_name: self.hashed.file_name(),
        }
    }

    /// What is said after it was written.
    #[must_use]
    pub fn written(&self) -> WrittenEntity {
        WrittenEntity { key: self.hashed.key, content_hash: self.hashed.hash, chunk_count: self.chunk_count() }
    }

    /// The id of one of its documents.
    #[must_use]
    pub fn document_id(&self, job: &ClaimedJob, chunk: u32) -> DocumentId {
        DocumentId::chunk(self.hashed.entity.document_type, job.sync_id, self.hashed.key, chunk)
    }

    /// What is embedded of one of its chunks: the chunk, after the name of what it is a chunk of. An entity without
    /// text is still found by its name.
    #[must_use]
    pub fn embedding_input(&self, chunk: u32) -> String {
        let name: String = self.hashed.entity.name.chars().take(EMBEDDED_NAME_CHARS).collect();
        format!("{name}\n{}", self.chunk(chunk).unwrap_or_default())
    }

    fn chunk(&self, chunk: u32) -> Option<&str> {
        usize::try_from(chunk).ok().and_then(|chunk| self.chunks.get(chunk)).map(String::as_str)
    }

    /// One of its documents, with its vector if it has one.
    #[must_use]
    pub fn document(&self, job: &ClaimedJob, chunk: u32, vector: Option<Embedding>) -> Document {
        let entity = &self.hashed.entity;
        Document {
            entity_id: entity.id.clone(),
            name: entity.name.clone(),
            textual_representation: self.chunk(chunk).unwrap_or_default().to_owned(),
            payload: self.payload.clone(),
            created_at: entity.created_at.map(|time| time.timestamp()),
            updated_at: entity.updated_at.map(|time| time.timestamp()),
            breadcrumbs: breadcrumbs(entity),
            web_url: entity.web_url.clone(),
            url: None,
            access_is_public: None,
            access_viewers: Vec::new(),
            sync_id: job.sync_id,
            sync_job_id: job.job_id,
            collection_id: job.collection_id,
            original_entity_id: entity.id.clone(),
            entity_type: entity.class.to_owned(),
            source_name: job.short_name.clone(),
            content_hash: hex::encode(self.hashed.hash),
            chunk_index: chunk,
            dense_embedding: vector,
        }
    }
}

fn breadcrumbs(entity: &SourceEntity) -> Vec<Breadcrumb> {
    let crumbs = entity.breadcrumbs.iter();
    crumbs
        .map(|crumb| Breadcrumb {
            entity_id: crumb.entity_id.clone(),
            name: crumb.name.clone(),
            entity_type: crumb.entity_type.to_owned(),
        })
        .collect()
}

/// The entity as it came, without the bytes of its file, which are a blob of their own.
fn capture(hashed: &Hashed) -> Bytes {
    let full = capture_with(hashed, Some(&hashed.entity.text)).to_string();
    if u64::try_from(full.len()).unwrap_or(u64::MAX) <= MAX_BLOB_BYTES {
        return full.into();
    }
    // Escapes can make the text larger than a blob may be; it is in the raw file and in the chunks.
    capture_with(hashed, None).to_string().into()
}

fn capture_with(hashed: &Hashed, text: Option<&str>) -> Value {
    let entity = &hashed.entity;
    json!({
        "entity_id": entity.id,
        "entity_type": entity.class,
        "name": entity.name,
        "textual_representation": text,
        "fields": entity.fields,
        "breadcrumbs": breadcrumbs(entity),
        "created_at": entity.created_at,
        "updated_at": entity.updated_at,
        "web_url": entity.web_url,
        "file_name": hashed.file_name(),
        "content_hash": hex::encode(hashed.hash),
    })
}

/// PostgreSQL's text holds everything but NUL.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::super::chunk::CHUNK_CHARS;
    use super::super::tests::entity;
    use super::*;

    fn prepared(text: &str) -> Prepared {
        let entity = entity("a", text);
        Prepared::new(Hashed::new(EntityKey::new(entity.class, &entity.id), entity, 10, None))
    }

    #[test]
    fn an_entity_without_text_has_one_chunk() {
        assert_eq!(prepared("").chunk_count(), 1);
        assert_eq!(prepared(" \n ").chunk_count(), 1);
    }

    #[test]
    fn chunks_are_of_bounded_length_and_lose_no_word() {
        let text = (0..2_000).map(|word| format!("word{word}")).collect::<Vec<_>>().join(" ");
        let prepared = prepared(&text);
        assert!(prepared.chunk_count() >= 10);
        assert!(prepared.chunks.iter().all(|chunk| chunk.chars().count() <= CHUNK_CHARS));
        assert_eq!(prepared.chunks.join(" "), text);
    }

    #[test]
    fn a_file_that_is_too_large_is_left_out() {
        let mut small = entity("a", "text");
        small.file = Some(RawFile { name: "f".to_owned(), bytes: Bytes::from_static(b"0123456789") });
        let mut large = small.clone();
        large.file = Some(RawFile { name: "f".to_owned(), bytes: Bytes::from_static(b"0123456789+") });
        let key = EntityKey::new("T", "a");
        assert!(Hashed::new(key, small, 10, None).entity.file.is_some());
        assert!(Hashed::new(key, large, 10, None).entity.file.is_none());
    }

    #[test]
    fn a_capture_is_never_larger_than_a_blob() {
        let text = "\u{1}".repeat(usize::try_from(MAX_BLOB_BYTES).unwrap() / 4);
        let hashed = Hashed::new(EntityKey::new("T", "a"), entity("a", &text), 10, None);
        assert!(u64::try_from(capture(&hashed).len()).unwrap() < MAX_BLOB_BYTES);
    }
}
