//! Search on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{SyncId, SyncJobId};
use crate::text_enum::text_enum;

text_enum! {
    /// How hits are found and ranked.
    RetrievalStrategy, "retrieval strategy", {
        /// By keywords and by meaning.
        Hybrid = "hybrid",
        /// By meaning.
        Semantic = "semantic",
        /// By keywords.
        Keyword = "keyword",
    }
}

text_enum! {
    /// What kind of answer an older client wants.
    ResponseType, "response type", {
        /// The hits.
        Raw = "raw",
        /// A text made from the hits; without a language model there is none, and the hits are all.
        Completion = "completion",
    }
}

text_enum! {
    /// How a search of the oldest form ended.
    SearchStatus, "search status", {
        /// With hits.
        Success = "success",
        /// With hits that don't answer the question; never said here.
        NoRelevantResults = "no_relevant_results",
        /// Without hits.
        NoResults = "no_results",
    }
}

/// A container that a hit is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = SearchBreadcrumb))]
pub struct Breadcrumb {
    /// The container's id at its source.
    pub entity_id: String,
    /// Its name; empty if unknown.
    pub name: String,
    /// Its class; empty if unknown.
    pub entity_type: String,
}

/// Where a hit came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = SearchSystemMetadata))]
pub struct SystemMetadata {
    /// The source; empty if unknown.
    pub source_name: String,
    /// The entity's class; empty if unknown.
    pub entity_type: String,
    /// The sync that brought it.
    pub sync_id: SyncId,
    /// The job that last wrote it.
    pub sync_job_id: Option<SyncJobId>,
    /// Which part of the entity this is, from 0.
    pub chunk_index: i64,
    /// The entity's id at its source; empty if unknown.
    pub original_entity_id: String,
}

/// Who may see a hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = SearchAccessControl))]
pub struct Access {
    /// Who may see it, as the source says; null if it says nothing.
    pub viewers: Option<Vec<String>>,
    /// Whether everybody may, as the source says.
    pub is_public: Option<bool>,
}

/// One hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SearchResult {
    /// The entity's id at its source.
    pub entity_id: String,
    /// Its name.
    pub name: String,
    /// How well it fits; higher is better, comparable within one answer.
    pub relevance_score: f64,
    /// The containers that it is in, the outermost first.
    pub breadcrumbs: Vec<Breadcrumb>,
    /// When it was created at its source.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub created_at: Option<String>,
    /// When it was last changed at its source.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub updated_at: Option<String>,
    /// The text that was found.
    pub textual_representation: String,
    /// Where it came from.
    pub airweave_system_metadata: SystemMetadata,
    /// Who may see it.
    pub access: Access,
    /// Where it is on the web; empty if nowhere.
    pub web_url: String,
    /// Where the file itself is.
    pub url: Option<String>,
    /// The source's own fields.
    pub raw_source_fields: BTreeMap<String, Value>,
}

/// The answer of instant and classic search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = SearchV2Response))]
pub struct SearchResults {
    /// The hits, best first.
    pub results: Vec<SearchResult>,
}

/// One hit as older clients know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = LegacySearchResult))]
pub struct LegacyResult {
    /// The same as `entity_id`.
    pub id: String,
    /// How well it fits; higher is better.
    pub score: f64,
    /// The entity's id at its source.
    pub entity_id: String,
    /// Its name.
    pub name: String,
    /// The text that was found.
    pub textual_representation: String,
    /// When it was created at its source.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub created_at: Option<String>,
    /// When it was last changed at its source.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub updated_at: Option<String>,
    /// The containers that it is in, the outermost first.
    pub breadcrumbs: Vec<Breadcrumb>,
    /// Where it came from.
    pub system_metadata: SystemMetadata,
    /// Who may see it.
    pub access: Access,
    /// The source's own fields.
    pub source_fields: BTreeMap<String, Value>,
}

/// The answer that older clients know; there is no language model, so no completion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = LegacySearchResponse))]
pub struct LegacyResults {
    /// The hits, best first.
    pub results: Vec<LegacyResult>,
    /// Always null: there is no language model.
    pub completion: Option<String>,
}

/// The answer that the oldest clients know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DeprecatedSearchResponse))]
pub struct OlderResults {
    /// The hits, best first.
    pub results: Vec<LegacyResult>,
    /// The kind of answer that was asked for.
    pub response_type: ResponseType,
    /// Always null: there is no language model.
    pub completion: Option<String>,
    /// Whether there are hits.
    pub status: SearchStatus,
}

impl OlderResults {
    /// The same hits in the oldest form.
    #[must_use]
    pub fn new(found: SearchResults, response_type: ResponseType) -> Self {
        let LegacyResults { results, completion } = found.into();
        let status = if results.is_empty() { SearchStatus::NoResults } else { SearchStatus::Success };
        Self { results, response_type, completion, status }
    }
}

impl From<SearchResults> for LegacyResults {
    fn from(found: SearchResults) -> Self {
        Self { results: found.results.into_iter().map(LegacyResult::from).collect(), completion: None }
    }
}

impl From<SearchResult> for LegacyResult {
    fn from(hit: SearchResult) -> Self {
        Self {
            id: hit.entity_id.clone(),
            score: hit.relevance_score,
            entity_id: hit.entity_id,
            name: hit.name,
            textual_representation: hit.textual_representation,
            created_at: hit.created_at,
            updated_at: hit.updated_at,
            breadcrumbs: hit.breadcrumbs,
            system_metadata: hit.airweave_system_metadata,
            access: hit.access,
            source_fields: hit.raw_source_fields,
        }
    }
}
