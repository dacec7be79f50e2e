//! What a put or an update carries: JSON read, held against the schema and brought into the form that is stored.
//!
//! The stored body has its keys sorted and no nulls, so the same document is the same bytes however it was written. The
//! vector is stored beside it, as bytes.

use rusqlite::types::Value as Sql;
use serde_json::{Map, Value};

use crate::document_id::DocumentId;
use crate::linguistics::documents;
use crate::schema::{DocType, EMBEDDING, Field, Kind, SYNC_ID, Struct};
use crate::tensor::{Dimensions, Vector};
use crate::text::illegal_code_point;

/// The fields of a document by name.
pub type Fields = Map<String, Value>;

/// A put or update that was understood.
#[derive(Debug)]
pub struct Body {
    /// The fields, checked; of an update the new values, null to clear.
    pub fields: Fields,
    /// `condition` in the body.
    pub condition: Option<String>,
    /// `create` in the body.
    pub create: Option<bool>,
}

/// Why a body was refused; the text is Vespa's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

fn refused<T>(text: String) -> Result<T, Refused> {
    Err(Refused(text))
}

/// Reads the body of a put.
pub fn read_put(doc_type: DocType, id: &DocumentId, bytes: &[u8], dimensions: Dimensions) -> Result<Body, Refused> {
    read(bytes, |fields| {
        let Some(fields) = fields else { return refused(format!("put of document {id} is missing a 'fields' map")) };
        let mut checked = Fields::new();
        for (name, value) in fields {
            let Some(field) = doc_type.field(&name) else {
                return refused(format!(
                    "No field '{name}' in the structure of type '{}', which has the fields: [{}]",
                    doc_type.name(),
                    doc_type.fields().map(|field| field.name).collect::<Vec<_>>().join(", ")
                ));
            };
            let value = coerce(field, value, dimensions);
            if let Some(value) = value.map_err(|why| could_not_parse(id, field, dimensions, &why))? {
                checked.insert(name, value);
            }
        }
        Ok(checked)
    })
}

/// Reads the body of an update: `assign` only.
pub fn read_update(doc_type: DocType, id: &DocumentId, bytes: &[u8], dimensions: Dimensions) -> Result<Body, Refused> {
    read(bytes, |fields| {
        let Some(fields) = fields else {
            return refused(format!("Update of document {id} is missing a 'fields' map"));
        };
        let mut checked = Fields::new();
        for (name, operations) in fields {
            let Some(field) = doc_type.field(&name) else {
                return refused(format!(
                    "Error in '{name}': No field named '{name}' in document type '{}'",
                    doc_type.name()
                ));
            };
            let Value::Object(operations) = operations else {
                return refused(format!("Error in '{name}': Expected start of JSON object, got {operations}"));
            };
            for (operation, value) in operations {
                if operation != "assign" {
                    return refused(format!(
                        "Error in '{name}': the update operation '{operation}' is not spoken by this stand-in"
                    ));
                }
                let value =
                    coerce(field, value, dimensions).map_err(|why| could_not_parse(id, field, dimensions, &why))?;
                checked.insert(name.clone(), value.unwrap_or(Value::Null));
            }
        }
        Ok(checked)
    })
}

fn could_not_parse(id: &DocumentId, field: &Field, dimensions: Dimensions, why: &str) -> Refused {
    let kind = field.kind.name(dimensions);
    Refused(format!("In document '{id}': Could not parse field '{}' of type {kind}: {why}", field.name))
}

fn read(
    bytes: &[u8],
    check: impl FnOnce(Option<Map<String, Value>>) -> Result<Fields, Refused>,
) -> Result<Body, Refused> {
    let text = std::str::from_utf8(bytes).map_err(|error| Refused(format!("failed parsing document: {error}")))?;
    let value: Value = text.parse().map_err(|error| Refused(format!("failed parsing document: {error}")))?;
    let Value::Object(mut root) = value else {
        return refused("failed parsing document: Expected start of composite, got a value".into());
    };
    let condition = match root.remove("condition") {
        None | Some(Value::Null) => None,
        Some(Value::String(condition)) => Some(condition),
        Some(other) => return refused(format!("Condition must be a string, got {other}")),
    };
    let create = match root.remove("create") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(create)) => Some(create),
        Some(other) => return refused(format!("Create must be a boolean, got {other}")),
    };
    let fields = match root.remove("fields") {
        None => None,
        Some(Value::Object(fields)) => Some(fields),
        Some(other) => return refused(format!("Expected 'fields' to be an object, got {other}")),
    };
    Ok(Body { fields: check(fields)?, condition, create })
}

