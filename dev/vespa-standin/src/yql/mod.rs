//! The part of YQL that is used here.

mod conditions;
mod functions;
mod grouping;
mod lexer;
mod parser;
mod range;
mod tokens;
mod user_input;

use std::collections::HashMap;
use std::time::Duration;

pub use parser::parse;

/// The request's parameters, to which a query may refer with `@name`.
pub type Parameters = HashMap<String, String>;

/// A parsed query, its names not yet looked up in the schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// `select …`; `None` is `*`.
    pub fields: Option<Vec<String>>,
    /// `from …`; `None` is `sources *`.
    pub sources: Option<Vec<String>>,
    /// `where …`
    pub filter: Filter,
    /// `order by …`: fields, and whether descending.
    pub order: Vec<(String, bool)>,
    /// `limit …`
    pub limit: Option<u64>,
    /// `offset …`
    pub offset: Option<u64>,
    /// `timeout …`
    pub timeout: Option<Duration>,
    /// `| all(group(…) …)`
    pub grouping: Option<Grouping>,
}

/// `all(group(field) max(max) each(output(count())))`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    /// The field.
    pub field: String,
    /// How many groups at most.
    pub max: Option<u64>,
}

/// What a document must be to match. Two-valued: what isn't there doesn't match.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// `true`, `false`
    Constant(bool),
    /// All of them.
    And(Vec<Filter>),
    /// One of them.
    Or(Vec<Filter>),
    /// The opposite.
    Not(Box<Filter>),
    /// `field contains "…"`: the whole value of an attribute, the words of an indexed field.
    Contains(String, String),
    /// `field in ("…", …)`: no text is split into words.
    In(String, Vec<String>),
    /// `field matches "…"`
    Matches(String, String),
    /// `field > 1`, `field in (1, 2)`, `field = true`
    Number(String, Comparison, i64),
    /// `range(field, 1, 5)`: both ends included.
    Range(String, i64, i64),
    /// `field contains sameElement(…)`; the fields of the conditions carry the field's name in front.
    SameElement(String, Vec<Filter>),
    /// Words that a person typed.
    Terms(Terms),
    /// `nearestNeighbor(…)`
    Nearest(Nearest),
}

/// `({targetHits: …}nearestNeighbor(field, input))`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearest {
    /// The field with the vectors.
    pub field: String,
    /// The name of the query's vector: the parameter is `input.query(…)`.
    pub input: String,
    /// How many of each type at most: `targetHits` or `totalTargetHits`.
    pub target_hits: Option<i64>,
}

impl Filter {
    /// The nearest-neighbour conditions in it.
    pub fn nearest(&self) -> Vec<&Nearest> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::nearest).collect(),
            Self::Not(part) => part.nearest(),
            Self::Nearest(nearest) => vec![nearest],
            Self::Constant(_)
            | Self::Contains(..)
            | Self::In(..)
            | Self::Matches(..)
            | Self::Number(..)
            | Self::Range(..)
            | Self::SameElement(..)
            | Self::Terms(_) => vec![],
        }
    }
}

impl Filter {
    /// Whether there is a part with nothing to look up.
    pub fn has_empty_terms(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::has_empty_terms),
            Self::Not(part) => part.has_empty_terms(),
            Self::Terms(terms) => terms.terms.is_empty(),
            Self::Constant(_)
            | Self::Contains(..)
            | Self::In(..)
            | Self::Matches(..)
            | Self::Number(..)
            | Self::Range(..)
            | Self::SameElement(..)
            | Self::Nearest(_) => false,
        }
    }
}

/// A numeric comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// What is looked up in a field or a fieldset. Without a term it is left out of the query, so that it admits
/// everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The field or fieldset.
    pub index: String,
    /// What to look up.
    pub terms: Vec<Term>,
    /// How many of them must be found.
    pub wanted: Wanted,
}

/// One thing to look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// All of these words, wherever they are. Usually one.
    Words(Vec<String>),
    /// These words, one after the other.
    Phrase(Vec<String>),
    /// What no indexed field can hold: a decimal fraction, a negative number, the beginning of a word.
    Unfindable,
}

/// How many of some terms must be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// One: `weakAnd`, which ranks those with more of them higher.
    Any,
    /// Each.
    All,
}

/// A query that can't be understood: 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Could not create query from YQL: {0}")]
pub struct YqlError(pub String);

/// Reads a duration as Vespa's query API does: seconds, or a number with `ms`, `s`.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 0.001),
        (None, Some(number)) => (number, 1.0),
        (None, None) => (text, 1.0),
    };
    let seconds: f64 = number.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds * unit).ok()
}
