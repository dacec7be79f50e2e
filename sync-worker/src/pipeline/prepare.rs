//! From what a source yields to what is written: hash, chunks, the capture for ARF, the documents for Vespa.

use bytes::Bytes;
use serde_json::{Value, json};
use shared_database::entities::{EntityIntent, WrittenEntity};
use shared_database::jobs::ClaimedJob;
use shared_models::{DocumentId, EntityKey, purge_key};
use shared_stores::arf::{Blob, BlobForm, MAX_BLOB_BYTES};
use shared_stores::embedder::{EmbedderIdentity, Embedding};
use shared_stores::vespa::{Breadcrumb, Document, bigrams};

use super::about::About;
use super::chunk::split;
use super::hash::content_hash;
use crate::sources::{RawFile, SourceEntity};

/// Fields that take no more bytes of JSON stand in every chunk; larger ones in the first chunk, which search looks up.
const SMALL_PAYLOAD_BYTES: usize = 1024;

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

    /// The key by which a version before blob keys knew it.
    #[must_use]
    pub fn older_key(&self) -> EntityKey {
        EntityKey::unkeyed(self.entity.class, &self.entity.id)
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
    /// The first one begins with what is known of the entity.
    chunks: Vec<String>,
    /// What every other chunk is embedded after.
    place: String,
    payload: Payload,
    /// Name of the raw file.
    file_name: Option<String>,
    /// The capture, and the raw file if there is one.
    blobs: Vec<Blob>,
}

/// The fields as JSON.
#[derive(Debug, Clone)]
enum Payload {
    Small(String),
    Large { json: String, bytes: i32 },
}

impl Payload {
    fn of(entity: &SourceEntity) -> Self {
        let json = Value::Object(entity.fields.clone()).to_string();
        match i32::try_from(json.len()) {
            Ok(bytes) if json.len() > SMALL_PAYLOAD_BYTES => Self::Large { json, bytes },
            Ok(_) | Err(_) => Self::Small(json),
        }
    }
}

