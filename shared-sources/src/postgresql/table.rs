//! A table and what it is made of.

use serde_json::{Map, Value, json};
use shared_models::DocumentType;
use tokio_postgres::types::Type;

use super::place::Place;
use crate::tools::text::{bounded_text, searchable};
use crate::{Breadcrumb, SourceEntity};

/// Class of a table's entity.
pub(super) const TABLE: &str = "PostgreSQLTableEntity";

/// A table that can be read.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) oid: u32,
    pub(super) name: String,
    /// Entity id.
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) comment: Option<String>,
    pub(super) columns: Vec<Column>,
    /// Names of the key's columns, in the key's order; empty if there is no key.
    pub(super) key: Vec<String>,
    /// The tables that inherit from it and whose rows are read as rows of this one.
    pub(super) children: Vec<Child>,
    /// The role may read some columns, and not the table as a whole.
    pub(super) is_limited: bool,
    /// Policies hide rows of it from the role.
    pub(super) is_secured: bool,
}

/// A table whose rows are read as rows of one that it inherits from.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) oid: u32,
    /// The id that it would have as a table of its own.
    pub(super) id: String,
}

/// What kind of table it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    Partitioned,
    View,
    Materialized,
    Foreign,
}

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// As people write it, e.g. `character varying(20)`.
    pub(super) type_name: String,
    pub(super) form: Form,
}

/// How a column's values travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As the server's JSON has them.
    Plain,
    /// A text, as the server's JSON has it unless it is huge.
    Text,
    /// `numeric`: as text, because a JSON number may lose digits.
    Numeric,
    /// `bytea`: as size and hash only.
    Bytes,
    /// A moment; without time zone it is taken as UTC.
    Moment,
}

impl Kind {
    /// By `pg_class.relkind`.
    pub(super) fn of(relkind: &str) -> Self {
        match relkind {
            "p" => Self::Partitioned,
            "v" => Self::View,
            "m" => Self::Materialized,
            "f" => Self::Foreign,
            _ => Self::Table,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Table | Self::Partitioned => "Table",
            Self::View => "View",
            Self::Materialized => "Materialized view",
            Self::Foreign => "Foreign table",
        }
    }
}

impl Form {
    pub(super) fn of(type_oid: Option<u32>) -> Self {
        match type_oid {
            Some(oid) if oid == Type::NUMERIC.oid() => Self::Numeric,
            Some(oid) if [Type::TEXT, Type::VARCHAR, Type::BPCHAR].iter().any(|text| text.oid() == oid) => Self::Text,
            Some(oid) if oid == Type::BYTEA.oid() => Self::Bytes,
            Some(oid) if oid == Type::TIMESTAMP.oid() || oid == Type::TIMESTAMPTZ.oid() => Self::Moment,
            _ => Self::Plain,
        }
    }
}

impl Table {
    /// The table as a container of its rows.
    pub(super) fn breadcrumb(&self) -> Breadcrumb {
        Breadcrumb { entity_id: self.id.clone(), name: self.name.clone(), entity_type: TABLE }
    }

    /// The table's own entity.
    pub(super) fn entity(&self, place: &Place) -> SourceEntity {
        let mut lines = vec![format!("{} {}.{}", self.kind.as_str(), place.schema, self.name)];
        lines.extend(self.comment.clone());
        lines.extend(self.columns.iter().map(|column| format!("{}: {}", column.name, column.type_name)));
        let columns: Vec<Value> =
            self.columns.iter().map(|column| json!({"name": column.name, "type": column.type_name})).collect();
        SourceEntity {
            class: TABLE,
            id: self.id.clone(),
            name: self.name.clone(),
            document_type: DocumentType::Base,
            text: searchable(lines.join("\n")),
            fields: Map::from_iter([
                ("database".to_owned(), Value::from(place.database.as_str())),
                ("schema".to_owned(), Value::from(place.schema.as_str())),
                ("table".to_owned(), Value::from(self.name.as_str())),
                ("kind".to_owned(), Value::from(self.kind.as_str().to_lowercase())),
                ("comment".to_owned(), Value::from(self.comment.clone().map(bounded_text))),
                ("columns".to_owned(), Value::from(columns)),
                ("primary_key".to_owned(), Value::from(self.key.clone())),
            ]),
            breadcrumbs: Vec::new(),
            created_at: None,
            updated_at: None,
            web_url: place.table_url(&self.name),
            file: None,
            version: None,
        }
    }
}
