//! A document as it is written to Vespa and returned by a search.

use serde::{Deserialize, Serialize};
use shared_models::{CollectionId, SyncId, SyncJobId};

use crate::embedder::Embedding;

/// One chunk of an entity. Field names are those of `base_entity.sd`; a test keeps the two in step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The entity's id at its source.
    #[serde(default)]
    pub entity_id: String,
    /// The entity's name.
    #[serde(default)]
    pub name: String,
    /// The chunk's text, searched and shown.
    #[serde(default)]
    pub textual_representation: String,
    /// The chunk's text in scripts without blanks between words, as pairs of characters: searched, never shown.
    /// [`super::bigrams()`] makes it.
    #[serde(skip_deserializing, skip_serializing_if = "String::is_empty")]
    pub cjk_bigrams: String,
    /// The source's own fields, as JSON text: empty if they are large.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub payload: String,
    /// The same if they are large, in the first chunk only. No search returns it:
    /// [`super::VespaClient::large_payload`].
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub large_payload: Option<String>,
    /// How long [`Self::large_payload`] of the first chunk is, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub large_payload_bytes: Option<i32>,
    /// When the entity was made at its source, in seconds since 1970 (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<i64>,
    /// When the entity was last changed at its source, in seconds since 1970 (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<i64>,
    /// Where the entity is at its source, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breadcrumbs: Vec<Breadcrumb>,
    /// Where a person can open the entity.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub web_url: String,
    /// Where a file can be downloaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether everybody may see the entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_is_public: Option<bool>,
    /// Who may see the entity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_viewers: Vec<String>,
    /// The sync: what counts, purges and searches go by.
    #[serde(rename = "airweave_system_metadata_sync_id")]
    pub sync_id: SyncId,
    /// Sync and slot in one number, [`shared_models::purge_key`]: what a purge goes by. Documents of earlier versions
    /// and of other systems have none.
    #[serde(
        rename = "airweave_system_metadata_purge_key",
        skip_deserializing,
        skip_serializing_if = "Option::is_none"
    )]
    pub purge_key: Option<i64>,
    /// The job that wrote the document.
    #[serde(rename = "airweave_system_metadata_sync_job_id")]
    pub sync_job_id: SyncJobId,
    /// The collection.
    #[serde(rename = "airweave_system_metadata_collection_id")]
    pub collection_id: CollectionId,
    /// The id of the entity that this is a chunk of.
    #[serde(rename = "airweave_system_metadata_original_entity_id", default)]
    pub original_entity_id: String,
    /// The entity's class, e.g. `PostgreSQLRowEntity`.
    #[serde(rename = "airweave_system_metadata_entity_type", default)]
    pub entity_type: String,
    /// The source's short name.
    #[serde(rename = "airweave_system_metadata_source_name", default)]
    pub source_name: String,
    /// Hash of the entity's content, in the first chunk only.
    #[serde(rename = "airweave_system_metadata_content_hash", default, skip_serializing_if = "String::is_empty")]
    pub content_hash: String,
    /// Which chunk of the entity this is, from 0. An `int` of Vespa has a sign.
    #[serde(rename = "airweave_system_metadata_chunk_index", default)]
    pub chunk_index: i32,
    /// The chunk's direction in the space of meanings, if there is an embedder.
    /// A search finds by it but never returns it.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub dense_embedding: Option<Embedding>,
}

/// One step of the way to an entity at its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breadcrumb {
    /// Id of the container.
    #[serde(default)]
    pub entity_id: String,
    /// Name of the container.
    #[serde(default)]
    pub name: String,
    /// Class of the container.
    #[serde(default)]
    pub entity_type: String,
}

/// The fields of a document that a hit shows: all but what is searched only, or may be large.
pub(super) const SHOWN: [&str; 20] = [
    "entity_id",
    "name",
    "textual_representation",
    "payload",
    "large_payload_bytes",
    "created_at",
    "updated_at",
    "breadcrumbs",
    "web_url",
    "url",
    "access_is_public",
    "access_viewers",
    "airweave_system_metadata_sync_id",
    "airweave_system_metadata_sync_job_id",
    "airweave_system_metadata_collection_id",
    "airweave_system_metadata_original_entity_id",
    "airweave_system_metadata_entity_type",
    "airweave_system_metadata_source_name",
    "airweave_system_metadata_content_hash",
    "airweave_system_metadata_chunk_index",
];