impl Prepared {
    /// Its id in the source.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.hashed.entity.id
    }

    /// Splits the text, after what is known of the entity, and makes the blobs, of which it keeps the file no second
    /// time. Takes time in proportion to text and file: call it where blocking is allowed.
    #[must_use]
    pub fn new(mut hashed: Hashed, source: &str, blob_form: &BlobForm) -> Self {
        let about = About::of(&hashed.entity, source);
        let (chunks, place) = (split(&about.whole(), &hashed.entity.text), about.place());
        let payload = Payload::of(&hashed.entity);
        let (key, file_name) = (hashed.key, hashed.file_name());
        let mut blobs = vec![blob_form.capture(key, capture(&hashed))];
        blobs.extend(hashed.entity.file.take().map(|file| blob_form.file(key, file.bytes)));
        Self { hashed, chunks, place, payload, file_name, blobs }
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
        self.blobs.iter().cloned()
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
            file_name: self.file_name.clone(),
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

    /// What is embedded of one of its chunks: the chunk, after what it is a chunk of.
    #[must_use]
    pub fn embedding_input(&self, chunk: u32) -> String {
        let text = self.chunk(chunk).unwrap_or_default();
        if chunk == 0 { text.to_owned() } else { format!("{}\n{text}", self.place) }
    }

    fn chunk(&self, chunk: u32) -> Option<&str> {
        usize::try_from(chunk).ok().and_then(|chunk| self.chunks.get(chunk)).map(String::as_str)
    }

    /// One of its documents, with its vector if it has one.
    #[must_use]
    pub fn document(&self, job: &ClaimedJob, chunk: u32, vector: Option<Embedding>) -> Document {
        let entity = &self.hashed.entity;
        let text = self.chunk(chunk).unwrap_or_default();
        let (payload, large_payload, large_payload_bytes) = match &self.payload {
            Payload::Small(json) => (json.clone(), None, None),
            Payload::Large { json, bytes } => (String::new(), (chunk == 0).then(|| json.clone()), Some(*bytes)),
        };
        Document {
            entity_id: entity.id.clone(),
            name: entity.name.clone(),
            textual_representation: text.to_owned(),
            cjk_bigrams: bigrams(text),
            payload,
            large_payload,
            large_payload_bytes,
            created_at: entity.created_at.map(|time| time.timestamp()),
            updated_at: entity.updated_at.map(|time| time.timestamp()),
            breadcrumbs: breadcrumbs(entity),
            web_url: entity.web_url.clone(),
            url: None,
            access_is_public: None,
            access_viewers: Vec::new(),
            sync_id: job.sync_id,
            purge_key: Some(purge_key(job.sync_id, self.hashed.key)),
            sync_job_id: job.job_id,
            collection_id: job.collection_id,
            original_entity_id: entity.id.clone(),
            entity_type: entity.class.to_owned(),
            source_name: job.short_name.clone(),
            content_hash: if chunk == 0 { hex::encode(self.hashed.hash) } else { String::new() },
            chunk_index: i32::try_from(chunk).unwrap_or(i32::MAX),
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
    use shared_models::{CollectionId, OrganizationId, SourceConnectionId, SyncId, SyncJobId};

    use super::super::chunk::CHUNK_CHARS;
    use super::super::tests::entity;
    use super::*;

    const KEY: EntityKey = EntityKey([7; 16]);

    fn hashed(entity: SourceEntity) -> Hashed {
        Hashed::new(KEY, entity, 10, None)
    }

    fn prepared(text: &str) -> Prepared {
        let entity = entity("a", text);
        Prepared::new(hashed(entity), "stub", &BlobForm::Plain)
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
        assert!(prepared.chunks.join(" ").ends_with(&text));
    }

    #[test]
    fn the_first_chunk_begins_with_what_is_known_and_all_are_embedded_with_it() {
        let prepared = prepared(&"zebra ".repeat(1_000));
        let first = prepared.embedding_input(0);
        assert!(
            first.starts_with("source: stub\ntype: TestEntity (test)\nname: Entity a\ncontent:\nzebra zebra"),
            "{first}"
        );
        assert_eq!(prepared.chunk(0), Some(first.as_str()));
        let second = prepared.embedding_input(1);
        assert!(second.starts_with("stub, test, Entity a\nzebra zebra"), "{second}");
        assert!(!prepared.chunk(1).unwrap().contains("Entity a"));
    }

    #[test]
    fn large_fields_stand_in_the_first_chunk_only() {
        let documents = |value: &str| {
            let mut entity = entity("a", &"zebra ".repeat(1_000));
            entity.fields.insert("field".to_owned(), value.into());
            let prepared = Prepared::new(hashed(entity), "stub", &BlobForm::Plain);
            [0, 1].map(|chunk| prepared.document(&job(), chunk, None))
        };
        for small in documents("x") {
            assert_eq!((small.payload.as_str(), &small.large_payload), (r#"{"field":"x"}"#, &None));
            assert_eq!(small.large_payload_bytes, None);
        }
        let [first, second] = documents(&"x".repeat(SMALL_PAYLOAD_BYTES));
        let json = first.large_payload.unwrap();
        assert_eq!((first.payload.as_str(), second.payload.as_str(), second.large_payload), ("", "", None));
        assert_eq!(first.large_payload_bytes, i32::try_from(json.len()).ok());
        assert_eq!(first.large_payload_bytes, second.large_payload_bytes);
    }

    /// What is put into the index, vectors aside, for a row of many long columns: its text once in chunks, its fields
    /// once, and what search needs of each chunk.
    #[test]
    fn the_index_holds_less_than_three_bytes_for_each_byte_of_a_wide_row() {
        let mut wide = entity("public.w/[1]", "");
        for column in 0..15 {
            let value = format!("widezebra {column} ").repeat(600);
            wide.text.push_str(&format!("c{column}: {value}\n"));
            wide.fields.insert(format!("c{column}"), value.into());
        }
        let source_bytes: usize = wide.fields.values().map(|value| value.as_str().unwrap().len()).sum();
        let prepared = Prepared::new(hashed(wide), "postgresql", &BlobForm::Plain);
        let of = |chunk| serde_json::to_vec(&prepared.document(&job(), chunk, None)).unwrap().len();
        let index_bytes: usize = (0..prepared.chunk_count()).map(of).sum();
        assert!(prepared.chunk_count() > 60);
        assert!(index_bytes < 3 * source_bytes, "{index_bytes} for {source_bytes}");
    }

    fn job() -> ClaimedJob {
        ClaimedJob {
            job_id: SyncJobId::random(),
            sync_id: SyncId::random(),
            force_full_sync: false,
            request_id: None,
            source_connection_id: SourceConnectionId::random(),
            organization_id: OrganizationId::random(),
            collection_id: CollectionId::random(),
            short_name: "stub".to_owned(),
            config: json!({}),
            cursor: None,
            cursor_form: None,
            follows_lost_worker: false,
        }
    }

    #[test]
    fn a_file_that_is_too_large_is_left_out() {
        let mut small = entity("a", "text");
        small.file = Some(RawFile { name: "f".to_owned(), bytes: Bytes::from_static(b"0123456789") });
        let mut large = small.clone();
        large.file = Some(RawFile { name: "f".to_owned(), bytes: Bytes::from_static(b"0123456789+") });
        assert!(hashed(small).entity.file.is_some());
        assert!(hashed(large).entity.file.is_none());
    }

    #[test]
    fn a_capture_is_never_larger_than_a_blob() {
        let text = "\u{1}".repeat(usize::try_from(MAX_BLOB_BYTES).unwrap() / 4);
        assert!(u64::try_from(capture(&hashed(entity("a", &text))).len()).unwrap() < MAX_BLOB_BYTES);
    }
}
