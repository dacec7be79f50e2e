//! A stored document as a selection or a filter sees it: its id, its type and the values of its fields.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde_json::Value as Json;

use crate::document::Fields;
use crate::schema::{DocType, Field, Kind};

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// The document has no value there.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a point; only a constant can be one.
    Float(f64),
    /// A text.
    Text(&'a str),
    /// Several texts.
    Texts(Vec<String>),
    /// Something that can only be there or not.
    Opaque,
}

/// A document under examination.
pub trait Record {
    /// The full id.
    fn id(&self) -> &str;
    /// The exact type.
    fn doc_type(&self) -> DocType;
    /// The value of a field that the type has.
    fn value(&self, field: &'static Field) -> Value<'_>;
}

/// A document whose fields are all at hand.
#[derive(Debug)]
pub struct Whole<'a> {
    /// The full id.
    pub id: &'a str,
    /// The exact type.
    pub doc_type: DocType,
    /// The fields.
    pub fields: &'a Fields,
}

impl Record for Whole<'_> {
    fn id(&self) -> &str {
        self.id
    }

    fn doc_type(&self) -> DocType {
        self.doc_type
    }

    fn value(&self, field: &'static Field) -> Value<'_> {
        from_json(self.fields.get(field.name), field.kind)
    }
}

/// A document of which a row with some columns was read: the columns start at `first`, in the order of `columns`.
pub struct Columns<'a> {
    /// The full id.
    pub id: &'a str,
    /// The exact type.
    pub doc_type: DocType,
    /// The row.
    pub row: &'a Row<'a>,
    /// Where the columns start.
    pub first: usize,
    /// Which attributes were read.
    pub columns: &'a [&'static Field],
    /// The whole body, if a field without a column is needed.
    pub body: Option<&'a Fields>,
}

impl Columns<'_> {
    /// The structs in a column of them; none if it is empty or wasn't read.
    pub fn structs(&self, field: &'static Field) -> Vec<Fields> {
        let position = self.columns.iter().position(|column| std::ptr::eq(*column, field));
        match position.map(|position| self.row.get_ref(self.first + position)) {
            Some(Ok(ValueRef::Text(text))) => serde_json::from_slice(text).unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

impl Record for Columns<'_> {
    fn id(&self) -> &str {
        self.id
    }

    fn doc_type(&self) -> DocType {
        self.doc_type
    }

    fn value(&self, field: &'static Field) -> Value<'_> {
        let Some(position) = self.columns.iter().position(|column| std::ptr::eq(*column, field)) else {
            return self.body.map_or(Value::Null, |fields| from_json(fields.get(field.name), field.kind));
        };
        match (self.row.get_ref(self.first + position), field.kind) {
            (Ok(ValueRef::Integer(number)), Kind::Bool) => Value::Bool(number != 0),
            (Ok(ValueRef::Integer(number)), _) => Value::Int(number),
            (Ok(ValueRef::Text(text)), Kind::TextArray) => {
                Value::Texts(serde_json::from_slice(text).unwrap_or_default())
            }
            (Ok(ValueRef::Text(_)), Kind::Structs(_)) => Value::Opaque,
            (Ok(ValueRef::Text(text)), _) => std::str::from_utf8(text).map_or(Value::Null, Value::Text),
            _ => Value::Null,
        }
    }
}

fn from_json(value: Option<&Json>, kind: Kind) -> Value<'_> {
    match (value, kind) {
        (None | Some(Json::Null), _) => Value::Null,
        (Some(_), Kind::Structs(_) | Kind::Tensor) => Value::Opaque,
        (Some(Json::Bool(value)), _) => Value::Bool(*value),
        (Some(Json::Number(number)), _) => number.as_i64().map_or(Value::Null, Value::Int),
        (Some(Json::String(text)), _) => Value::Text(text),
        (Some(Json::Array(items)), _) => {
            Value::Texts(items.iter().filter_map(Json::as_str).map(str::to_owned).collect())
        }
        (Some(Json::Object(_)), _) => Value::Opaque,
    }
}
