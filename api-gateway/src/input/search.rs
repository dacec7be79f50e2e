//! Searches as clients ask for them, newer and older ones.

use serde_json::Value;
use shared_models::SourceConnectionId;
use shared_models::wire::search::RetrievalStrategy;
use shared_stores::vespa::{Filter, MAX_OFFSET};

use super::{Body, Fields, one_of};
use crate::problem::Problem;

mod condition;
mod groups;
mod legacy;
mod legacy_filter;
mod place;
mod value;

pub use legacy::{LegacyForm, LegacyInput, legacy, legacy_query};

use groups::groups;
use place::{Faults, Place};

const LIMIT: std::ops::RangeInclusive<i64> = 1..=1000;
const DEFAULT_LIMIT: i64 = 100;
#[expect(clippy::as_conversions, reason = "widens; From isn't const")]
const OFFSET: std::ops::RangeInclusive<i64> = 0..=MAX_OFFSET as i64;
const QUERY_CHARS: std::ops::RangeInclusive<usize> = 0..=10_000;

/// What is searched for.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchInput {
    /// A person's words.
    pub text: String,
    /// How to find and rank, if that can be done.
    pub strategy: RetrievalStrategy,
    /// What hits must be like.
    pub filter: Option<Filter>,
    /// Most hits to return.
    pub limit: u32,
    /// Hits to skip.
    pub offset: u32,
    /// Only what these connections brought, if the request names some.
    pub connections: Option<Vec<SourceConnectionId>>,
}

/// Reads an instant search.
///
/// # Errors
/// 422.
pub fn instant(body: &Body) -> Result<SearchInput, Problem> {
    let mut fields = Fields::of_body(body.object()?);
    let given = fields.text("retrieval_strategy", 0..=64);
    let strategy = given.as_deref().map(str::parse);
    if let Some(Err(_)) = strategy {
        fields.refuse("retrieval_strategy", one_of(RetrievalStrategy::NAMES), "enum");
    }
    let mut input = read(&mut fields, groups)?;
    if let Some(Ok(strategy)) = strategy {
        input.strategy = strategy;
    }
    Ok(input)
}

/// Reads a classic search. A language model would choose the strategy; hybrid is what fits most questions.
///
/// # Errors
/// 422.
pub fn classic(body: &Body) -> Result<SearchInput, Problem> {
    read(&mut Fields::of_body(body.object()?), groups)
}

/// Checks an agentic search, which can't be carried out.
///
/// # Errors
/// 422.
pub fn agentic(body: &Body) -> Result<(), Problem> {
    let mut fields = Fields::of_body(body.object()?);
    text(&mut fields);
    fields.boolean("thinking");
    fields.integer("limit", 1..=i64::MAX);
    filter(&mut fields, groups);
    fields.finish()
}

type ReadFilter = fn(&Value, &Place, &mut Faults) -> Option<Filter>;

/// Reads what all forms share, and ends the reading.
fn read(fields: &mut Fields<'_>, read_filter: ReadFilter) -> Result<SearchInput, Problem> {
    let text = text(fields);
    let limit = fields.integer("limit", LIMIT).unwrap_or(DEFAULT_LIMIT);
    let offset = fields.integer("offset", OFFSET).unwrap_or(0);
    let filter = filter(fields, read_filter);
    fields.check()?;
    let (limit, offset) = (small(limit), small(offset));
    Ok(SearchInput { text, strategy: RetrievalStrategy::Hybrid, filter, limit, offset, connections: None })
}

fn text(fields: &mut Fields<'_>) -> String {
    let text = fields.required_text("query", QUERY_CHARS);
    if fields.value("query").is_some_and(|query| query.as_str().is_some_and(|text| text.trim().is_empty())) {
        fields.refuse("query", "Value error, Query cannot be empty", "value_error");
    }
    text
}

fn filter(fields: &mut Fields<'_>, read: ReadFilter) -> Option<Filter> {
    let given = fields.value("filter")?;
    let mut faults = Faults::default();
    let filter = read(given, &Place::of("filter"), &mut faults);
    fields.extend(faults.into_problems());
    filter
}

/// Within bounds by now, or refused.
fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests;
