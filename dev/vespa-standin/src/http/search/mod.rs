//! `/search/`: a query's parameters, limits and names checked as Vespa does, and its answer.

mod answer;
mod coverage;
mod names;
mod ranking;

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde_json::Value;

use super::params::Params;
use super::reply::Reply;
use super::{State, body};
use crate::counters::Kind;
use crate::faults::Fault;
use crate::store;
use crate::yql;
pub(in crate::http) use answer::Failure;
use answer::Shape;
use coverage::Partial;

/// The query profile's limits.
const MAX_HITS: u64 = 10_000;
const MAX_OFFSET: u64 = 10_000;
/// `grouping.globalMaxGroups`, as the query profile in deploy/vespa raises it.
const MAX_GROUPS: u64 = 1_000_000;
/// `grouping.defaultMaxGroups`
const DEFAULT_GROUPS: u64 = 10;
const DEFAULT_HITS: u64 = 10;

/// Answers a query.
pub(super) async fn search(
    state: &Arc<State>,
    request: Request<Incoming>,
    mut params: Params,
    fault: Option<Fault>,
) -> Reply {
    match *request.method() {
        Method::GET => {}
        Method::POST => match body::read(request).await {
            Ok(bytes) => {
                if let Err(message) = add_json(&mut params, &bytes) {
                    return Failure::parameter(&message).reply();
                }
            }
            Err(error) => return Reply::failure(error.status, "/search/", &error.message),
        },
        _ => return Reply::failure(StatusCode::METHOD_NOT_ALLOWED, "/search/", "only GET and POST"),
    }
    match answer(state, &params, fault).await {
        Ok(reply) => reply,
        Err(failure) => failure.reply(),
    }
}

async fn answer(state: &Arc<State>, params: &Params, fault: Option<Fault>) -> Result<Reply, Failure> {
    let yql = params.0.get("yql").ok_or_else(|| Failure::query("No query"))?;
    let query = yql::parse(yql, &params.0).map_err(|error| Failure::parameter(&error.to_string()))?;
    let mut types = names::sources(query.sources.as_deref())?;
    let profile = ranking::profile(params, &types)?;
    names::check(&query.filter, &types)?;
    let nearest = ranking::nearest(&query.filter, params, &profile, &types, state.dimensions)?;
    let order = names::order(&query.order, &types)?;
    if let Some(timeout) = params.0.get("timeout")
        && yql::duration(timeout).is_none()
    {
        return Err(Failure::parameter(&format!("Could not set 'timeout' to '{timeout}': not a duration")));
    }
    let (hits, offset) = window(params, &query)?;
    let group = match &query.grouping {
        Some(grouping) => {
            let max = grouping.max.unwrap_or(DEFAULT_GROUPS);
            if max > MAX_GROUPS {
                return Err(Failure::parameter(&format!(
                    "The theoretical total number of groups and summaries in grouping query exceeds \
                     'grouping.globalMaxGroups' ( {max} > {MAX_GROUPS} )"
                )));
            }
            Some((names::attribute(&grouping.field, &types)?, max))
        }
        None => None,
    };
    let summary = ["presentation.summary", "summary"].into_iter().find_map(|name| params.0.get(name));
    if fault == Some(Fault::MissingType) {
        types.pop();
    }
    let partial = Partial::of(fault.as_ref());
    let shape = Shape::new(query.fields, types.clone(), group, partial);
    let request = store::Request {
        types,
        filter: query.filter,
        nearest,
        ranking: profile.ranking,
        order,
        limit: usize::try_from(hits).unwrap_or(usize::MAX),
        offset: usize::try_from(offset).unwrap_or(usize::MAX),
        with_bodies: shape.needs_bodies(),
        group_by: group.map(|(field, _)| field),
        hidden_buckets: partial.map_or(0, |partial| partial.hidden_buckets),
    };
    let found = state.blocking(move |state| state.store.query(&request)).await.map_err(|error| {
        tracing::error!(%error, "query failed");
        Failure::backend(&error.to_string())
    })?;
    // The package declares no summary of its own. Vespa looks the name up when it fills hits.
    if let Some(summary) = summary.filter(|summary| *summary != "default" && !found.hits.is_empty()) {
        return Err(Failure::parameter(&format!("Summary '{summary}' does not exist")));
    }
    let counter = state.counters.of(Kind::Query);
    counter.operations(u64::try_from(found.hits.len()).unwrap_or(u64::MAX));
    counter.examined(found.examined.documents, found.examined.bytes);
    shape.reply(&state.store, &found)
}

/// Hits and offset: from the parameters, or from the query, where `limit` counts from the start and not from `offset`.
fn window(params: &Params, query: &yql::Query) -> Result<(u64, u64), Failure> {
    let parameter = |name: &str, other: &str| -> Result<Option<u64>, Failure> {
        let Some(value) = params.0.get(name).or_else(|| params.0.get(other)) else { return Ok(None) };
        let refused = || Failure::parameter(&format!("Could not set '{name}' to '{value}': not a number"));
        value.parse().map(Some).map_err(|_| refused())
    };
    let hits = parameter("hits", "count")?.unwrap_or(DEFAULT_HITS);
    let offset = parameter("offset", "start")?.unwrap_or(0);
    if hits > MAX_HITS {
        return Err(Failure::query(&format!(
            "{hits} hits requested, configured limit: {MAX_HITS}. \
             See https://docs.vespa.ai/en/reference/api/query.html#hits"
        )));
    }
    if offset > MAX_OFFSET {
        return Err(Failure::query(&format!(
            "{offset} hits offset requested, configured limit: {MAX_OFFSET}. \
             See https://docs.vespa.ai/en/reference/api/query.html#offset"
        )));
    }
    let yql_offset = query.offset.unwrap_or(0);
    if yql_offset > MAX_OFFSET {
        return Err(Failure::parameter(&format!(
            "Requested hit offset {yql_offset}, but max offset allowed is {MAX_OFFSET}."
        )));
    }
    match query.limit {
        None => Ok((hits, query.offset.unwrap_or(offset))),
        Some(limit) => {
            let hits = limit.saturating_sub(yql_offset);
            if hits > MAX_HITS {
                return Err(Failure::parameter(&format!(
                    "Requested {hits} hits returned, but max hits allowed is {MAX_HITS}."
                )));
            }
            Ok((hits, yql_offset))
        }
    }
}

/// Adds the members of a JSON body, nested names joined by dots; what is in an input stays as it is.
fn add_json(params: &mut Params, bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    match text.parse() {
        Ok(Value::Object(members)) => {
            for (name, value) in members {
                add_member(params, name, value);
            }
            Ok(())
        }
        Ok(_) => Err("The request body is not a JSON object".into()),
        Err(error) => Err(format!("Illegal JSON in the request body: {error}")),
    }
}

fn add_member(params: &mut Params, name: String, value: Value) {
    match value {
        Value::Object(members) if !name.starts_with("input.") => {
            for (inner, value) in members {
                add_member(params, format!("{name}.{inner}"), value);
            }
        }
        Value::String(text) => {
            params.0.insert(name, text);
        }
        Value::Null => {}
        other => {
            params.0.insert(name, other.to_string());
        }
    }
}
