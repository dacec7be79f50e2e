//! What the sources for tests have in common.

use crate::definition::build::{free_text, integer, secret};
use crate::definition::{Field, FieldDefault};

pub(crate) mod content;
mod plain;
pub(crate) mod random;
#[cfg(test)]
pub(crate) mod stand;
#[cfg(test)]
mod stubs;
#[cfg(test)]
mod tests;

pub(crate) use plain::Plain;

pub(crate) const LABELS: &[&str] = &["Internal", "Testing"];

pub(crate) const COUNT: &str = "How many entities there are, the container included.";
const SEED: &str = "Everything that is made up follows from this number: the same seed gives the same entities.";

pub(crate) const fn seed() -> Field {
    integer("seed", "Random Seed", SEED, 42, i64::MIN, i64::MAX)
}

/// A credential that must be there in form only.
pub(crate) const fn key(name: &'static str, title: &'static str, default: &'static str) -> Field {
    secret(free_text(name, title, "Any text: nothing is protected by it.", FieldDefault::Text(default)))
}

pub(crate) const STUB_AUTH: &[Field] = &[key("stub_key", "Stub Key", "stub")];

/// Credentials that nobody looks at.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct NoCredentials {}
