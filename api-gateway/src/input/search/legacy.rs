//! Searches in the two forms that older clients use, told apart by their fields.
//!
//! Fields that ask for a language model are checked and have no effect: there is none.

use serde_json::{Map, Value};
use shared_models::SourceConnectionId;
use shared_models::wire::search::{ResponseType, RetrievalStrategy};

use super::legacy_filter::legacy_filter;
use super::{QUERY_CHARS, SearchInput, read, small};
use crate::input::{Body, Fields, Query, one_of};
use crate::problem::Problem;

/// A search of an older client.
#[derive(Debug, Clone, PartialEq)]
pub struct LegacyInput {
    /// What is searched for.
    pub search: SearchInput,
    /// What the answer looks like.
    pub form: LegacyForm,
    /// Whether it asked to prefer what is new, which isn't done any more.
    pub asks_for_recency: bool,
}

/// The forms of answers, of which the older is deprecated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegacyForm {
    /// Results and completion.
    Newer,
    /// With a status and the kind of answer besides.
    Older(ResponseType),
}

/// Most connections that a search can name.
const MAX_CONNECTIONS: usize = 10_000;

const NEWER: &[&str] = &[
    "retrieval_strategy",
    "source_connection_ids",
    "temporal_relevance",
    "expand_query",
    "interpret_filters",
    "rerank",
    "generate_answer",
];
const OLDER: &[&str] = &[
    "response_type",
    "search_method",
    "score_threshold",
    "recency_bias",
    "expansion_strategy",
    "enable_reranking",
    "enable_query_interpretation",
];

/// Reads a search of an older form.
///
/// # Errors
/// 422.
pub fn legacy(body: &Body) -> Result<LegacyInput, Problem> {
    let given = body.object()?;
    let mut fields = Fields::of_body(given);
    let count =
        |names: &[&str]| names.iter().filter(|name| given.get(**name).is_some_and(|value| !value.is_null())).count();
    // As in the contract's own union: the form of which more fields are there.
    let is_older = count(OLDER) > count(NEWER);
    let connections = connections(&mut fields);
    let strategy = if is_older { "search_method" } else { "retrieval_strategy" };
    let strategy = choice(&mut fields, strategy, STRATEGIES).unwrap_or(RetrievalStrategy::Hybrid);
    let response_type = response_type(&mut fields, is_older);
    for name in ["expand_query", "interpret_filters", "rerank", "generate_answer"] {
        fields.boolean(name);
    }
    for name in ["enable_reranking", "enable_query_interpretation"] {
        fields.boolean(name);
    }
    choice(&mut fields, "expansion_strategy", &[("auto", ()), ("llm", ()), ("no_expansion", ())]);
    let temporal = number(&mut fields, given, "temporal_relevance", f64::MIN..=f64::MAX);
    let recency = number(&mut fields, given, "recency_bias", 0.0..=1.0);
    number(&mut fields, given, "score_threshold", 0.0..=1.0);
    let mut search = read(&mut fields, legacy_filter)?;
    search.strategy = strategy;
    search.connections = connections;
    let form = if is_older { LegacyForm::Older(response_type) } else { LegacyForm::Newer };
    Ok(LegacyInput {
        search,
        form,
        asks_for_recency: [temporal, recency].into_iter().flatten().any(|weight| weight > 0.0),
    })
}

/// Reads a search of the older form from the query parameters.
///
/// # Errors
/// 422.
pub fn legacy_query(query: &mut Query) -> Result<LegacyInput, Problem> {
    let text = query.text("query").unwrap_or_default().to_owned();
    if query.text("query").is_none() {
        query.refuse("query", "Field required", "missing");
    } else if text.trim().is_empty() {
        query.refuse("query", "Value error, Query cannot be empty", "value_error");
    } else if text.chars().count() > *QUERY_CHARS.end() {
        let msg = format!("String should have at most {} characters", QUERY_CHARS.end());
        query.refuse("query", &msg, "string_too_long");
    }
    let response_type = match query.text("response_type").map(str::parse) {
        None => ResponseType::Raw,
        Some(Ok(response_type)) => response_type,
        Some(Err(_)) => {
            query.refuse("response_type", &one_of(ResponseType::NAMES), "enum");
            ResponseType::Raw
        }
    };
    let recency = query.text("recency_bias").map(|text| text.trim().parse::<f64>().ok());
    if recency.is_some_and(|weight| weight.is_none_or(|weight| !(0.0..=1.0).contains(&weight))) {
        query.refuse("recency_bias", "Input should be a number from 0 to 1", "float_parsing");
    }
    let limit = query.integer("limit", super::DEFAULT_LIMIT, super::LIMIT);
    let offset = query.integer("offset", 0, super::OFFSET);
    query.check()?;
    let search = SearchInput {
        text,
        strategy: RetrievalStrategy::Hybrid,
        filter: None,
        limit: small(limit),
        offset: small(offset),
        connections: None,
    };
    let asks_for_recency = recency.flatten().is_some_and(|weight| weight > 0.0);
    Ok(LegacyInput { search, form: LegacyForm::Older(response_type), asks_for_recency })
}

const STRATEGIES: &[(&str, RetrievalStrategy)] = &[
    ("hybrid", RetrievalStrategy::Hybrid),
    ("neural", RetrievalStrategy::Semantic),
    ("semantic", RetrievalStrategy::Semantic),
    ("keyword", RetrievalStrategy::Keyword),
];

fn response_type(fields: &mut Fields<'_>, is_older: bool) -> ResponseType {
    let given =
        choice(fields, "response_type", &[("raw", ResponseType::Raw), ("completion", ResponseType::Completion)]);
    given.filter(|_| is_older).unwrap_or(ResponseType::Raw)
}

fn choice<T: Copy>(fields: &mut Fields<'_>, name: &str, choices: &[(&str, T)]) -> Option<T> {
    let given = fields.text(name, 0..=64)?;
    let found = choices.iter().find(|(text, _)| *text == given).map(|(_, choice)| *choice);
    if found.is_none() {
        let names: Vec<&str> = choices.iter().map(|(text, _)| *text).collect();
        fields.refuse(name, one_of(&names), "enum");
    }
    found
}

fn number(
    fields: &mut Fields<'_>,
    given: &Map<String, Value>,
    name: &str,
    bounds: std::ops::RangeInclusive<f64>,
) -> Option<f64> {
    let number = match given.get(name)? {
        Value::Null => return None,
        Value::Number(number) => number.as_f64(),
        Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let number = number.filter(|number| bounds.contains(number));
    if number.is_none() {
        fields.refuse(name, "Input should be a valid number within its bounds", "float_type");
    }
    number
}

fn connections(fields: &mut Fields<'_>) -> Option<Vec<SourceConnectionId>> {
    let given = fields.value("source_connection_ids")?.as_array();
    if given.is_some_and(|ids| ids.len() > MAX_CONNECTIONS) {
        let msg = format!("List should have at most {MAX_CONNECTIONS} items after validation");
        fields.refuse("source_connection_ids", msg, "too_long");
        return None;
    }
    let ids = given.map(|ids| ids.iter().map(|id| id.as_str()?.parse().ok()).collect::<Option<Vec<_>>>());
    match ids {
        Some(Some(ids)) => Some(ids),
        Some(None) | None => {
            fields.refuse("source_connection_ids", "Input should be a valid list of UUIDs", "list_type");
            None
        }
    }
}
