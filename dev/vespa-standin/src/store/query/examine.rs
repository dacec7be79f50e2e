//! Looks at each candidate and keeps those that match; of those that compete for being nearest, the nearest.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Row, params_from_iter};

use super::matching::Matcher;
use super::order::{Key, precedence};
use super::sources::{Candidates, Source};
use super::{Hit, Near, Ranking, Request, Response, fill, read_bytes, sorted};
use crate::record::{Columns, Record, Value};
use crate::schema::{DocType, Field};
use crate::store::{StoreError, blob};
use crate::tensor::Vector;

/// Where the columns start in a row.
const FIRST: usize = 3;

/// A document that matches, or does if it is one of the nearest.
struct Match {
    hit: Hit,
    groups: Vec<String>,
    /// By what it competes for being one of the nearest; `None` if it doesn't.
    closeness: Option<f64>,
    /// Whether it matches in any case.
    is_certain: bool,
}

pub(super) fn examine(
    connection: &Connection,
    request: &Request,
    matcher: &Matcher,
    candidates: &Candidates,
) -> Result<Response, StoreError> {
    let columns = columns(request, matcher);
    let names: String = columns.iter().map(|field| format!(", {}", field.column)).collect();
    let visible = match request.hidden_buckets {
        0 => String::new(),
        // The sign keeps the primary key from being taken for the better index.
        hidden => format!(" AND +bucket >= {hidden}"),
    };
    let mut examination = Examination::new(connection, request, matcher, &columns);
    for Source { condition, parameters } in candidates.sources(connection, &request.types)? {
        let sql = format!("SELECT id, type, serial{names} FROM document WHERE {condition}{visible}");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(parameters))?;
        while let Some(row) = rows.next()? {
            examination.row(row)?;
        }
    }
    let mut response = examination.finish();
    fill(connection, request, &mut response)?;
    Ok(response)
}

/// The columns to read: for the filter, the order and the groups.
fn columns(request: &Request, matcher: &Matcher) -> Vec<&'static Field> {
    let mut columns = matcher.fields();
    for field in request.order.iter().map(|order| order.field).chain(request.group_by) {
        if !columns.iter().any(|known| std::ptr::eq(*known, field)) {
            columns.push(field);
        }
    }
    columns
}

struct Examination<'a> {
    connection: &'a Connection,
    request: &'a Request,
    matcher: &'a Matcher,
    columns: &'a [&'static Field],
    /// Whether all matches are needed to know the first.
    is_sorted: bool,
    response: Response,
    groups: HashMap<String, u64>,
    /// Who waits for all the others before it is known who is nearest.
    competitors: Vec<Match>,
}

