//! What a source yields.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use shared_models::DocumentType;

/// One thing that a source yields; becomes an entity row, documents and blobs.
#[derive(Debug, Clone)]
pub struct SourceEntity {
    /// Entity class, e.g. `FileEntity`.
    pub class: &'static str,
    /// Id, unique within its class in this source.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// The type its documents get.
    pub document_type: DocumentType,
    /// The text to search in; split into chunks later.
    pub text: String,
    /// The source's own fields, as shown to clients; part of the content hash.
    pub fields: Map<String, Value>,
    /// From the outermost container inwards.
    pub breadcrumbs: Vec<Breadcrumb>,
    /// When the source says it was created.
    pub created_at: Option<DateTime<Utc>>,
    /// When the source says it was changed.
    pub updated_at: Option<DateTime<Utc>>,
    /// Where people see it.
    pub web_url: String,
    /// The raw file, if it has one and it isn't too large.
    pub file: Option<RawFile>,
    /// What changes whenever the rest does, if the source can tell without reading it: then it alone is compared, and a
    /// source may offer it before it reads ([`EntitySink::keep_unchanged`](crate::EntitySink::keep_unchanged)).
    pub version: Option<String>,
}

/// A container that an entity is in.
#[derive(Debug, Clone)]
pub struct Breadcrumb {
    /// The container's entity id.
    pub entity_id: String,
    /// Its name.
    pub name: String,
    /// Its class.
    pub entity_type: &'static str,
}

/// The bytes behind a file entity.
#[derive(Debug, Clone)]
pub struct RawFile {
    /// File name, without folders.
    pub name: String,
    /// Content.
    pub bytes: Bytes,
}
