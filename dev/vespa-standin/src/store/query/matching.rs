//! A filter made ready: names looked up, texts uncased, words looked up in the full-text index.

use rusqlite::Connection;

use super::condition::{Condition, Element};
use super::sources::Candidates;
use super::words::{self, Found};
use crate::record::{Columns, Record};
use crate::schema::{DocType, Field, PURGE_KEY, SYNC_ID, Searchable};
use crate::store::StoreError;
use crate::yql::{Filter, Term, Terms, Wanted};

/// A filter that can be evaluated.
pub(super) struct Matcher {
    root: Node,
    /// What each search for words has found, and how well.
    found: Vec<Found>,
}

pub(super) enum Node {
    Constant(bool),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Field(&'static Field, Condition),
    /// A member of any element.
    Member(&'static Field, &'static str, Condition),
    /// One element that is all of it.
    Element(&'static Field, Element),
    /// The documents found by the search of that number.
    Words(usize),
    /// One of the nearest neighbours.
    Nearest,
}

/// A document under examination.
struct Candidate<'a> {
    serial: i64,
    record: &'a Columns<'a>,
    found: &'a [Found],
}

impl Matcher {
    pub(super) fn new(connection: &Connection, filter: &Filter) -> Result<Self, StoreError> {
        let mut found = Vec::new();
        let root = Node::new(connection, filter, &mut found)?;
        Ok(Self { root, found })
    }

    fn conjuncts(&self) -> &[Node] {
        match &self.root {
            Node::And(parts) => parts,
            other => std::slice::from_ref(other),
        }
    }

    /// What it says of where every match certainly is.
    pub(super) fn candidates(&self) -> Candidates {
        let mut candidates = Candidates::default();
        let mut narrowest: Option<&Found> = None;
        for part in self.conjuncts() {
            match part {
                Node::Field(field, Condition::AnyOf(values)) if field.name == SYNC_ID => {
                    candidates.syncs = Some(serde_json::Value::from_iter(values.iter().cloned()).to_string());
                }
                Node::Field(field, Condition::Range(low, high)) if field.name == PURGE_KEY => {
                    candidates.range = Some((*low, *high));
                }
                Node::Words(number) => {
                    if let Some(found) = self.found.get(*number)
                        && narrowest.is_none_or(|narrowest| found.len() < narrowest.len())
                    {
                        narrowest = Some(found);
                    }
                }
                _ => {}
            }
        }
        candidates.serials = narrowest.map(|found| serde_json::Value::from_iter(found.keys().copied()).to_string());
        candidates
    }

    pub(super) fn is_only_syncs(&self) -> bool {
        matches!(&self.root, Node::Field(field, Condition::AnyOf(_)) if field.name == SYNC_ID)
    }

    pub(super) fn is_everything(&self) -> bool {
        matches!(self.root, Node::Constant(true))
    }

    /// Whether words were searched for.
    pub(super) fn has_words(&self) -> bool {
        !self.found.is_empty()
    }

    pub(super) fn relevance(&self, serial: i64) -> f64 {
        self.found.iter().filter_map(|found| found.get(&serial)).sum()
    }

    /// The attributes that an evaluation reads.
    pub(super) fn fields(&self) -> Vec<&'static Field> {
        let mut fields = Vec::new();
        self.root.collect(&mut fields);
        fields
    }

    /// Whether the document matches even if it is none of the nearest neighbours.
    pub(super) fn matches(&self, serial: i64, record: &Columns<'_>) -> bool {
        self.root.matches(&Candidate { serial, record, found: &self.found })
    }

    /// Whether the document may be one of the nearest neighbours: it meets all that is asked for beside nearness.
    pub(super) fn admits(&self, serial: i64, record: &Columns<'_>) -> bool {
        self.root.admits(&Candidate { serial, record, found: &self.found })
    }
}