impl<'a> Examination<'a> {
    fn new(
        connection: &'a Connection,
        request: &'a Request,
        matcher: &'a Matcher,
        columns: &'a [&'static Field],
    ) -> Self {
        let is_ranked = match request.ranking {
            Ranking::Words => matcher.has_words(),
            Ranking::Closeness => request.nearest.is_some(),
            Ranking::Unranked => false,
        };
        Self {
            connection,
            request,
            matcher,
            columns,
            is_sorted: is_ranked || !request.order.is_empty(),
            response: Response::default(),
            groups: HashMap::new(),
            competitors: Vec::new(),
        }
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let code: u8 = row.get(1)?;
        let Some(doc_type) = self.request.types.iter().copied().find(|it| it.code() == code) else { return Ok(()) };
        self.response.examined.documents += 1;
        self.response.examined.bytes += read_bytes(row, FIRST + self.columns.len());
        let id = row.get_ref(0)?.as_str().map_err(|error| StoreError::Damaged(error.to_string()))?;
        let serial = row.get(2)?;
        let record = Columns { id, doc_type, row, first: FIRST, columns: self.columns, body: None };
        let is_certain = self.matcher.matches(serial, &record);
        let is_admitted = self.request.nearest.is_some() && self.matcher.admits(serial, &record);
        if !is_certain && !is_admitted {
            return Ok(());
        }
        let closeness = match &self.request.nearest {
            Some(near) if is_admitted || self.request.ranking == Ranking::Closeness => {
                self.closeness(id, serial, near)?
            }
            _ => None,
        };
        if !is_certain && closeness.is_none() {
            return Ok(());
        }
        let relevance = match self.request.ranking {
            Ranking::Words => self.matcher.relevance(serial),
            Ranking::Closeness => closeness.unwrap_or(0.0),
            Ranking::Unranked => 0.0,
        };
        let keys = self.request.order.iter().map(|order| Key::new(&record.value(order.field))).collect();
        let hit = Hit { id: id.to_owned(), doc_type, relevance, body: None, serial, keys };
        let groups = self.request.group_by.map_or_else(Vec::new, |field| group_keys(&record.value(field)));
        let found = Match { hit, groups, closeness: closeness.filter(|_| is_admitted), is_certain };
        match found.closeness {
            Some(_) => self.competitors.push(found),
            None => self.keep(found),
        }
        Ok(())
    }

    /// How close the document's vector is; `None` if it has none, or one of another size.
    fn closeness(&mut self, id: &str, serial: i64, near: &Near) -> Result<Option<f64>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT vector FROM embedding WHERE serial = ?")?;
        let mut rows = statement.query([serial])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        self.response.examined.bytes += read_bytes(row, 1);
        let vector = blob(row, 0).and_then(Vector::from_bytes).ok_or_else(|| StoreError::Damaged(id.to_owned()))?;
        Ok(Some(near.vector.closeness(&vector)))
    }

    fn keep(&mut self, found: Match) {
        self.response.total += 1;
        for group in found.groups {
            *self.groups.entry(group).or_default() += 1;
        }
        let wanted = self.request.offset.saturating_add(self.request.limit);
        if self.request.limit > 0 && (self.is_sorted || self.response.hits.len() < wanted) {
            self.response.hits.push(found.hit);
        }
    }

    fn finish(mut self) -> Response {
        let competitors = std::mem::take(&mut self.competitors);
        let nearest = self.request.nearest.as_ref().map(|near| nearest(&competitors, near.target_hits));
        let nearest = nearest.unwrap_or_default();
        for found in competitors {
            if found.is_certain || nearest.contains(&found.hit.serial) {
                self.keep(found);
            }
        }
        let mut response = self.response;
        if self.is_sorted {
            response.hits.sort_by(|left, right| precedence(self.request, left, right));
        }
        response.hits = response.hits.into_iter().skip(self.request.offset).take(self.request.limit).collect();
        response.groups = sorted(self.groups);
        response
    }
}

/// The serials of the nearest of each type, as many as asked for; of equally near ones the first by id.
fn nearest(competitors: &[Match], target_hits: usize) -> HashSet<i64> {
    let mut ordered: Vec<&Match> = competitors.iter().collect();
    let closeness = |found: &Match| found.closeness.unwrap_or(0.0);
    ordered.sort_by(|left, right| {
        closeness(right).total_cmp(&closeness(left)).then_with(|| left.hit.id.cmp(&right.hit.id))
    });
    let of_type = |doc_type: DocType| {
        ordered
            .iter()
            .filter(move |found| found.hit.doc_type == doc_type)
            .take(target_hits)
            .map(|found| found.hit.serial)
    };
    DocType::ALL.into_iter().flat_map(of_type).collect()
}

/// A document counts in the group of its value; without a value, in that of the empty text, as attributes have it.
fn group_keys(value: &Value<'_>) -> Vec<String> {
    match value {
        Value::Text(text) => vec![(*text).to_owned()],
        Value::Int(number) => vec![number.to_string()],
        Value::Bool(value) => vec![value.to_string()],
        Value::Texts(items) => items.clone(),
        Value::Null | Value::Float(_) | Value::Opaque => vec![String::new()],
    }
}
