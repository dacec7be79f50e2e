//! A filter made ready: names looked up, texts uncased, words looked up in the full-text index.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::Candidates;
use crate::record::{Columns, Record, Value};
use crate::schema::{DEFAULT_FIELDSET, DocType, Field, SYNC_ID};
use crate::store::StoreError;
use crate::text::words;
use crate::yql::{Comparison, Filter, Grammar};

/// A filter that can be evaluated.
pub(super) struct Matcher {
    root: Node,
    /// What each search for words has found, and how well.
    found: Vec<HashMap<i64, f64>>,
}

enum Node {
    Constant(bool),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    AnyOf(&'static Field, HashSet<String>),
    Number(&'static Field, Comparison, i64),
    /// The documents found by the search of that number.
    Words(usize),
}

impl Matcher {
    pub(super) fn new(connection: &Connection, filter: &Filter) -> Result<Self, StoreError> {
        let mut found = Vec::new();
        let root = Node::new(connection, filter, &mut found)?;
        Ok(Self { root, found })
    }

    fn conjuncts(&self) -> &[Node] {
        match &self.root {
            Node::And(parts) => parts,
            other => std::slice::from_ref(other),
        }
    }

    /// The narrowest source that certainly holds every match.
    pub(super) fn candidates(&self) -> Candidates {
        let mut narrowest: Option<&HashMap<i64, f64>> = None;
        for part in self.conjuncts() {
            match part {
                Node::AnyOf(field, values) if field.name == SYNC_ID => {
                    return Candidates::Syncs(serde_json::Value::from_iter(values.iter().cloned()).to_string());
                }
                Node::Words(number) => {
                    if let Some(found) = self.found.get(*number)
                        && narrowest.is_none_or(|narrowest| found.len() < narrowest.len())
                    {
                        narrowest = Some(found);
                    }
                }
                _ => {}
            }
        }
        match narrowest {
            Some(found) => Candidates::Serials(serde_json::Value::from_iter(found.keys().copied()).to_string()),
            None => Candidates::All,
        }
    }

    pub(super) fn is_only_syncs(&self) -> bool {
        matches!(&self.root, Node::AnyOf(field, _) if field.name == SYNC_ID)
    }

    pub(super) fn is_everything(&self) -> bool {
        matches!(self.root, Node::Constant(true))
    }

    /// Whether hits differ in relevance.
    pub(super) fn ranks(&self) -> bool {
        !self.found.is_empty()
    }

    pub(super) fn relevance(&self, serial: i64) -> f64 {
        self.found.iter().filter_map(|found| found.get(&serial)).sum()
    }

    /// The attributes that an evaluation reads.
    pub(super) fn fields(&self) -> Vec<&'static Field> {
        let mut fields = Vec::new();
        self.root.collect(&mut fields);
        fields
    }

    pub(super) fn matches(&self, serial: i64, record: &Columns<'_>) -> bool {
        self.root.matches(serial, record, &self.found)
    }
}

impl Node {
    fn new(connection: &Connection, filter: &Filter, found: &mut Vec<HashMap<i64, f64>>) -> Result<Self, StoreError> {
        let mut several = |parts: &[Filter]| -> Result<Vec<Self>, StoreError> {
            parts.iter().map(|part| Self::new(connection, part, found)).collect()
        };
        Ok(match filter {
            Filter::Constant(value) => Self::Constant(*value),
            Filter::And(parts) => Self::And(several(parts)?),
            Filter::Or(parts) => Self::Or(several(parts)?),
            Filter::Not(part) => Self::Not(Box::new(Self::new(connection, part, found)?)),
            Filter::Number(name, comparison, number) => match lookup(name) {
                Some(field) if field.access.is_attribute() => Self::Number(field, *comparison, *number),
                _ => Self::Constant(false),
            },
            Filter::AnyOf(name, values) => match lookup(name) {
                Some(field) if field.access.is_indexed() => {
                    let phrases = values.iter().map(|value| phrase(value)).filter(|phrase| phrase != "\"\"");
                    search(connection, &[field.name], &phrases.collect::<Vec<_>>().join(" OR "), found)?
                }
                Some(field) if field.access.is_attribute() => {
                    Self::AnyOf(field, values.iter().map(|value| value.to_lowercase()).collect())
                }
                _ => Self::Constant(false),
            },
            Filter::Words { text, grammar, index } => {
                let terms: Vec<String> = words(text).iter().map(|word| phrase(word)).collect();
                let terms = terms.join(match grammar {
                    Grammar::Any => " OR ",
                    Grammar::All => " AND ",
                });
                match lookup(index) {
                    Some(field) if field.access.is_indexed() => search(connection, &[field.name], &terms, found)?,
                    Some(field) if field.access.is_attribute() => {
                        Self::AnyOf(field, HashSet::from([text.trim().to_lowercase()]))
                    }
                    Some(_) => Self::Constant(false),
                    None => search(connection, &DEFAULT_FIELDSET, &terms, found)?,
                }
            }
        })
    }