/// The value as the field stores it; `None` for null, which is the same as absent.
fn coerce(field: &Field, value: Value, dimensions: Dimensions) -> Result<Option<Value>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let value = match field.kind {
        Kind::Text => text(value)?,
        Kind::Int => whole(&value, i64::from(i32::MIN), i64::from(i32::MAX))?,
        Kind::Long => whole(&value, i64::MIN, i64::MAX)?,
        Kind::Bool => match value {
            Value::Bool(_) => value,
            Value::String(text) if text == "true" || text == "false" => Value::Bool(text == "true"),
            other => return Err(format!("expected a boolean, got {other}")),
        },
        Kind::TextArray => Value::Array(items(value)?.into_iter().map(text).collect::<Result<_, _>>()?),
        Kind::Structs(of) => {
            Value::Array(items(value)?.into_iter().map(|item| structure(of, item)).collect::<Result<_, _>>()?)
        }
        Kind::Tensor => Vector::from_json(&value, dimensions)?.to_json(),
    };
    Ok(Some(value))
}

fn items(value: Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(format!("Expected start of array, got {other}")),
    }
}

fn structure(of: &Struct, value: Value) -> Result<Value, String> {
    let Value::Object(members) = value else { return Err(format!("Expected start of composite, got {value}")) };
    let mut checked = Fields::new();
    for (name, value) in members {
        if !of.members.contains(&name.as_str()) {
            let known = of.members.join(", ");
            return Err(format!(
                "No field '{name}' in the structure of type '{}', which has the fields: [{known}]",
                of.name
            ));
        }
        if !value.is_null() {
            checked.insert(name, text(value)?);
        }
    }
    Ok(Value::Object(checked))
}

fn text(value: Value) -> Result<Value, String> {
    match value {
        Value::String(text) => match illegal_code_point(&text) {
            Some(code) => Err(format!("The string field value contains illegal code point {code}")),
            None => Ok(Value::String(text)),
        },
        Value::Number(number) => Ok(Value::String(number.to_string())),
        Value::Bool(value) => Ok(Value::String(value.to_string())),
        other => Err(format!("expected a string, got {other}")),
    }
}

fn whole(value: &Value, least: i64, most: i64) -> Result<Value, String> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if (least..=most).contains(&number) => Ok(Value::from(number)),
        _ => Err(format!("For input string: \"{value}\"")),
    }
}

/// A document in the form in which the writer stores it.
#[derive(Debug)]
pub struct Prepared {
    /// Its type.
    pub doc_type: DocType,
    /// The fields as JSON.
    pub body: String,
    /// The sync id, uncased, for the index.
    pub sync_key: Option<String>,
    /// The type's columns, in the order of [`DocType::fields`].
    pub columns: Vec<Sql>,
    /// The words of the full-text index, in the order of [`crate::schema::indexed`].
    pub words: Vec<Words>,
    /// The vector, if the document has one.
    pub embedding: Option<Vec<u8>>,
}

/// The words of a field, as the full-text index takes them.
#[derive(Debug, Default)]
pub struct Words {
    /// With blanks between them.
    pub text: String,
    /// How many there are: the length of the field that BM25 goes by.
    pub count: i64,
}

impl Words {
    /// Of a text.
    pub fn of(text: &str) -> Self {
        let words = documents::words(text);
        Self { text: words.join(" "), count: i64::try_from(words.len()).unwrap_or(i64::MAX) }
    }
}

impl Prepared {
    /// Splits the fields of a document into what is stored apart.
    pub fn new(doc_type: DocType, mut fields: Fields) -> Self {
        let embedding = fields.remove(EMBEDDING).and_then(|value| stored(&value));
        let column = |field: &Field| fields.get(field.name).map_or(Sql::Null, to_sql);
        let columns = doc_type.fields().filter(|field| field.access.has_column()).map(column).collect();
        let text = |field: &Field| fields.get(field.name).and_then(Value::as_str).unwrap_or_default();
        let words = crate::schema::indexed().map(|field| Words::of(text(field))).collect();
        let sync_key = fields.get(SYNC_ID).and_then(Value::as_str).map(str::to_lowercase);
        Self { doc_type, body: Value::Object(fields).to_string(), sync_key, columns, words, embedding }
    }
}

/// The bytes of a vector that has been checked.
fn stored(value: &Value) -> Option<Vec<u8>> {
    let count = u16::try_from(value.get("values")?.as_array()?.len()).ok()?;
    Some(Vector::from_json(value, Dimensions::new(count)?).ok()?.to_bytes())
}

/// A stored document as a whole: the body and, if there is one, the vector. `None` if the vector's bytes are none.
pub fn complete(body: String, embedding: Option<&[u8]>) -> Option<String> {
    let Some(embedding) = embedding else { return Some(body) };
    let vector = Vector::from_bytes(embedding)?.to_json();
    let rest = body.strip_prefix('{')?;
    let separator = if rest == "}" { "" } else { "," };
    Some(format!("{{\"{EMBEDDING}\":{vector}{separator}{rest}"))
}

fn to_sql(value: &Value) -> Sql {
    match value {
        Value::Null => Sql::Null,
        Value::Bool(value) => Sql::Integer(i64::from(*value)),
        Value::Number(number) => number.as_i64().map_or(Sql::Null, Sql::Integer),
        Value::String(text) => Sql::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => Sql::Text(value.to_string()),
    }
}
