//! Turns a row into an entity.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use shared_models::DocumentType;

use super::table::{Form, Table};
use crate::tools::cut;
use crate::tools::text::{bounded, searchable, without_nul};
use crate::{Source, SourceEntity};

const ROW: &str = "PostgreSQLRowEntity";
/// Columns that name a row, best first.
const NAMES: [&str; 4] = ["name", "title", "subject", "label"];
const MAX_NAME_CHARS: usize = 255;

/// A row.
#[derive(Debug)]
pub(super) struct Row {
    fields: Map<String, Value>,
    /// What tells it from the table's other rows: the key's values as JSON, or a hash of the whole row.
    key: Key,
}

#[derive(Debug)]
enum Key {
    Primary(Vec<Value>),
    Hash(String),
}

impl Row {
    /// Reads the server's JSON; `None` if it holds what our JSON can't, such as a number beyond all bounds.
    pub(super) fn parse(table: &Table, json: &str) -> Option<Self> {
        let fields: Map<String, Value> = serde_json::from_str(json).ok()?;
        let key = if table.key.is_empty() {
            Key::Hash(hash(json))
        } else {
            Key::Primary(table.key.iter().map(|name| fields.get(name).cloned().unwrap_or_default()).collect())
        };
        Some(Self { fields: without_nul(fields), key })
    }

    /// The entity of the row, or of its copy number `ordinal`.
    pub(super) fn entity(&self, table: &Table, ordinal: i64, web_url: &str) -> SourceEntity {
        let key = match &self.key {
            Key::Primary(values) => Value::from(values.clone()).to_string(),
            Key::Hash(hash) => format!("{hash}-{ordinal}"),
        };
        let text = self.text(table);
        cut::count(Source::Postgresql, u64::try_from(text.len()).unwrap_or(u64::MAX));
        let text = searchable(text);
        SourceEntity {
            class: ROW,
            id: format!("{}/{key}", table.id),
            name: self.name(table),
            document_type: DocumentType::Base,
            fields: bounded(self.fields.clone(), text.len()),
            text,
            breadcrumbs: vec![table.breadcrumb()],
            created_at: self.moment(table, "created_at"),
            updated_at: self.moment(table, "updated_at"),
            web_url: web_url.to_owned(),
            file: None,
            version: None,
        }
    }

    fn name(&self, table: &Table) -> String {
        let told = NAMES.iter().find_map(|wanted| {
            let column = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(wanted))?;
            self.fields.get(&column.name)?.as_str().filter(|text| !text.trim().is_empty())
        });
        let name = told.map_or_else(
            || match &self.key {
                Key::Primary(values) => {
                    format!("{} {}", table.name, values.iter().map(plain).collect::<Vec<_>>().join(", "))
                }
                Key::Hash(hash) => format!("{} {}", table.name, hash.get(..8).unwrap_or_default()),
            },
            str::to_owned,
        );
        name.chars().take(MAX_NAME_CHARS).collect()
    }

    fn text(&self, table: &Table) -> String {
        let mut text = String::new();
        for column in table.columns.iter().filter(|column| column.form != Form::Bytes) {
            match self.fields.get(&column.name) {
                None | Some(Value::Null) => {}
                Some(value) => {
                    let _ = writeln!(text, "{}: {}", column.name, plain(value));
                }
            }
        }
        if text.is_empty() { self.name(table) } else { text }
    }

    fn moment(&self, table: &Table, name: &str) -> Option<DateTime<Utc>> {
        let column = table.columns.iter().find(|column| column.form == Form::Moment && column.name == name)?;
        let text = self.fields.get(&column.name)?.as_str()?;
        let with_zone = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc());
        with_zone.or_else(|_| text.parse::<NaiveDateTime>().map(|moment| moment.and_utc())).ok()
    }
}

/// Id of the row whose key is `key`, as JSON.
pub(super) fn id_by(table: &Table, key: &str) -> String {
    // The server puts blanks where our JSON has none.
    let key = serde_json::from_str::<Value>(key).map_or_else(|_| key.to_owned(), |key| key.to_string());
    format!("{}/{key}", table.id)
}

/// Id of a row of which our JSON can read the key, if not all the rest.
pub(super) fn id_of_unusable(table: &Table, json: &str) -> Option<String> {
    let wanted = KeyValues { table };
    let values = serde_json::Deserializer::from_str(json).deserialize_map(wanted).ok()?;
    (!values.is_empty()).then(|| format!("{}/{}", table.id, Value::from(values)))
}

/// Takes the values of a row's key, whatever else the row holds.
struct KeyValues<'a> {
    table: &'a Table,
}

impl<'de> Visitor<'de> for KeyValues<'_> {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut row: A) -> Result<Vec<Value>, A::Error> {
        let mut values = vec![Value::Null; self.table.key.len()];
        while let Some(column) = row.next_key::<String>()? {
            let place = self.table.key.iter().position(|name| *name == column);
            match place.and_then(|place| values.get_mut(place)) {
                Some(value) => *value = row.next_value()?,
                None => drop(row.next_value::<IgnoredAny>()?),
            }
        }
        Ok(values)
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn hash(json: &str) -> String {
    hex::encode(Sha256::digest(json.as_bytes())).chars().take(32).collect()
}
