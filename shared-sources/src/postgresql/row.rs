//! Turns a row into an entity.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike as _, NaiveDateTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use shared_models::DocumentType;

use super::encoding::{Sent, Texts};
use super::json::{Json, Members};
use super::table::{Child, Form, Table};
use crate::tools::cut;
use crate::tools::text::{bounded, searchable};
use crate::{Source, SourceEntity};

const ROW: &str = "PostgreSQLRowEntity";
/// Columns that name a row, best first.
const NAMES: [&str; 4] = ["name", "title", "subject", "label"];
const MAX_NAME_CHARS: usize = 255;
const YEARS: RangeInclusive<i32> = 1..=9999;

/// A row.
#[derive(Debug)]
pub(super) struct Row {
    fields: Map<String, Value>,
    /// All that is searched.
    text: String,
    /// What tells it from the table's other rows.
    key: Key,
}

#[derive(Debug)]
enum Key {
    /// Of the primary key's values.
    Primary { id: String, values: String },
    /// Of the whole row.
    Hash(String),
}

impl Row {
    /// Reads what the server sent; `None` if it isn't JSON.
    pub(super) fn parse(table: &Table, child: Option<&Child>, sent: Sent<'_>, texts: &Texts) -> Option<Self> {
        let json = texts.read(sent);
        let Members(members) = Json::parse(&json)?.members()?;
        let key = if table.key.is_empty() {
            Key::Hash(hash(sent.0))
        } else {
            let value_of =
                |column: &String| members.iter().find(|(name, _)| name.text == *column).map(|(_, value)| value);
            let values = || table.key.iter().map(value_of);
            let identities: Vec<String> =
                values().map(|value| value.map_or_else(|| "null".to_owned(), |value| value.identity())).collect();
            let readable: Vec<String> = values().flatten().map(|value| value.readable()).collect();
            Key::Primary {
                id: id_of(table, child, &format!("[{}]", identities.join(","))),
                values: readable.join(", "),
            }
        };
        let mut text = String::new();
        let mut fields = Map::new();
        for (column, (name, value)) in table.columns.iter().zip(members) {
            if column.form != Form::Bytes && !value.is_null() {
                let _ = writeln!(text, "{}: {}", column.name, value.readable());
            }
            fields.insert(name.text, value.value());
        }
        Some(Self { fields, text, key })
    }

    /// The entity of the row, or of its copy number `ordinal`.
    pub(super) fn entity(&self, table: &Table, ordinal: i64, web_url: &str) -> SourceEntity {
        let id = match &self.key {
            Key::Primary { id, .. } => id.clone(),
            Key::Hash(hash) => format!("{}/{hash}-{ordinal}", table.id),
        };
        let name = self.name(table);
        let text = if self.text.is_empty() { name.clone() } else { self.text.clone() };
        cut::count(Source::Postgresql, u64::try_from(text.len()).unwrap_or(u64::MAX));
        let text = searchable(text);
        SourceEntity {
            class: ROW,
            id,
            name,
            document_type: DocumentType::Base,
            fields: bounded(self.fields.clone()),
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
                Key::Primary { values, .. } => format!("{} {values}", table.name),
                Key::Hash(hash) => format!("{} {}", table.name, hash.get(..8).unwrap_or_default()),
            },
            str::to_owned,
        );
        name.chars().take(MAX_NAME_CHARS).collect()
    }

    /// A moment that RFC 3339 can say, in the years that clients read.
    fn moment(&self, table: &Table, name: &str) -> Option<DateTime<Utc>> {
        let column = table.columns.iter().find(|column| column.form == Form::Moment && column.name == name)?;
        let text = self.fields.get(&column.name)?.as_str()?;
        let with_zone = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc());
        let moment = with_zone.or_else(|_| text.parse::<NaiveDateTime>().map(|moment| moment.and_utc())).ok()?;
        YEARS.contains(&moment.year()).then_some(moment)
    }
}

/// Id of the row of a table, or of its child, whose key is `key`, as JSON or its beginning.
pub(super) fn id_by(table: &Table, child: Option<&Child>, key: &str) -> String {
    // The server puts blanks where ours has none.
    id_of(table, child, &Json::parse(key).map_or_else(|| key.to_owned(), Json::identity))
}

fn id_of(table: &Table, child: Option<&Child>, key: &str) -> String {
    child.map_or_else(|| format!("{}/{key}", table.id), |child| format!("{}/{}/{key}", table.id, child.id))
}

fn hash(json: &[u8]) -> String {
    hex::encode(Sha256::digest(json)).chars().take(32).collect()
}
