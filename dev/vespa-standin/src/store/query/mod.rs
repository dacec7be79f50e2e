//! Answering a query: which documents match, how many, in what order.
//!
//! A query may use the index on the sync id and the full-text index; what they give is examined, and the whole filter
//! evaluated on it. Without either the query walks the corpus. Nearest neighbours are found by comparing with every
//! document that the rest of the filter admits.

mod bm25;
mod condition;
mod examine;
mod matching;
mod order;
mod words;

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

/// Where the documents to examine come from.
pub(super) enum Candidates {
    /// The index on the sync id, uncased values as a JSON array.
    Syncs(String),
    /// The full-text index, serials as a JSON array.
    Serials(String),
    /// The whole corpus.
    All,
}

impl Store {
    /// Answers a query.
    pub fn query(&self, request: &Request) -> Result<Response, StoreError> {
        self.reading(|connection| {
            let matcher = Matcher::new(connection, &request.filter)?;
            let candidates = matcher.candidates();
            let plain = request.group_by.is_none() && request.order.is_empty();
            match &candidates {
                Candidates::Syncs(syncs) if plain && matcher.is_only_syncs() => by_sync(connection, request, syncs),
                Candidates::All if plain && request.limit == 0 && matcher.is_everything() => {
                    let total = request.types.iter().map(|doc_type| self.count(*doc_type)).sum();
                    Ok(Response { total, ..Response::default() })
                }
                Candidates::Syncs(_) | Candidates::Serials(_) | Candidates::All => {
                    examine(connection, request, &matcher, &candidates)
                }
            }
        })
    }
}

/// The filter is the sync id and nothing else: the index answers alone.
fn by_sync(connection: &Connection, request: &Request, syncs: &str) -> Result<Response, StoreError> {
    let mut response = Response::default();
    let mut statement = connection.prepare_cached(
        "SELECT type, count(*), sum(length(sync_key)) FROM document
         WHERE sync_key IN (SELECT value FROM json_each(?)) GROUP BY type",
    )?;
    let mut rows = statement.query([syncs])?;
    while let Some(row) = rows.next()? {
        let (code, count, bytes): (u8, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (count, bytes) = (count.unsigned_abs(), bytes.unsigned_abs());
        if request.types.iter().any(|doc_type| doc_type.code() == code) {
            response.total += count;
            response.examined.documents += count;
            response.examined.bytes += bytes;
        }
    }
    if request.limit > 0 {
        let mut statement = connection.prepare_cached(
            "SELECT id, type, serial FROM document
             WHERE sync_key IN (SELECT value FROM json_each(?1))
             AND type IN (SELECT value FROM json_each(?2)) LIMIT ?3 OFFSET ?4",
        )?;
        let codes: Vec<u8> = request.types.iter().map(|doc_type| doc_type.code()).collect();
        let codes = serde_json::Value::from(codes).to_string();
        let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
        let offset = i64::try_from(request.offset).unwrap_or(i64::MAX);
        let mut rows = statement.query((syncs, codes, limit, offset))?;
        while let Some(row) = rows.next()? {
            response.examined.bytes += read_bytes(row, 1);
            let Some(doc_type) = DocType::from_code(row.get(1)?) else { continue };
            response.hits.push(Hit {
                id: row.get(0)?,
                doc_type,
                relevance: 0.0,
                body: None,
                serial: row.get(2)?,
                keys: vec![],
            });
        }
    }
    fill(connection, request, &mut response)?;
    Ok(response)
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
