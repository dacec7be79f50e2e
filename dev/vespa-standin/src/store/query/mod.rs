//! Answering a query: which documents match, how many, in what order.
//!
//! A query may use the index on the sync id and the full-text index; what they give is examined, and the whole filter
//! evaluated on it. Without either the query walks the corpus.

mod matching;

use std::cmp::Ordering;
use std::collections::HashMap;

use rusqlite::{Connection, params_from_iter};

use super::visit::{Examined, read_bytes};
use super::{Store, StoreError};
use crate::record::{Columns, Record, Value};
use crate::schema::{DocType, Field};
use crate::yql::Filter;

use matching::Matcher;

/// What to answer. All names have been looked up.
#[derive(Debug)]
pub struct Request {
    /// The types to search.
    pub types: Vec<DocType>,
    /// What matches.
    pub filter: Filter,
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

/// A field to order by.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// The attribute.
    pub field: &'static Field,
    /// The greatest first.
    pub descending: bool,
}

/// A document that matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The full id.
    pub id: String,
    /// Its exact type.
    pub doc_type: DocType,
    /// How well it matched the words; 0 without words.
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

/// A value to order by; documents without one come last.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum Key {
    Number(i64),
    Text(String),
    Missing,
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

fn examine(
    connection: &Connection,
    request: &Request,
    matcher: &Matcher,
    candidates: &Candidates,
) -> Result<Response, StoreError> {
    let mut columns = matcher.fields();
    for field in request.order.iter().map(|order| order.field).chain(request.group_by) {
        if !columns.iter().any(|known| std::ptr::eq(*known, field)) {
            columns.push(field);
        }
    }
    let names: String = columns.iter().map(|field| format!(", {}", field.name)).collect();
    let (condition, parameter) = match candidates {
        Candidates::Syncs(values) => (" WHERE sync_key IN (SELECT value FROM json_each(?))", Some(values)),
        Candidates::Serials(values) => (" WHERE serial IN (SELECT value FROM json_each(?))", Some(values)),
        Candidates::All => ("", None),
    };
    let mut statement =
        connection.prepare_cached(&format!("SELECT id, type, serial{names} FROM document{condition}"))?;
    let mut rows = statement.query(params_from_iter(parameter))?;
    let mut response = Response::default();
    let mut groups: HashMap<String, u64> = HashMap::new();
    let sorted = matcher.ranks() || !request.order.is_empty();
    let wanted = request.offset.saturating_add(request.limit);
    while let Some(row) = rows.next()? {
        let code: u8 = row.get(1)?;
        let Some(doc_type) = request.types.iter().copied().find(|it| it.code() == code) else { continue };
        response.examined.documents += 1;
        response.examined.bytes += read_bytes(row, 3 + columns.len());
        let id = row.get_ref(0)?.as_str().map_err(|error| StoreError::Damaged(error.to_string()))?;
        let serial = row.get(2)?;
        let record = Columns { id, doc_type, row, first: 3, columns: &columns, body: None };
        if !matcher.matches(serial, &record) {
            continue;
        }
        response.total += 1;
        if let Some(field) = request.group_by {
            count_group(&mut groups, record.value(field));
        }
        if request.limit > 0 && (sorted || response.hits.len() < wanted) {
            response.hits.push(Hit {
                id: id.to_owned(),
                doc_type,
                relevance: matcher.relevance(serial),
                body: None,
                serial,
                keys: request.order.iter().map(|order| key(&record.value(order.field))).collect(),
            });
        }
    }
    if sorted {
        response.hits.sort_by(|left, right| precedence(request, left, right));
    }
    response.hits = response.hits.into_iter().skip(request.offset).take(request.limit).collect();
    response.groups = groups.into_iter().collect();
    response.groups.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    fill(connection, request, &mut response)?;
    Ok(response)
}

/// A document counts in the group of its value; without a value, in that of the empty text, as attributes have it.
fn count_group(groups: &mut HashMap<String, u64>, value: Value<'_>) {
    let mut add = |value: &str| match groups.get_mut(value) {
        Some(count) => *count += 1,
        None => {
            groups.insert(value.to_owned(), 1);
        }
    };
    match value {
        Value::Text(text) => add(text),
        Value::Int(number) => add(&number.to_string()),
        Value::Bool(value) => add(&value.to_string()),
        Value::Texts(items) => items.iter().for_each(|item| add(item)),
        Value::Null | Value::Float(_) | Value::Opaque => add(""),
    }
}

fn key(value: &Value<'_>) -> Key {
    match value {
        Value::Int(number) => Key::Number(*number),
        Value::Bool(value) => Key::Number(i64::from(*value)),
        Value::Text(text) => Key::Text(text.to_lowercase()),
        Value::Null | Value::Float(_) | Value::Texts(_) | Value::Opaque => Key::Missing,
    }
}

fn precedence(request: &Request, left: &Hit, right: &Hit) -> Ordering {
    if request.order.is_empty() {
        return right.relevance.total_cmp(&left.relevance).then_with(|| left.id.cmp(&right.id));
    }
    for ((order, left), right) in request.order.iter().zip(&left.keys).zip(&right.keys) {
        let ordering = match (left, right) {
            (Key::Missing, Key::Missing) => Ordering::Equal,
            (Key::Missing, _) => return Ordering::Greater,
            (_, Key::Missing) => return Ordering::Less,
            (left, right) => left.partial_cmp(right).unwrap_or(Ordering::Equal),
        };
        let ordering = if order.descending { ordering.reverse() } else { ordering };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    left.id.cmp(&right.id)
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
