//! What a source says of itself, so that a form can be built from it.

use serde_json::{Map, Value};
use shared_models::wire::source_connection::AuthMethod;

/// Kind of value that a field takes; `number` on the wire covers both numeric kinds.
#[derive(Debug, Clone, Copy)]
pub enum FieldKind {
    /// Text that isn't blank. An empty one counts as not given, where that is possible: forms send it so.
    Text {
        /// Longest accepted text, in characters.
        max_chars: usize,
    },
    /// Any text, also an empty one.
    FreeText {
        /// Longest accepted text, in characters.
        max_chars: usize,
    },
    /// Text of a form of its own.
    Formed {
        /// Longest accepted text, in characters.
        max_chars: usize,
        /// Says why a text isn't of that form, in the words of a validator, if it isn't.
        problem: fn(&str) -> Option<String>,
    },
    /// One of the given texts.
    Choice(&'static [&'static str]),
    /// A whole number within bounds; numeric strings are accepted.
    Integer {
        /// Smallest accepted value.
        min: i64,
        /// Largest accepted value.
        max: i64,
    },
    /// A whole number from 0 on; an empty string is 0.
    Weight {
        /// Largest accepted value.
        max: i64,
    },
    /// A number within bounds; numeric strings are accepted.
    Float {
        /// Smallest accepted value.
        min: f64,
        /// Largest accepted value.
        max: f64,
    },
    /// true or false.
    Boolean,
    /// A list of texts.
    TextList,
}

/// The value that a missing field gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FieldDefault {
    /// The field must be given.
    Required,
    /// null.
    Null,
    /// A text.
    Text(&'static str),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// true or false.
    Boolean(bool),
    /// An empty list.
    EmptyList,
}

impl FieldDefault {
    /// The default as JSON; `None` if the field must be given.
    pub(crate) fn to_json(self) -> Option<Value> {
        match self {
            Self::Required => None,
            Self::Null => Some(Value::Null),
            Self::Text(text) => Some(text.into()),
            Self::Integer(number) => Some(number.into()),
            Self::Float(number) => Some(number.into()),
            Self::Boolean(flag) => Some(flag.into()),
            Self::EmptyList => Some(Value::Array(Vec::new())),
        }
    }
}

/// One field of a source's config or credentials.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Key in the JSON object.
    pub name: &'static str,
    /// Label of a form.
    pub title: &'static str,
    /// Help text of a form.
    pub description: &'static str,
    /// What it takes.
    pub kind: FieldKind,
    /// What it is if not given.
    pub default: FieldDefault,
    /// Never shown again once stored.
    pub is_secret: bool,
}

/// One source.
#[derive(Debug, Clone, Copy)]
pub struct SourceDefinition {
    /// Name in the API, e.g. `postgresql`.
    pub short_name: &'static str,
    /// Name for people, e.g. `PostgreSQL`.
    pub name: &'static str,
    /// What it connects.
    pub description: &'static str,
    /// Class name on the wire, e.g. `PostgreSQLSource`.
    pub class_name: &'static str,
    /// Classes of the entities that it yields.
    pub entity_classes: &'static [&'static str],
    /// Labels for grouping.
    pub labels: &'static [&'static str],
    /// Whether it can run from a cursor, and so more often than hourly.
    pub supports_continuous: bool,
    /// Only for tests; listed only with `ENABLE_INTERNAL_SOURCES=true`.
    pub is_internal: bool,
    /// Fields of `authentication.credentials`.
    pub auth_fields: &'static [Field],
    /// Fields of `config`.
    pub config_fields: &'static [Field],
}

impl SourceDefinition {
    /// The field that a token alone fills, if that is all the source must be given.
    #[must_use]
    pub fn token_field(&self) -> Option<&'static str> {
        let mut required = self.auth_fields.iter().filter(|field| field.default == FieldDefault::Required);
        match (required.next(), required.next()) {
            (Some(only), None) if only.is_secret => Some(only.name),
            _ => None,
        }
    }

    /// Credentials as an example: what must be given, or all that can be, each with its title in the place of a value.
    #[must_use]
    pub fn example_credentials(&self) -> ValidatedFields {
        let is_needed = |field: &&Field| field.default == FieldDefault::Required;
        let needs_any = self.auth_fields.iter().any(|field| is_needed(&field));
        let shown = self.auth_fields.iter().filter(|field| is_needed(field) || !needs_any);
        shown.map(|field| (field.name.to_owned(), format!("<{}>", field.title).into())).collect()
    }

    /// The ways in which its connections may be authenticated.
    #[must_use]
    pub fn auth_methods(&self) -> Vec<AuthMethod> {
        let token = self.token_field().map(|_| AuthMethod::OauthToken);
        std::iter::once(AuthMethod::Direct).chain(token).collect()
    }
}

/// A validated config or credentials object, every default filled in, unknown keys dropped.
pub type ValidatedFields = Map<String, Value>;
