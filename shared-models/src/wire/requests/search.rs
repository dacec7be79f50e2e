//! Bodies of searches.

use serde::{Deserialize, Serialize};

use super::super::search::RetrievalStrategy;
use crate::text_enum::text_enum;

text_enum! {
    /// What of an entity a filter looks at.
    FilterableField, "filterable field", {
        /// The entity's id at its source.
        EntityId = "entity_id",
        /// Its name.
        Name = "name",
        /// When it was created at its source.
        CreatedAt = "created_at",
        /// When it was last changed at its source.
        UpdatedAt = "updated_at",
        /// The id of a container that it is in.
        BreadcrumbEntityId = "breadcrumbs.entity_id",
        /// The name of a container that it is in.
        BreadcrumbName = "breadcrumbs.name",
        /// The class of a container that it is in.
        BreadcrumbEntityType = "breadcrumbs.entity_type",
        /// Its class.
        EntityType = "airweave_system_metadata.entity_type",
        /// Its source.
        SourceName = "airweave_system_metadata.source_name",
        /// Its id at its source, the same for all its parts.
        OriginalEntityId = "airweave_system_metadata.original_entity_id",
        /// Which part of the entity it is, from 0.
        ChunkIndex = "airweave_system_metadata.chunk_index",
        /// The sync that brought it.
        SyncId = "airweave_system_metadata.sync_id",
        /// The job that last wrote it.
        SyncJobId = "airweave_system_metadata.sync_job_id",
    }
}

text_enum! {
    /// How a filter compares. Order is for times and `chunk_index`, `contains` for texts.
    FilterOperator, "filter operator", {
        /// The same.
        Equals = "equals",
        /// Not the same.
        NotEquals = "not_equals",
        /// The text has this part.
        Contains = "contains",
        /// Greater, or later.
        GreaterThan = "greater_than",
        /// Less, or earlier.
        LessThan = "less_than",
        /// Greater or the same.
        GreaterThanOrEqual = "greater_than_or_equal",
        /// Less or the same.
        LessThanOrEqual = "less_than_or_equal",
        /// One of a list.
        In = "in",
        /// None of a list.
        NotIn = "not_in",
    }
}

/// What a filter compares with: one value, or a list for `in` and `not_in`. Times are ISO 8601, texts have at most 4096
/// characters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum FilterValue {
    /// A text or a time.
    Text(String),
    /// A number, for `chunk_index`.
    Number(f64),
    /// true or false; no field is of that kind.
    Flag(bool),
    /// Several of them.
    List(Vec<FilterItem>),
}

/// One value of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum FilterItem {
    /// A text or a time.
    Text(String),
    /// A number, for `chunk_index`.
    Number(f64),
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[expect(missing_docs, reason = "the types say it")]
pub struct FilterCondition {
    pub field: FilterableField,
    pub operator: FilterOperator,
    pub value: FilterValue,
}

/// Conditions that must all hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FilterGroup {
    /// The conditions.
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub conditions: Vec<FilterCondition>,
}

/// What to look for; not blank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 10_000, pattern = "\\S"))]
pub struct SearchText(pub String);

/// Which of a search's hits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SearchPage {
    /// Most hits to return.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000, default = 100))]
    pub limit: Option<u32>,
    /// Hits to skip.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 10_000, default = 0))]
    pub offset: Option<u32>,
}

/// A search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"query": "refund policy", "limit": 10})))]
pub struct InstantSearchRequest {
    #[expect(missing_docs, reason = "the type says it")]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub query: SearchText,
    /// How to find and rank; the header `X-Retrieval-Strategy` says what was really done.
    #[cfg_attr(feature = "openapi", schema(default = "hybrid"))]
    pub retrieval_strategy: Option<RetrievalStrategy>,
    /// Groups of conditions, of which at least one must hold.
    pub filter: Option<Vec<FilterGroup>>,
    /// Which of the hits.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub page: SearchPage,
}

/// A search that a language model would plan; without one it is answered like an instant search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"query": "refund policy"})))]
pub struct ClassicSearchRequest {
    #[expect(missing_docs, reason = "the type says it")]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub query: SearchText,
    /// Groups of conditions, of which at least one must hold.
    pub filter: Option<Vec<FilterGroup>>,
    /// Which of the hits.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub page: SearchPage,
}

/// A search that a language model would carry out step by step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"query": "refund policy"})))]
pub struct AgenticSearchRequest {
    #[expect(missing_docs, reason = "the type says it")]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub query: SearchText,
    /// Whether the model is to think aloud.
    #[cfg_attr(feature = "openapi", schema(default = false))]
    pub thinking: Option<bool>,
    /// Groups of conditions, of which at least one must hold.
    pub filter: Option<Vec<FilterGroup>>,
    /// Most hits to return.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub limit: Option<i64>,
}
