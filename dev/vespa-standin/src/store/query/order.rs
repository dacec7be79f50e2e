//! The order of hits: by fields, or by relevance.

use std::cmp::Ordering;

use super::{Hit, Request};
use crate::record::Value;
use crate::schema::Field;

/// A field to order by.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// The attribute.
    pub field: &'static Field,
    /// The greatest first.
    pub descending: bool,
}

/// A value to order by; documents without one come last.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Key {
    Number(i64),
    Text(String),
    Missing,
}

impl Key {
    pub(super) fn new(value: &Value<'_>) -> Self {
        match value {
            Value::Int(number) => Self::Number(*number),
            Value::Bool(value) => Self::Number(i64::from(*value)),
            Value::Text(text) => Self::Text(text.to_lowercase()),
            Value::Null | Value::Float(_) | Value::Texts(_) | Value::Opaque => Self::Missing,
        }
    }
}

/// Which of two hits comes first.
pub(super) fn precedence(request: &Request, left: &Hit, right: &Hit) -> Ordering {
    if request.order.is_empty() {
        return right.relevance.total_cmp(&left.relevance).then_with(|| left.id.cmp(&right.id));
    }
    for ((order, left), right) in request.order.iter().zip(&left.keys).zip(&right.keys) {
        let ordering = match (left, right) {
            (Key::Missing, Key::Missing) => Ordering::Equal,
            (Key::Missing, _) => return Ordering::Greater,
            (_, Key::Missing) => return Ordering::Less,
            (left, right) => left.partial_cmp(right).unwrap_or(Ordering::Equal),
        };
        let ordering = if order.descending { ordering.reverse() } else { ordering };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    left.id.cmp(&right.id)
}
