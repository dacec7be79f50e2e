//! What a source saw of itself: the ground on which entities are taken for gone.

use std::collections::{BTreeSet, HashSet};
use std::ops::Bound;

/// More gaps than this are not told apart any more: nothing is taken for gone then. Bounds the memory that they take.
const MAX_GAPS: usize = 10_000;

/// What a source saw in one run.
///
/// It has no default: a source must say that what it didn't yield is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Everything that it has: what it didn't yield is gone.
    Everything,
    /// Everything but what it could not read for now: that is neither new nor changed nor gone.
    EverythingBut(Unread),
    /// Only what came after the cursor: nothing is gone.
    Changes,
}

impl Seen {
    /// Whether an entity that the source didn't yield is gone from it.
    #[must_use]
    pub fn means_gone(&self, entity_id: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::EverythingBut(unread) => !unread.covers(entity_id),
            Self::Changes => false,
        }
    }

    /// Whether any entity at all can be taken for gone.
    #[must_use]
    pub const fn may_mean_gone(&self) -> bool {
        match self {
            Self::Everything => true,
            Self::EverythingBut(unread) => !unread.is_unbounded,
            Self::Changes => false,
        }
    }
}

/// What could not be read for now, by the ids of the entities behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    ids: HashSet<String>,
    /// No member begins with another one.
    prefixes: BTreeSet<String>,
    is_unbounded: bool,
}

impl Unread {
    /// The entity of this id, of whatever class, could not be read.
    pub(crate) fn add(&mut self, entity_id: impl Into<String>) {
        if self.has_room() {
            self.ids.insert(entity_id.into());
        }
    }

    /// Nothing whose id begins with `prefix` could be read, as what is in a folder `"a/b/"`.
    pub(crate) fn add_below(&mut self, prefix: impl Into<String>) {
        let prefix = prefix.into();
        if !self.has_room() || self.has_prefix_of(&prefix) {
            return;
        }
        let covered: Vec<String> =
            self.prefixes.range(prefix.clone()..).take_while(|known| known.starts_with(&prefix)).cloned().collect();
        for known in covered {
            self.prefixes.remove(&known);
        }
        self.prefixes.insert(prefix);
    }

    /// What a run means that could not read this.
    pub(crate) fn into_seen(self) -> Seen {
        if self.is_unbounded || !self.ids.is_empty() || !self.prefixes.is_empty() {
            Seen::EverythingBut(self)
        } else {
            Seen::Everything
        }
    }

    fn covers(&self, entity_id: &str) -> bool {
        self.is_unbounded || self.ids.contains(entity_id) || self.has_prefix_of(entity_id)
    }

    /// Only the last one that isn't greater can be a prefix: whatever lies between a prefix and a text that begins with
    /// it begins with it as well, and no member begins with another.
    fn has_prefix_of(&self, text: &str) -> bool {
        let last = self.prefixes.range::<str, _>((Bound::Unbounded, Bound::Included(text))).next_back();
        last.is_some_and(|prefix| text.starts_with(prefix.as_str()))
    }

    fn has_room(&mut self) -> bool {
        if self.ids.len() + self.prefixes.len() >= MAX_GAPS {
            *self = Self { is_unbounded: true, ..Self::default() };
        }
        !self.is_unbounded
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_run_without_gaps_saw_everything() {
        assert_eq!(Unread::default().into_seen(), Seen::Everything);
        assert!(Seen::Everything.means_gone("a"));
        assert!(!Seen::Changes.means_gone("a") && !Seen::Changes.may_mean_gone());
    }

    #[test]
    fn what_lies_in_a_gap_is_not_gone() {
        let mut unread = Unread::default();
        unread.add("file");
        unread.add_below("folder/");
        let seen = unread.into_seen();
        for kept in ["file", "folder/", "folder/a", "folder/a/b"] {
            assert!(!seen.means_gone(kept), "{kept}");
        }
        for gone in ["", "fil", "file2", "folder", "folder2/a", "other", "\u{10ffff}"] {
            assert!(seen.means_gone(gone), "{gone}");
        }
    }

    #[test]
    fn with_too_many_gaps_nothing_is_gone_and_memory_stays_bounded() {
        let mut unread = Unread::default();
        for number in 0..3 * MAX_GAPS {
            unread.add(format!("file {number}"));
            unread.add_below(format!("folder {number}/"));
        }
        assert!(unread.ids.is_empty() && unread.prefixes.is_empty());
        let seen = unread.into_seen();
        assert!(!seen.may_mean_gone() && !seen.means_gone("anything"));
    }

    proptest! {
        #[test]
        fn covering_is_beginning_with_any_of_the_prefixes(
            prefixes in prop::collection::vec("[ab/é]{0,4}", 0..12), id in "[ab/é]{0,6}"
        ) {
            let mut unread = Unread::default();
            for prefix in &prefixes {
                unread.add_below(prefix.clone());
            }
            let expected = prefixes.iter().any(|prefix| id.starts_with(prefix.as_str()));
            prop_assert_eq!(unread.covers(&id), expected);
        }
    }
}
