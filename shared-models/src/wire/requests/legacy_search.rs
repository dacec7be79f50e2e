//! Bodies of searches as older clients write them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::search::ResponseType;
use super::search::{SearchPage, SearchText};
use crate::ids::SourceConnectionId;
use crate::text_enum::text_enum;

text_enum! {
    /// How older clients want hits to be found and ranked.
    LegacyStrategy, "older retrieval strategy", {
        /// By keywords and by meaning.
        Hybrid = "hybrid",
        /// By meaning.
        Neural = "neural",
        /// By meaning.
        Semantic = "semantic",
        /// By keywords.
        Keyword = "keyword",
    }
}

text_enum! {
    /// How a question was to be rephrased, which isn't done any more.
    ExpansionStrategy, "expansion strategy", {
        /// As the server liked.
        Auto = "auto",
        /// By a language model.
        Llm = "llm",
        /// Not at all.
        NoExpansion = "no_expansion",
    }
}

/// A filter in the form of older clients: all of `must`, at least one of `should` and none of `must_not` have to hold.
///
/// A condition is `{"key", "match": {"value" | "any" | "except" | "text"}}`,
/// `{"key", "range": {"gt", "gte", "lt", "lte"}}`, `{"has_id": [...]}`,
/// `{"nested": {"key": "breadcrumbs", "filter": {"must": [...]}}}`, or such a filter again. What isn't known here is
/// refused, never ignored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LegacyFilter {
    /// Conditions that must all hold.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Object>>))]
    pub must: Option<Vec<Map<String, Value>>>,
    /// Conditions of which at least one must hold.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Object>>))]
    pub should: Option<Vec<Map<String, Value>>>,
    /// Conditions of which none may hold.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Object>>))]
    pub must_not: Option<Vec<Map<String, Value>>>,
    /// 1, as always.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1))]
    pub minimum_should_match: Option<u32>,
}

/// A search in one of the two forms that older clients use, told apart by their fields. Fields that ask for a language
/// model are checked and have no effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"query": "refund policy"})))]
pub struct LegacySearchRequest {
    #[expect(missing_docs, reason = "the type says it")]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub query: SearchText,
    /// What hits must be like.
    pub filter: Option<LegacyFilter>,
    /// Which of the hits.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub page: SearchPage,
    /// How to find and rank.
    pub retrieval_strategy: Option<LegacyStrategy>,
    /// Only what these connections brought.
    #[cfg_attr(feature = "openapi", schema(max_items = 10_000))]
    pub source_connection_ids: Option<Vec<SourceConnectionId>>,
    /// Without effect.
    pub temporal_relevance: Option<f64>,
    /// Without effect.
    pub expand_query: Option<bool>,
    /// Without effect.
    pub interpret_filters: Option<bool>,
    /// Without effect.
    pub rerank: Option<bool>,
    /// Without effect.
    pub generate_answer: Option<bool>,
    /// The oldest form: the kind of answer.
    pub response_type: Option<ResponseType>,
    /// The oldest form: how to find and rank.
    pub search_method: Option<LegacyStrategy>,
    /// The oldest form: without effect.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub score_threshold: Option<f64>,
    /// The oldest form: without effect.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1))]
    pub recency_bias: Option<f64>,
    /// The oldest form: without effect.
    pub expansion_strategy: Option<ExpansionStrategy>,
    /// The oldest form: without effect.
    pub enable_reranking: Option<bool>,
    /// The oldest form: without effect.
    pub enable_query_interpretation: Option<bool>,
}
