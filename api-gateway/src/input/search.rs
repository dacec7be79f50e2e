//! Searches as clients ask for them, newer and older ones.

use serde_json::{Map, Value};
use shared_models::SourceConnectionId;
use shared_models::wire::search::RetrievalStrategy;

use super::{Body, Fields, Query};
use crate::problem::Problem;

const LIMIT: std::ops::RangeInclusive<i64> = 1..=1000;
const DEFAULT_LIMIT: i64 = 100;
/// What deploy's query profile lets Vespa skip.
const OFFSET: std::ops::RangeInclusive<i64> = 0..=10_000;
const QUERY_CHARS: std::ops::RangeInclusive<usize> = 0..=10_000;

/// What is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchInput {
    /// A person's words.
    pub text: String,
    /// Most hits to return.
    pub limit: u32,
    /// Hits to skip.
    pub offset: u32,
    /// Only what these connections brought, if the request names some.
    pub connections: Option<Vec<SourceConnectionId>>,
}

/// Reads an instant or classic search.
///
/// # Errors
/// 422.
pub fn instant(body: &Body) -> Result<SearchInput, Problem> {
    let mut fields = Fields::of_body(body.object()?);
    if let Some(strategy) = fields.text("retrieval_strategy", 0..=64)
        && strategy.parse::<RetrievalStrategy>().is_err()
    {
        fields.refuse("retrieval_strategy", "Input should be 'hybrid', 'semantic' or 'keyword'", "enum");
    }
    refuse_filter(&mut fields);
    let input = read(&mut fields, None);
    fields.finish()?;
    Ok(input)
}

/// Reads a search of the older form.
///
/// # Errors
/// 422.
pub fn legacy(body: &Body) -> Result<SearchInput, Problem> {
    let mut fields = Fields::of_body(body.object()?);
    refuse_filter(&mut fields);
    let connections = connections(&mut fields);
    let input = read(&mut fields, connections);
    fields.finish()?;
    Ok(input)
}

/// Reads a search of the older form from the query parameters.
///
/// # Errors
/// 422.
pub fn legacy_query(query: &mut Query) -> Result<SearchInput, Problem> {
    let text = query.text("query").unwrap_or_default().to_owned();
    if query.text("query").is_none() {
        query.refuse("query", "Field required", "missing");
    } else if text.trim().is_empty() {
        query.refuse("query", "Value error, Query cannot be empty", "value_error");
    } else if text.chars().count() > *QUERY_CHARS.end() {
        let msg = format!("String should have at most {} characters", QUERY_CHARS.end());
        query.refuse("query", &msg, "string_too_long");
    }
    let limit = query.integer("limit", DEFAULT_LIMIT, LIMIT);
    let offset = query.integer("offset", 0, OFFSET);
    query.check()?;
    Ok(SearchInput { text, limit: small(limit), offset: small(offset), connections: None })
}

fn read(fields: &mut Fields<'_>, connections: Option<Vec<SourceConnectionId>>) -> SearchInput {
    let text = fields.required_text("query", QUERY_CHARS);
    if fields.value("query").is_some_and(|query| query.as_str().is_some_and(|text| text.trim().is_empty())) {
        fields.refuse("query", "Value error, Query cannot be empty", "value_error");
    }
    let limit = fields.integer("limit", LIMIT).unwrap_or(DEFAULT_LIMIT);
    let offset = fields.integer("offset", OFFSET).unwrap_or(0);
    SearchInput { text, limit: small(limit), offset: small(offset), connections }
}

/// A filter that is ignored shows what the client meant to leave out, so it is refused.
fn refuse_filter(fields: &mut Fields<'_>) {
    let is_empty =
        |filter: &Value| filter.as_array().is_some_and(Vec::is_empty) || filter.as_object().is_some_and(Map::is_empty);
    if fields.value("filter").is_some_and(|filter| !is_empty(filter)) {
        fields.refuse("filter", "Value error, search filters are not supported by this server", "value_error");
    }
}

fn connections(fields: &mut Fields<'_>) -> Option<Vec<SourceConnectionId>> {
    let given = fields.value("source_connection_ids")?;
    let ids = given.as_array().map(|ids| ids.iter().map(|id| id.as_str()?.parse().ok()).collect::<Option<Vec<_>>>());
    match ids {
        Some(Some(ids)) => Some(ids),
        Some(None) | None => {
            fields.refuse("source_connection_ids", "Input should be a valid list of UUIDs", "list_type");
            None
        }
    }
}

/// Within bounds by now, or refused.
fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_instant(body: Value) -> Result<SearchInput, String> {
        instant(&Body(Some(body))).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_query_must_say_something() {
        assert_eq!(read_instant(json!({"query": " "})).unwrap_err(), "body.query: Value error, Query cannot be empty");
        assert_eq!(read_instant(json!({})).unwrap_err(), "body.query: Field required");
    }

    #[test]
    fn bounds_and_strategies_are_checked() {
        let read = read_instant(json!({"query": "q", "retrieval_strategy": "semantic", "filter": []})).unwrap();
        assert_eq!((read.limit, read.offset), (100, 0));
        assert!(read_instant(json!({"query": "q", "limit": 0})).unwrap_err().contains("body.limit"));
        assert!(read_instant(json!({"query": "q", "limit": 1001})).unwrap_err().contains("body.limit"));
        assert!(read_instant(json!({"query": "q", "offset": -1})).unwrap_err().contains("body.offset"));
        assert!(read_instant(json!({"query": "q", "retrieval_strategy": "neural"})).is_err());
    }

    #[test]
    fn a_filter_is_refused_never_ignored() {
        let filter = json!([{"conditions": [{"field": "name", "operator": "equals", "value": "x"}]}]);
        assert!(read_instant(json!({"query": "q", "filter": filter})).unwrap_err().starts_with("body.filter: "));
        let older = Body(Some(json!({"query": "q", "filter": {"must": [{"key": "name"}]}})));
        assert!(legacy(&older).unwrap_err().to_string().starts_with("body.filter: "));
    }

    #[test]
    fn named_connections_are_kept() {
        let id = SourceConnectionId::random();
        let read = |ids: Value| legacy(&Body(Some(json!({"query": "q", "source_connection_ids": ids}))));
        assert_eq!(read(json!([id])).unwrap().connections, Some(vec![id]));
        assert_eq!(read(json!([])).unwrap().connections, Some(vec![]));
        assert_eq!(read(Value::Null).unwrap().connections, None);
        assert!(read(json!(["x"])).is_err());
    }
}
