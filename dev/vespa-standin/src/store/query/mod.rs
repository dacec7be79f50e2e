//! Answering a query: which documents match, how many, in what order.
//!
//! A query may use the indexes on the sync id and the purge key, and the full-text index; what they give is examined,
//! and the whole filter evaluated on it. Without any the query walks the corpus. Nearest neighbours are found by
//! comparing with every document that the rest of the filter admits.

mod bm25;
mod by_sync;
mod condition;
mod examine;
mod matching;
mod order;
mod sources;
mod words;

use std::collections::HashMap;

use rusqlite::Connection;

use super::visit::{Examined, read_bytes};
use super::{Store, StoreError};
use crate::schema::{DocType, Field};
use crate::tensor::Vector;
use crate::yql::Filter;

pub use condition::check_pattern;
use examine::examine;
use matching::Matcher;
use order::Key;
pub use order::Order;

/// What to answer. All names have been looked up.
#[derive(Debug)]
pub struct Request {
    /// The types to search.
    pub types: Vec<DocType>,
    /// What matches.
    pub filter: Filter,
    /// The one nearest-neighbour condition in the filter, if there is one.
    pub nearest: Option<Near>,
    /// What makes a hit better than another.
    pub ranking: Ranking,
    /// The order, if not by relevance.
    pub order: Vec<Order>,
    /// How many hits.
    pub limit: usize,
    /// … after how many.
    pub offset: usize,
    /// Whether hits need their fields.
    pub with_bodies: bool,
    /// The attribute by whose values to count.
    pub group_by: Option<&'static Field>,
    /// The first so many buckets are passed over; 0 unless a fault says so.
    pub hidden_buckets: u16,
}

/// What a nearest-neighbour condition asks for.
#[derive(Debug)]
pub struct Near {
    /// Near to what.
    pub vector: Vector,
    /// How many documents of each type at most: Vespa searches each schema on its own.
    pub target_hits: usize,
}

/// What a hit's relevance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranking {
    /// How well it matches the words: `default`, `keyword`.
    Words,
    /// How close its vector is to the query's, 0 without one: `semantic`.
    Closeness,
    /// Nothing: `unranked`.
    Unranked,
}

/// A document that matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The full id.
    pub id: String,
    /// Its exact type.
    pub doc_type: DocType,
    /// How good it is, by the rank profile.
    pub relevance: f64,
    /// Its fields as JSON, if asked for.
    pub body: Option<String>,
    serial: i64,
    keys: Vec<Key>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Response {
    /// All matches, not only the hits returned.
    pub total: u64,
    /// The hits.
    pub hits: Vec<Hit>,
    /// Value and number of documents, the most frequent first.
    pub groups: Vec<(String, u64)>,
    /// What had to be looked at.
    pub examined: Examined,
}

impl Store {
    /// Answers a query.
    pub fn query(&self, request: &Request) -> Result<Response, StoreError> {
        self.reading(|connection| {
            let matcher = Matcher::new(connection, &request.filter)?;
            let candidates = matcher.candidates();
            if request.hidden_buckets > 0 {
                return examine(connection, request, &matcher, &candidates);
            }
            if let Some(syncs) = candidates.syncs.as_ref().filter(|_| matcher.is_only_syncs())
                && by_sync::answers(connection, request, syncs)?
            {
                return by_sync::answer(connection, request, syncs);
            }
            let plain = request.group_by.is_none() && request.order.is_empty();
            if plain && request.limit == 0 && matcher.is_everything() {
                let total = request.types.iter().map(|doc_type| self.count(*doc_type)).sum();
                return Ok(Response { total, ..Response::default() });
            }
            examine(connection, request, &matcher, &candidates)
        })
    }
}

/// The groups, the most frequent first.
fn sorted(groups: HashMap<String, u64>) -> Vec<(String, u64)> {
    let mut groups: Vec<(String, u64)> = groups.into_iter().collect();
    groups.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    groups
}

/// Gives the hits their bodies.
fn fill(connection: &Connection, request: &Request, response: &mut Response) -> Result<(), StoreError> {
    if !request.with_bodies {
        return Ok(());
    }
    let mut statement = connection.prepare_cached("SELECT fields FROM body WHERE serial = ?")?;
    for hit in &mut response.hits {
        // A hit that was rewritten or removed in the meantime keeps its id and comes without fields.
        let mut rows = statement.query([hit.serial])?;
        if let Some(row) = rows.next()? {
            let body: String = row.get(0)?;
            response.examined.bytes += u64::try_from(body.len()).unwrap_or(0);
            hit.body = Some(body);
        }
    }
    Ok(())
}
