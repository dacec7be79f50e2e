//! Objects of a bucket, pages of them, and what becomes of them.

use crate::arf::ArfError;
use crate::object_stores::failure::Reason;

/// Why a page is an error that names what isn't below the prefix.
pub(super) const NOT_ASKED_FOR: &str = "it lists what wasn't asked for";

/// An object, or a version of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) version: Option<String>,
}

impl Object {
    /// Its name below the prefix that it was found by.
    pub(super) fn below<'a>(&'a self, prefix: &str) -> &'a str {
        self.key.strip_prefix(prefix).unwrap_or(&self.key)
    }
}

/// At most 1 000 objects, or 5 000 in Azure.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<Object>,
    /// What stands before the next delimiter, without it.
    pub(super) prefixes: Vec<String>,
    /// Where the next page begins; none is the last one.
    pub(super) next: Option<PageToken>,
}

impl Page {
    /// Whether all that it names begins with this, and, with a delimiter, ends before the next one.
    pub(super) fn is_below(&self, prefix: &str, delimiter: Option<&str>) -> bool {
        let is_one = |below: &str| delimiter.is_none_or(|delimiter| !below.contains(delimiter));
        let is_below = |name: &str| name.strip_prefix(prefix).is_some_and(is_one);
        let keys = self.objects.iter().map(|object| object.key.as_str());
        keys.chain(self.prefixes.iter().map(String::as_str)).all(is_below)
    }
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PageToken {
    pub(super) token: String,
    /// Of which version of that object on.
    pub(super) version: Option<String>,
}

/// What became of the objects of a page.
#[derive(Debug, Default)]
pub(super) struct Removal {
    pub(super) removed: Vec<Object>,
    pub(super) refusals: Refusals,
    /// Why nothing is known of the others.
    pub(super) failure: Option<ArfError>,
}

impl Removal {
    pub(super) fn failed(failure: ArfError) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.removed.extend(other.removed);
        self.refusals.add(other.refusals);
        self.failure = self.failure.take().or(other.failure);
    }
}

/// Objects that the store answered for, one by one, and didn't remove.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    pub(super) count: u64,
    /// Of the first.
    pub(super) reason: Option<String>,
}

impl Refusals {
    pub(super) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.reason = self.reason.take().or(other.reason);
    }

    pub(super) fn one(reason: String) -> Self {
        Self { count: 1, reason: Some(reason) }
    }
}

/// An answer can't be used, for a reason of ours.
pub(super) fn failure(action: &'static str, reason: &'static str) -> ArfError {
    ArfError::store(action)(object_store::Error::Generic { store: "bucket", source: Reason(reason).into() })
}
