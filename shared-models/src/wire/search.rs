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

/// A container that a hit is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Breadcrumb {
    pub entity_id: String,
    pub name: Option<String>,
    pub entity_type: Option<String>,
}

/// Where a hit came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SystemMetadata {
    pub source_name: Option<String>,
    pub entity_type: Option<String>,
    pub sync_id: SyncId,
    pub sync_job_id: Option<SyncJobId>,
    pub chunk_index: Option<i64>,
    pub original_entity_id: Option<String>,
}

/// Who may see a hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Access {
    pub viewers: Option<Vec<String>>,
    pub is_public: Option<bool>,
}

/// One hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SearchResult {
    pub entity_id: String,
    pub name: String,
    pub relevance_score: f64,
    pub breadcrumbs: Vec<Breadcrumb>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    pub textual_representation: String,
    pub airweave_system_metadata: SystemMetadata,
    pub access: Access,
    pub web_url: String,
    pub url: Option<String>,
    pub raw_source_fields: BTreeMap<String, Value>,
}

/// The answer of instant and classic search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchResults {
    /// The hits, best first.
    pub results: Vec<SearchResult>,
}

/// One hit as older clients know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LegacyResult {
    pub id: String,
    pub score: f64,
    pub entity_id: String,
    pub name: String,
    pub textual_representation: String,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    pub breadcrumbs: Vec<Breadcrumb>,
    pub system_metadata: SystemMetadata,
    pub access: Access,
    pub source_fields: BTreeMap<String, Value>,
}

/// The answer that older clients know; there is no language model, so no completion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LegacyResults {
    pub results: Vec<LegacyResult>,
    pub completion: Option<String>,
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
