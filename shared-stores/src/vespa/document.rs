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
    /// The source's own fields, as JSON text.
    #[serde(default)]
    pub payload: String,
    /// When the entity was made at its source, in seconds since 1970 (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<i64>,
    /// When the entity was last changed at its source, in seconds since 1970 (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<i64>,
    /// Where the entity is at its source, outermost first.
    #[serde(default)]
    pub breadcrumbs: Vec<Breadcrumb>,
    /// Where a person can open the entity.
    #[serde(default)]
    pub web_url: String,
    /// Where a file can be downloaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether everybody may see the entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_is_public: Option<bool>,
    /// Who may see the entity.
    #[serde(default)]
    pub access_viewers: Vec<String>,
    /// The sync: what counts, purges and searches go by.
    #[serde(rename = "airweave_system_metadata_sync_id")]
    pub sync_id: SyncId,
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
    /// Hash of the entity's content: what makes a second sync skip it.
    #[serde(rename = "airweave_system_metadata_content_hash", default)]
    pub content_hash: String,
    /// Which chunk of the entity this is, from 0.
    #[serde(rename = "airweave_system_metadata_chunk_index", default)]
    pub chunk_index: u32,
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