    fn matches(&self, serial: i64, record: &Columns<'_>, found: &[HashMap<i64, f64>]) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::And(parts) => parts.iter().all(|part| part.matches(serial, record, found)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(serial, record, found)),
            Self::Not(part) => !part.matches(serial, record, found),
            Self::Words(number) => found.get(*number).is_some_and(|found| found.contains_key(&serial)),
            Self::AnyOf(field, values) => match record.value(field) {
                Value::Text(text) => values.contains(&text.to_lowercase()),
                Value::Texts(items) => items.iter().any(|item| values.contains(&item.to_lowercase())),
                Value::Int(number) => values.contains(&number.to_string()),
                Value::Bool(value) => values.contains(&value.to_string()),
                Value::Null | Value::Float(_) | Value::Opaque => false,
            },
            Self::Number(field, comparison, number) => {
                let value = match record.value(field) {
                    Value::Int(value) => value,
                    Value::Bool(value) => i64::from(value),
                    Value::Null | Value::Float(_) | Value::Text(_) | Value::Texts(_) | Value::Opaque => return false,
                };
                match comparison {
                    Comparison::Equal => value == *number,
                    Comparison::NotEqual => value != *number,
                    Comparison::Less => value < *number,
                    Comparison::LessOrEqual => value <= *number,
                    Comparison::Greater => value > *number,
                    Comparison::GreaterOrEqual => value >= *number,
                }
            }
        }
    }

    fn collect(&self, fields: &mut Vec<&'static Field>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.collect(fields)),
            Self::Not(part) => part.collect(fields),
            Self::AnyOf(field, _) | Self::Number(field, ..) => {
                if !fields.iter().any(|known| std::ptr::eq(*known, *field)) {
                    fields.push(field);
                }
            }
            Self::Constant(_) | Self::Words(_) => {}
        }
    }
}

/// The field of that name, of whatever type: no two types declare the same.
fn lookup(name: &str) -> Option<&'static Field> {
    DocType::ALL.into_iter().find_map(|doc_type| doc_type.field(name))
}

/// The words of a text, one after the other.
fn phrase(text: &str) -> String {
    format!("\"{}\"", words(text).join(" "))
}

fn search(
    connection: &Connection,
    fields: &[&str],
    terms: &str,
    found: &mut Vec<HashMap<i64, f64>>,
) -> Result<Node, StoreError> {
    if terms.is_empty() {
        return Ok(Node::Constant(false));
    }
    let mut statement = connection.prepare_cached("SELECT rowid, bm25(words) FROM words WHERE words MATCH ?")?;
    let expression = format!("{{{}}} : ({terms})", fields.join(" "));
    let rows = statement.query_map([expression], |row| Ok((row.get::<_, i64>(0)?, -row.get::<_, f64>(1)?)))?;
    found.push(rows.collect::<Result<_, _>>()?);
    Ok(Node::Words(found.len() - 1))
}
