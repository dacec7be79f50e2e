//! What the catalogue says: which tables there are and what they are made of.

use serde_json::{Map, Value, json};
use shared_models::DocumentType;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::place::Place;
use crate::tools::text::{bounded_text, searchable};
use crate::{Breadcrumb, SourceEntity, SourceError};

/// Class of a table's entity.
pub(super) const TABLE: &str = "PostgreSQLTableEntity";

const SCHEMA: &str = "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1::text";

/// Partitions are read through their parents, unless they are named; views and foreign tables only if they are named.
const TABLES: &str = "
    SELECT c.oid, c.relname::text, c.relkind::text, obj_description(c.oid, 'pg_class'),
           has_any_column_privilege(c.oid, 'SELECT')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND CASE WHEN cardinality($2::text[]) = 0 THEN c.relkind IN ('r', 'p') AND NOT c.relispartition
               ELSE c.relname::text = ANY ($2::text[]) END
    ORDER BY c.relname::text COLLATE \"C\"";

/// Columns that the role may read, with their place in the primary key. A domain counts as the type beneath it.
const COLUMNS: &str = "
    WITH RECURSIVE base(type, beneath) AS (
        SELECT t.oid, t.oid FROM pg_type t JOIN pg_attribute a ON a.atttypid = t.oid WHERE a.attrelid = $1
        UNION
        SELECT b.type, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.beneath WHERE t.typtype = 'd'
    )
    SELECT a.attname::text, format_type(a.atttypid, a.atttypmod),
           (SELECT b.beneath FROM base b JOIN pg_type t ON t.oid = b.beneath
            WHERE b.type = a.atttypid AND t.typtype <> 'd'),
           (SELECT k.place FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
            WHERE k.attnum = a.attnum AND k.place <= i.indnkeyatts),
           COALESCE(i.indnkeyatts, 0)::int8
    FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary AND i.indisvalid
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
      AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
    ORDER BY a.attnum";

/// A table that can be read.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    /// Entity id.
    pub(super) id: String,
    pub(super) kind: Kind,
    comment: Option<String>,
    pub(super) columns: Vec<Column>,
    /// Names of the key's columns, in the key's order; empty if there is no key.
    pub(super) key: Vec<String>,
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

/// What there is.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) tables: Vec<Table>,
    /// Names of those that may not be read.
    pub(super) unreadable: Vec<String>,
}

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// As people write it, e.g. `character varying(20)`.
    type_name: String,
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

/// The tables to read and those that may not be read.
///
/// # Errors
/// [`SourceError::Misconfigured`] if the schema or a table named in `wanted` is missing or may not be read.
pub(super) async fn find_tables(client: &Client, place: &Place, wanted: &[String]) -> Result<Found, SourceError> {
    let Place { database, schema, user, .. } = place;
    let found = place.within("its schema", client.query_opt(SCHEMA, &[schema])).await?;
    let Some(found) = found else {
        return Err(SourceError::Misconfigured(format!("database '{database}' has no schema '{schema}'")));
    };
    if !found.try_get::<_, bool>(0).map_err(|error| place.read_error(&error))? {
        return Err(SourceError::Misconfigured(format!("the role '{user}' may not use schema '{schema}'")));
    }

    let rows = place.within("its tables", client.query(TABLES, &[schema, &wanted])).await?;
    let mut found = Found { tables: Vec::new(), unreadable: Vec::new() };
    for row in &rows {
        match place.within("a table's columns", read_table(client, place, row)).await? {
            Some(table) => found.tables.push(table),
            None => found.unreadable.push(row.try_get(1).map_err(|error| place.read_error(&error))?),
        }
    }
    found.check(place, wanted)?;
    Ok(found)
}

impl Found {
    /// What was `wanted` must be there, and something must be readable.
    fn check(&self, place: &Place, wanted: &[String]) -> Result<(), SourceError> {
        let Place { database, schema, user, .. } = place;
        let Self { tables, unreadable } = self;
        if let Some(missing) = wanted.iter().find(|name| tables.iter().all(|table| table.name != **name)) {
            return Err(SourceError::Misconfigured(match unreadable.contains(missing) {
                true => format!("the role '{user}' may not read table '{missing}' of schema '{schema}'"),
                false => format!("schema '{schema}' of database '{database}' has no table '{missing}'"),
            }));
        }
        if tables.is_empty() && !unreadable.is_empty() {
            return Err(SourceError::Misconfigured(format!("the role '{user}' may not read any table of '{schema}'")));
        }
        Ok(())
    }
}

/// The table of a row of [`TABLES`], unless it may not be read.
async fn read_table(client: &Client, place: &Place, row: &Row) -> Result<Option<Table>, tokio_postgres::Error> {
    if !row.try_get::<_, bool>(4)? {
        return Ok(None);
    }
    let name: String = row.try_get(1)?;
    let mut columns = Vec::new();
    let mut key: Vec<(i64, String)> = Vec::new();
    let mut key_size = 0_i64;
    for row in client.query(COLUMNS, &[&row.try_get::<_, u32>(0)?]).await? {
        let name: String = row.try_get(0)?;
        if let Some(at) = row.try_get::<_, Option<i64>>(3)? {
            key.push((at, name.clone()));
        }
        key_size = row.try_get(4)?;
        columns.push(Column { name, type_name: row.try_get(1)?, form: Form::of(row.try_get(2)?) });
    }
    key.sort();
    // A key of which a part may not be read doesn't tell rows apart.
    let is_whole = i64::try_from(key.len()).is_ok_and(|size| size == key_size);
    Ok(Some(Table {
        id: place.table_id(&name),
        name,
        kind: Kind::of(row.try_get(2)?),
        comment: row.try_get(3)?,
        columns,
        key: if is_whole { key.into_iter().map(|(_, name)| name).collect() } else { Vec::new() },
    }))
}

impl Kind {
    /// By `pg_class.relkind`.
    fn of(relkind: &str) -> Self {
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
    fn of(type_oid: Option<u32>) -> Self {
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
