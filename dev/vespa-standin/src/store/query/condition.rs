//! What a value must be: the leaves of a filter.

use std::collections::HashSet;

use regex::{Regex, RegexBuilder};

use crate::document::Fields;
use crate::record::Value;
use crate::yql::Comparison;

/// A condition on one value.
pub(super) enum Condition {
    /// One of these, uncased.
    AnyOf(HashSet<String>),
    /// A part of it, uncased.
    Regex(Regex),
    /// A number.
    Number(Comparison, i64),
    /// A number from one to another, both included.
    Range(i64, i64),
}

impl Condition {
    pub(super) fn any_of<'a>(values: impl IntoIterator<Item = &'a String>) -> Self {
        Self::AnyOf(values.into_iter().map(|value| value.to_lowercase()).collect())
    }

    /// Unanchored, as Vespa's are; `None` if it isn't a regular expression.
    pub(super) fn regex(pattern: &str) -> Option<Self> {
        regex(pattern).ok().map(Self::Regex)
    }

    pub(super) fn accepts(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Null | Value::Float(_) | Value::Opaque => false,
            Value::Text(text) => self.accepts_text(text),
            Value::Texts(items) => items.iter().any(|item| self.accepts_text(item)),
            Value::Int(number) => self.accepts_number(*number, &number.to_string()),
            Value::Bool(value) => self.accepts_number(i64::from(*value), &value.to_string()),
        }
    }

    fn accepts_text(&self, text: &str) -> bool {
        match self {
            Self::AnyOf(values) => values.contains(&text.to_lowercase()),
            Self::Regex(regex) => regex.is_match(text),
            Self::Number(..) | Self::Range(..) => false,
        }
    }

    fn accepts_number(&self, number: i64, text: &str) -> bool {
        match self {
            Self::AnyOf(values) => values.contains(text),
            Self::Regex(_) => false,
            Self::Range(low, high) => (*low..=*high).contains(&number),
            Self::Number(Comparison::Equal, bound) => number == *bound,
            Self::Number(Comparison::Less, bound) => number < *bound,
            Self::Number(Comparison::LessOrEqual, bound) => number <= *bound,
            Self::Number(Comparison::Greater, bound) => number > *bound,
            Self::Number(Comparison::GreaterOrEqual, bound) => number >= *bound,
        }
    }
}

/// Uncased, as attributes are without `match: cased`.
fn regex(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).case_insensitive(true).build()
}

/// Whether `matches` can be asked with that pattern; says what is wrong with it.
pub fn check_pattern(pattern: &str) -> Result<(), String> {
    regex(pattern).map(|_| ()).map_err(|error| error.to_string())
}

/// What one element of an array of structs must be.
pub(super) enum Element {
    Constant(bool),
    All(Vec<Element>),
    Any(Vec<Element>),
    Not(Box<Element>),
    Member(&'static str, Condition),
}

impl Element {
    pub(super) fn accepts(&self, element: &Fields) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::All(parts) => parts.iter().all(|part| part.accepts(element)),
            Self::Any(parts) => parts.iter().any(|part| part.accepts(element)),
            Self::Not(part) => !part.accepts(element),
            Self::Member(member, condition) => {
                element.get(*member).and_then(|value| value.as_str()).is_some_and(|text| condition.accepts_text(text))
            }
        }
    }
}
