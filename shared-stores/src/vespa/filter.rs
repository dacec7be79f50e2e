//! What a document must be like to be found, as YQL.
//!
//! Texts are compared as Vespa compares attributes: whatever their case, whole for [`TextTest::Is`], anywhere for
//! [`TextTest::Contains`] (a regular expression in which every character stands for itself). A text can't leave its
//! string: quotes, backslashes and line ends are escaped, and what Vespa refuses in documents is left out here too.
//!
//! A document without a time or number fits no condition on it, but fits its [`Filter::Not`]. Filters only ever narrow
//! a search: it joins them by `and` to the list of syncs (DEL-3).

use std::fmt::Write as _;

use super::text::clean_text;

/// What a document must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All of these; every document if there are none.
    All(Vec<Filter>),
    /// One of these; no document if there are none.
    Any(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// Its text is like this.
    Text(TextField, TextTest),
    /// Its text is one of these; no document if there are none.
    OneOf(TextField, Vec<String>),
    /// Its number is within these bounds.
    Number(NumberField, Bounds),
    /// One of its breadcrumbs is like all of this.
    Breadcrumb(Vec<(BreadcrumbField, TextTest)>),
}

/// A text of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextField {
    /// The entity's id at its source.
    EntityId,
    /// The entity's name.
    Name,
    /// The source's short name.
    SourceName,
    /// The entity's class.
    EntityType,
    /// The id of the entity that the document is a chunk of.
    OriginalEntityId,
    /// The sync.
    SyncId,
    /// The job that wrote the document.
    SyncJobId,
}

/// A number of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberField {
    /// When the entity was made, in seconds since 1970.
    CreatedAt,
    /// When the entity was changed, in seconds since 1970.
    UpdatedAt,
    /// Which chunk of the entity the document is.
    ChunkIndex,
}

/// A text of a breadcrumb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreadcrumbField {
    /// Id of the container.
    EntityId,
    /// Name of the container.
    Name,
    /// Class of the container.
    EntityType,
}

/// What a text must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextTest {
    /// Just this. No document has an empty text in this sense.
    Is(String),
    /// Has this in it.
    Contains(String),
}

/// Both ends are included; `None` is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The least.
    pub from: Option<i64>,
    /// The most.
    pub to: Option<i64>,
}

impl TextField {
    /// The attribute that is compared: the name itself is split into words for search, its copy isn't.
    const fn attribute(self) -> &'static str {
        match self {
            Self::EntityId => "entity_id",
            Self::Name => "name_exact",
            Self::SourceName => "airweave_system_metadata_source_name",
            Self::EntityType => "airweave_system_metadata_entity_type",
            Self::OriginalEntityId => "airweave_system_metadata_original_entity_id",
            Self::SyncId => "airweave_system_metadata_sync_id",
            Self::SyncJobId => "airweave_system_metadata_sync_job_id",
        }
    }
}

impl NumberField {
    const fn attribute(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::ChunkIndex => "airweave_system_metadata_chunk_index",
        }
    }

    /// The least value that a document can have. Vespa keeps "none" as the least number there is, so a search for
    /// smaller ones must end before that. For times this is the start of year 1.
    const fn least(self) -> i64 {
        match self {
            Self::CreatedAt | Self::UpdatedAt => -62_135_596_800,
            Self::ChunkIndex => 0,
        }
    }
}

impl BreadcrumbField {
    const fn name(self) -> &'static str {
        match self {
            Self::EntityId => "entity_id",
            Self::Name => "name",
            Self::EntityType => "entity_type",
        }
    }
}

impl Filter {
    /// The filter as a condition that can stand in any place of a `where` clause.
    pub(super) fn to_yql(&self) -> String {
        match self {
            Self::All(parts) => joined(parts, " and ", "true"),
            Self::Any(parts) => joined(parts, " or ", "false"),
            // Older versions refuse a negation that stands alone.
            Self::Not(part) => format!("(true and !({}))", part.to_yql()),
            Self::Text(field, test) => test.to_yql(field.attribute()),
            Self::OneOf(field, texts) => one_of(field.attribute(), texts),
            Self::Number(field, bounds) => within(*field, *bounds),
            Self::Breadcrumb(tests) => breadcrumb(tests),
        }
    }
}

fn joined(parts: &[Filter], by: &str, none: &str) -> String {
    match parts {
        [] => none.to_owned(),
        [part] => part.to_yql(),
        parts => format!("({})", parts.iter().map(Filter::to_yql).collect::<Vec<_>>().join(by)),
    }
}

impl TextTest {
    fn to_yql(&self, field: &str) -> String {
        match self {
            Self::Is(text) => match clean_text(text) {
                text if text.is_empty() => "false".to_owned(),
                text => format!("{field} contains {}", quoted(&text)),
            },
            Self::Contains(text) => match clean_text(text) {
                text if text.is_empty() => "true".to_owned(),
                text => format!("{field} matches {}", quoted(&literally(&text))),
            },
        }
    }
}

fn one_of(field: &str, texts: &[String]) -> String {
    let texts: Vec<String> =
        texts.iter().map(|text| clean_text(text)).filter(|text| !text.is_empty()).map(|text| quoted(&text)).collect();
    if texts.is_empty() { "false".to_owned() } else { format!("{field} in ({})", texts.join(", ")) }
}

fn within(field: NumberField, Bounds { from, to }: Bounds) -> String {
    let (name, least) = (field.attribute(), field.least());
    match (from, to) {
        (None, None) => format!("{name} >= {least}L"),
        (Some(from), None) => format!("{name} >= {}L", from.max(least)),
        (from, Some(to)) => match from.unwrap_or(least).max(least) {
            from if from > to => "false".to_owned(),
            from if from == to => format!("{name} = {to}L"),
            from => format!("range({name}, {from}L, {to}L)"),
        },
    }
}

fn breadcrumb(tests: &[(BreadcrumbField, TextTest)]) -> String {
    let tests: Vec<String> = tests.iter().map(|(field, test)| test.to_yql(field.name())).collect();
    if tests.iter().any(|test| test == "false") {
        return "false".to_owned();
    }
    let tests: Vec<String> = tests.into_iter().filter(|test| test != "true").collect();
    if tests.is_empty() { "true".to_owned() } else { format!("breadcrumbs contains sameElement({})", tests.join(", ")) }
}

/// The text as a string of YQL. It is clean, so it holds no other control characters.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Line ends of Unicode: a parser may see the end of the string in them.
            '\u{2028}' | '\u{2029}' => {
                let _never_fails = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A regular expression (RE2) that finds the text and nothing else.
fn literally(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
