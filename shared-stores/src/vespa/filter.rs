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

    /// The greatest value that a document can have: the end of year 9999, and the largest `int` of Vespa.
    const fn most(self) -> i64 {
        match self {
            Self::CreatedAt | Self::UpdatedAt => 253_402_300_799,
            Self::ChunkIndex => 2_147_483_647,
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
    /// The filter as what follows the list of syncs: ` and …`.
    pub(super) fn to_conjunction(&self) -> String {
        self.conjuncts().into_iter().map(|part| format!(" and {part}")).collect()
    }

    /// The filter as a condition that can stand in any place of a `where` clause. Vespa parses on a small stack, so
    /// there are no more brackets in each other than it takes.
    pub(super) fn to_yql(&self) -> String {
        match self.open() {
            Open::Single(text) => text,
            Open::Joined(text) => format!("({text})"),
        }
    }

    /// The filter without brackets around it.
    fn open(&self) -> Open {
        match self {
            Self::All(parts) => match &parts[..] {
                [] => Open::Single("true".to_owned()),
                [part] => part.open(),
                _ => conjunction(self.conjuncts()),
            },
            Self::Any(parts) => match &parts[..] {
                [] => Open::Single("false".to_owned()),
                [part] => part.open(),
                parts => Open::Joined(parts.iter().map(Self::to_yql).collect::<Vec<_>>().join(" or ")),
            },
            Self::Not(part) => match &**part {
                Self::Not(same) => same.open(),
                _ => conjunction(self.conjuncts()),
            },
            Self::Text(field, test) => Open::Single(test.to_yql(field.attribute())),
            Self::OneOf(field, texts) => Open::Single(one_of(field.attribute(), texts)),
            Self::Number(field, bounds) => Open::Single(within(*field, *bounds)),
            Self::Breadcrumb(tests) => Open::Single(breadcrumb(tests)),
        }
    }

    /// Conditions of which all must hold: positive ones, and negations as `!(…)`.
    fn conjuncts(&self) -> Vec<String> {
        match self {
            Self::All(parts) if !parts.is_empty() => parts.iter().flat_map(Self::conjuncts).collect(),
            Self::Not(part) => match &**part {
                Self::Not(same) => same.conjuncts(),
                part => vec![format!("!({})", part.open().into_text())],
            },
            other => vec![other.to_yql()],
        }
    }
}

/// A condition that needs brackets only where it is joined to others.
enum Open {
    /// One that needs none.
    Single(String),
    /// Several with `and` or `or` between them.
    Joined(String),
}

impl Open {
    fn into_text(self) -> String {
        match self {
            Self::Single(text) | Self::Joined(text) => text,
        }
    }
}

/// Older versions refuse a negation that stands alone.
fn conjunction(mut parts: Vec<String>) -> Open {
    if parts.iter().all(|part| part.starts_with("!(")) {
        parts.insert(0, "true".to_owned());
    }
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => Open::Single(only),
        (_, last) => {
            parts.extend(last);
            Open::Joined(parts.join(" and "))
        }
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
    let (name, least, most) = (field.attribute(), field.least(), field.most());
    let from = from.unwrap_or(least).max(least);
    match to.filter(|to| *to < most) {
        _ if from > most => "false".to_owned(),
        None => format!("{name} >= {from}L"),
        Some(to) if from > to => "false".to_owned(),
        Some(to) if from == to => format!("{name} = {to}L"),
        Some(to) => format!("range({name}, {from}L, {to}L)"),
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