impl Node {
    fn new(connection: &Connection, filter: &Filter, found: &mut Vec<Found>) -> Result<Self, StoreError> {
        Ok(match filter {
            Filter::Constant(value) => Self::Constant(*value),
            Filter::And(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    match Self::new(connection, part, found)? {
                        // Flat, so that the condition on the syncs is seen wherever the brackets are.
                        Self::And(inner) => all.extend(inner),
                        other => all.push(other),
                    }
                }
                Self::And(all)
            }
            Filter::Or(parts) => {
                Self::Or(parts.iter().map(|part| Self::new(connection, part, found)).collect::<Result<_, _>>()?)
            }
            Filter::Not(part) => Self::Not(Box::new(Self::new(connection, part, found)?)),
            Filter::Number(name, comparison, number) => Self::leaf(name, Condition::Number(*comparison, *number)),
            Filter::Range(name, low, high) => Self::leaf(name, Condition::Range(*low, *high)),
            Filter::Matches(name, pattern) => match Condition::regex(pattern) {
                Some(condition) => Self::leaf(name, condition),
                None => Self::Constant(false),
            },
            Filter::Contains(name, value) => match lookup(name) {
                Some(Searchable::Field(field)) if field.access.is_indexed() => {
                    Self::words(words::phrase(connection, field, value, found)?)
                }
                _ => Self::leaf(name, Condition::any_of([value])),
            },
            Filter::In(name, values) => match lookup(name) {
                Some(Searchable::Field(field)) if field.access.is_indexed() => {
                    Self::words(words::whole(connection, field, values, found)?)
                }
                _ => Self::leaf(name, Condition::any_of(values)),
            },
            Filter::SameElement(name, conditions) => match lookup(name) {
                Some(Searchable::Field(field)) => Self::Element(field, element(&Filter::And(conditions.clone()))),
                _ => Self::Constant(false),
            },
            // An empty composite is taken out of the query.
            Filter::Terms(terms) if terms.terms.is_empty() => Self::Constant(true),
            Filter::Terms(terms) => match lookup(&terms.index) {
                Some(Searchable::Field(field)) if field.access.is_indexed() => {
                    Self::words(words::terms(connection, &[field.name], terms, found)?)
                }
                Some(_) => Self::attribute_terms(terms),
                None => Self::words(words::terms(connection, &crate::schema::DEFAULT_FIELDSET, terms, found)?),
            },
            Filter::Nearest(_) => Self::Nearest,
        })
    }

    /// What a search for words has found; without a word, nothing is.
    fn words(number: Option<usize>) -> Self {
        number.map_or(Self::Constant(false), Self::Words)
    }

    /// Terms looked up in an attribute: each is a whole value of it.
    fn attribute_terms(terms: &Terms) -> Self {
        let value = |term: &Term| match term {
            Term::Words(words) | Term::Phrase(words) => words.join(" "),
            Term::Unfindable => String::new(),
        };
        let leaves = terms.terms.iter().map(|term| Self::leaf(&terms.index, Condition::any_of([&value(term)])));
        match terms.wanted {
            Wanted::Any => Self::Or(leaves.collect()),
            Wanted::All => Self::And(leaves.collect()),
        }
    }

    /// A condition on an attribute. An index comes before an attribute of the same name, and knows words alone.
    fn leaf(name: &str, condition: Condition) -> Self {
        match lookup(name) {
            Some(Searchable::Field(field)) if field.access.is_attribute() && !field.access.is_indexed() => {
                Self::Field(field, condition)
            }
            Some(Searchable::Member(field, member)) => Self::Member(field, member, condition),
            Some(Searchable::Field(_)) | None => Self::Constant(false),
        }
    }

    fn matches(&self, candidate: &Candidate<'_>) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::And(parts) => parts.iter().all(|part| part.matches(candidate)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(candidate)),
            Self::Not(part) => !part.matches(candidate),
            Self::Words(number) => {
                candidate.found.get(*number).is_some_and(|found| found.contains_key(&candidate.serial))
            }
            Self::Field(field, condition) => condition.accepts(&candidate.record.value(field)),
            Self::Member(field, member, condition) => {
                let values = candidate.record.structs(field);
                let mut texts = values.iter().filter_map(|element| element.get(*member)?.as_str());
                texts.any(|text| condition.accepts(&crate::record::Value::Text(text)))
            }
            Self::Element(field, element) => candidate.record.structs(field).iter().any(|value| element.accepts(value)),
            Self::Nearest => false,
        }
    }

    /// What stands beside the nearest neighbours and is joined to them by `and`; of what is joined by `or`, nothing.
    fn admits(&self, candidate: &Candidate<'_>) -> bool {
        match self {
            Self::Nearest => true,
            Self::And(parts) => parts
                .iter()
                .all(|part| if part.holds_nearest() { part.admits(candidate) } else { part.matches(candidate) }),
            Self::Or(parts) => parts.iter().any(|part| part.holds_nearest() && part.admits(candidate)),
            Self::Constant(_)
            | Self::Not(_)
            | Self::Field(..)
            | Self::Member(..)
            | Self::Element(..)
            | Self::Words(_) => false,
        }
    }

    fn holds_nearest(&self) -> bool {
        match self {
            Self::Nearest => true,
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::holds_nearest),
            Self::Constant(_)
            | Self::Not(_)
            | Self::Field(..)
            | Self::Member(..)
            | Self::Element(..)
            | Self::Words(_) => false,
        }
    }

    fn collect(&self, fields: &mut Vec<&'static Field>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.collect(fields)),
            Self::Not(part) => part.collect(fields),
            Self::Field(field, _) | Self::Member(field, ..) | Self::Element(field, _) => {
                if !fields.iter().any(|known| std::ptr::eq(*known, *field)) {
                    fields.push(field);
                }
            }
            Self::Constant(_) | Self::Words(_) | Self::Nearest => {}
        }
    }
}

/// A condition inside `sameElement`: what was parsed there is about members.
fn element(filter: &Filter) -> Element {
    let member = |name: &String, condition: Option<Condition>| match (lookup(name), condition) {
        (Some(Searchable::Member(_, member)), Some(condition)) => Element::Member(member, condition),
        _ => Element::Constant(false),
    };
    match filter {
        Filter::Constant(value) => Element::Constant(*value),
        Filter::And(parts) => Element::All(parts.iter().map(element).collect()),
        Filter::Or(parts) => Element::Any(parts.iter().map(element).collect()),
        Filter::Not(part) => Element::Not(Box::new(element(part))),
        Filter::Contains(name, value) => member(name, Some(Condition::any_of([value]))),
        Filter::In(name, values) => member(name, Some(Condition::any_of(values))),
        Filter::Matches(name, pattern) => member(name, Condition::regex(pattern)),
        Filter::Number(..) | Filter::Range(..) | Filter::SameElement(..) | Filter::Terms(_) | Filter::Nearest(_) => {
            Element::Constant(false)
        }
    }
}

/// What the name stands for, in whatever type: no two types declare the same.
fn lookup(name: &str) -> Option<Searchable> {
    DocType::ALL.into_iter().find_map(|doc_type| doc_type.searchable(name))
}
