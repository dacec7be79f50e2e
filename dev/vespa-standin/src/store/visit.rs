//! Walking the corpus, a bucket at a time: every document of the types asked for is looked at, and the selection
//! evaluated on it. There is no index here on purpose.

use rusqlite::types::ValueRef;
use serde_json::Value;

use super::{Store, StoreError, blob};
use crate::document::{self, Fields};
use crate::record::Columns;
use crate::schema::{DocType, EMBEDDING, Field, Kind};
use crate::selection::Expr;

/// What to look for.
#[derive(Debug)]
pub struct Scan {
    /// For each type to be walked, what is left of the selection for its documents.
    selections: Vec<Selection>,
    columns: Vec<&'static Field>,
    needs_body: bool,
    needs_vector: bool,
    with_bodies: bool,
}

#[derive(Debug)]
struct Selection {
    doc_type: DocType,
    expr: Expr,
    /// Whether it reads a field that has no column.
    reads_body: bool,
}

/// A document that was selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The full id.
    pub id: String,
    /// The number of the write that made it what it is.
    pub serial: i64,
    /// Its exact type.
    pub doc_type: DocType,
    /// Its fields as JSON, if they were asked for.
    pub body: Option<String>,
}

/// What a step looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Examined {
    /// Documents.
    pub documents: u64,
    /// Bytes of them.
    pub bytes: u64,
}

impl Scan {
    /// A walk over documents of these types.
    pub fn new(types: &[DocType], selection: &Expr, with_bodies: bool) -> Self {
        let mut columns: Vec<&'static Field> = Vec::new();
        let mut selections = Vec::new();
        let mut needs_vector = with_bodies;
        for doc_type in types {
            let expr = selection.for_type(*doc_type);
            let fields = expr.fields();
            let reads_body = fields.iter().any(|field| !field.access.has_column());
            needs_vector = needs_vector || fields.iter().any(|field| field.kind == Kind::Tensor);
            for field in fields {
                if field.access.has_column() && !columns.iter().any(|known| std::ptr::eq(*known, field)) {
                    columns.push(field);
                }
            }
            selections.push(Selection { doc_type: *doc_type, expr, reads_body });
        }
        let needs_body = with_bodies || selections.iter().any(|selection| selection.reads_body);
        Self { selections, columns, needs_body, needs_vector, with_bodies }
    }

    fn sql(&self) -> String {
        let columns: String = self.columns.iter().map(|field| format!(", document.{}", field.column)).collect();
        let (fields, body) = if self.needs_body { ("fields", "JOIN body USING (serial)") } else { ("NULL", "") };
        let (vector, embedding) =
            if self.needs_vector { ("vector", "LEFT JOIN embedding USING (serial)") } else { ("NULL", "") };
        format!(
            "SELECT id, type, serial, {fields}, {vector}{columns} FROM document {body} {embedding} WHERE bucket = ?"
        )
    }
}

/// Where the columns start in a row.
const FIRST: usize = 5;

impl Store {
    /// Walks one bucket.
    pub fn walk(&self, bucket: u8, scan: &Scan) -> Result<(Vec<Found>, Examined), StoreError> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(&scan.sql())?;
            let mut rows = statement.query([bucket])?;
            let mut found = Vec::new();
            let mut examined = Examined::default();
            while let Some(row) = rows.next()? {
                let code: u8 = row.get(1)?;
                let Some(selection) = scan.selections.iter().find(|selection| selection.doc_type.code() == code) else {
                    continue;
                };
                let id = row.get_ref(0)?.as_str().map_err(|error| StoreError::Damaged(error.to_string()))?;
                let text = match row.get_ref(3)? {
                    ValueRef::Text(text) => std::str::from_utf8(text).ok(),
                    _ => None,
                };
                examined.documents += 1;
                examined.bytes += read_bytes(row, FIRST + scan.columns.len());
                let vector = blob(row, 4);
                let fields = match text {
                    Some(text) if selection.reads_body => Some(parse(id, text, vector.is_some())?),
                    _ => None,
                };
                let record = Columns {
                    id,
                    doc_type: selection.doc_type,
                    row,
                    first: FIRST,
                    columns: &scan.columns,
                    body: fields.as_ref(),
                };
                if selection.expr.selects(&record) {
                    found.push(Found {
                        id: id.to_owned(),
                        serial: row.get(2)?,
                        doc_type: selection.doc_type,
                        body: match text {
                            Some(text) if scan.with_bodies => Some(
                                document::complete(text.to_owned(), vector)
                                    .ok_or_else(|| StoreError::Damaged(id.to_owned()))?,
                            ),
                            _ => None,
                        },
                    });
                }
            }
            Ok((found, examined))
        })
    }
}

/// The fields that a selection may read; of a vector it can only see that it is there.
fn parse(id: &str, body: &str, has_vector: bool) -> Result<Fields, StoreError> {
    match body.parse() {
        Ok(Value::Object(mut fields)) => {
            if has_vector {
                fields.insert(EMBEDDING.to_owned(), Value::Bool(true));
            }
            Ok(fields)
        }
        _ => Err(StoreError::Damaged(id.to_owned())),
    }
}

/// The bytes of the first columns of a row.
pub(super) fn read_bytes(row: &rusqlite::Row<'_>, columns: usize) -> u64 {
    (0..columns)
        .map(|column| match row.get_ref(column) {
            Ok(ValueRef::Text(bytes) | ValueRef::Blob(bytes)) => u64::try_from(bytes.len()).unwrap_or(0),
            Ok(ValueRef::Integer(_) | ValueRef::Real(_)) => 8,
            Ok(ValueRef::Null) | Err(_) => 0,
        })
        .sum()
}
