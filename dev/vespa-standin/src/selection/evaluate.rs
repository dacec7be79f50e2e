//! Three-valued evaluation: `Some(true)` selects, `Some(false)` and `None` (invalid) don't.

use std::cmp::Ordering;

use super::{Expr, FieldRef, IdPart, Operand, Operator};
use crate::document_id::{DocumentId, Location};
use crate::record::{Record, Value};

impl Expr {
    /// Whether the document is selected.
    pub fn selects(&self, record: &impl Record) -> bool {
        self.evaluate(record) == Some(true)
    }

    /// The value of the expression for a document.
    pub fn evaluate(&self, record: &impl Record) -> Option<bool> {
        match self {
            Self::And(parts) => {
                let mut result = Some(true);
                for part in parts {
                    match part.evaluate(record) {
                        Some(false) => return Some(false),
                        Some(true) => {}
                        None => result = None,
                    }
                }
                result
            }
            Self::Or(parts) => {
                let mut result = Some(false);
                for part in parts {
                    match part.evaluate(record) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => result = None,
                    }
                }
                result
            }
            Self::Not(part) => part.evaluate(record).map(|value| !value),
            Self::Constant(value) => *value,
            Self::Type(doc_type) => Some(record.doc_type() == *doc_type),
            Self::Present(field) => Some(read(field, record)? != Value::Null),
            Self::Compare(left, operator, right) => compare(left, *operator, right, record),
        }
    }
}

fn read<'a>(reference: &FieldRef, record: &'a impl Record) -> Option<Value<'a>> {
    let field = reference.field?;
    (reference.doc_type == record.doc_type()).then(|| record.value(field))
}

fn compare(left: &Operand, operator: Operator, right: &Operand, record: &impl Record) -> Option<bool> {
    let id = parsed_id(left, right, record);
    let left = value(left, record, id.as_ref())?;
    let right = value(right, record, id.as_ref())?;
    match (&left, &right) {
        (Value::Texts(items), other) => any(items, |item| compare_values(&Value::Text(item), operator, other)),
        (other, Value::Texts(items)) => any(items, |item| compare_values(other, operator, &Value::Text(item))),
        _ => compare_values(&left, operator, &right),
    }
}

/// An array compares as its elements do: true if one of them does.
fn any(items: &[String], compare: impl Fn(&str) -> Option<bool>) -> Option<bool> {
    let mut result = Some(false);
    for item in items {
        match compare(item) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => result = None,
        }
    }
    result
}

fn parsed_id(left: &Operand, right: &Operand, record: &impl Record) -> Option<DocumentId> {
    let needs = |side: &Operand| matches!(side, Operand::Id(part) if *part != IdPart::Whole);
    if needs(left) || needs(right) { DocumentId::parse(record.id()) } else { None }
}

/// The value of an operand; `None` is invalid.
fn value<'a>(operand: &'a Operand, record: &'a impl Record, id: Option<&'a DocumentId>) -> Option<Value<'a>> {
    Some(match operand {
        Operand::Null => Value::Null,
        Operand::Bool(value) => Value::Bool(*value),
        Operand::Int(number) => Value::Int(*number),
        Operand::Float(number) => Value::Float(*number),
        Operand::Text(text) => Value::Text(text),
        Operand::Field(field) => return read(field, record),
        Operand::Id(IdPart::Whole) => Value::Text(record.id()),
        Operand::Id(part) => {
            let id = id?;
            match (part, &id.location) {
                (IdPart::Whole | IdPart::Scheme, _) => Value::Text("id"),
                (IdPart::Namespace, _) => Value::Text(&id.namespace),
                (IdPart::Type, _) => Value::Text(&id.doc_type),
                (IdPart::Specific, _) => Value::Text(&id.specific),
                (IdPart::User, Location::Number(number)) => Value::Int(i64::try_from(*number).ok()?),
                (IdPart::Group, Location::Group(group)) => Value::Text(group),
                (IdPart::User | IdPart::Group, _) => return None,
            }
        }
    })
}

fn compare_values(left: &Value<'_>, operator: Operator, right: &Value<'_>) -> Option<bool> {
    if let (Value::Text(text), Operator::Glob, Value::Text(pattern)) = (left, operator, right) {
        return Some(glob(pattern, text));
    }
    if matches!(left, Value::Null) || matches!(right, Value::Null) {
        return match operator {
            Operator::Equal => Some(matches!((left, right), (Value::Null, Value::Null))),
            Operator::NotEqual => Some(!matches!((left, right), (Value::Null, Value::Null))),
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual | Operator::Glob => {
                None
            }
        };
    }
    let ordering = order(left, right)?;
    Some(match operator {
        Operator::Equal | Operator::Glob => ordering == Ordering::Equal,
        Operator::NotEqual => ordering != Ordering::Equal,
        Operator::Less => ordering == Ordering::Less,
        Operator::LessOrEqual => ordering != Ordering::Greater,
        Operator::Greater => ordering == Ordering::Greater,
        Operator::GreaterOrEqual => ordering != Ordering::Less,
    })
}

/// `None` if the two can't be compared: a text with a number, say.
fn order(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Float(_), _) | (_, Value::Float(_)) => float(left)?.partial_cmp(&float(right)?),
        _ => Some(int(left)?.cmp(&int(right)?)),
    }
}

fn int(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Bool(value) => Some(i64::from(*value)),
        Value::Null | Value::Float(_) | Value::Text(_) | Value::Texts(_) | Value::Opaque => None,
    }
}

fn float(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        // The only lossless way that needs no cast; far away from any hot path.
        other => int(other)?.to_string().parse().ok(),
    }
}

/// Whether the whole text matches a pattern of `*` and `?`.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut pos) = (0, 0);
    // Where to resume after the last star, taking one character more into it each time.
    let mut resume: Option<(usize, usize)> = None;
    while pos < text.len() {
        match pattern.get(at) {
            Some('*') => {
                resume = Some((at, pos));
                at += 1;
            }
            Some(c) if *c == '?' || text.get(pos) == Some(c) => {
                at += 1;
                pos += 1;
            }
            _ => match resume {
                Some((star, taken)) => {
                    resume = Some((star, taken + 1));
                    at = star + 1;
                    pos = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|c| *c == '*')
}
