//! What a run leaves out, noted as it goes: all of it counts as failed and is told to its owner.

use parking_lot::Mutex;

use crate::tools::patterns::Patterns;
use crate::{ReadSummary, Skipped, Unread};

/// Most warnings of a run, and the longest pattern that is quoted, bytes.
const MAX_WARNINGS: usize = 20;
const MAX_PATTERN_BYTES: usize = 200;

/// What a run left out so far. Several readers may note at the same time.
#[derive(Debug, Default)]
pub(crate) struct LeftOut(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    skipped: Skipped,
    unread: Unread,
    warnings: Vec<String>,
}

impl LeftOut {
    /// No entity can be made of what has this id: what was known of it is out of date, and goes.
    pub(crate) fn unusable(&self, entity_id: &str, reason: &str) {
        self.0.lock().skipped.add(entity_id, reason);
    }

    /// The entity of this id can't be read for now: what is known of it stays.
    pub(crate) fn gap(&self, entity_id: &str, reason: &str) {
        let mut noted = self.0.lock();
        noted.skipped.add(entity_id, reason);
        noted.unread.add(entity_id);
    }

    /// The same of an entity or folder with all that is in it: whose id begins with its id and a slash.
    pub(crate) fn gap_with_all_below(&self, entity_id: &str, reason: &str) {
        let mut noted = self.0.lock();
        noted.skipped.add(entity_id, reason);
        noted.unread.add_below(format!("{entity_id}/"));
        noted.unread.add(entity_id);
    }

    /// Tells the owner something although the run goes well, in a sentence.
    pub(crate) fn warn(&self, warning: &str) {
        self.0.lock().warnings.push(warning.to_owned());
    }

    /// Tells of patterns to include that have matched nothing: mostly they are misspelled.
    pub(crate) fn unmatched(&self, patterns: &Patterns) {
        let told = patterns.unmatched().take(MAX_WARNINGS).map(|pattern| {
            let pattern = pattern.get(..pattern.floor_char_boundary(MAX_PATTERN_BYTES)).unwrap_or(pattern);
            format!("include: no file matches '{pattern}'")
        });
        self.0.lock().warnings.extend(told);
    }

    /// What a run says at its end that has no cursor and saw everything else.
    pub(crate) fn into_summary(self) -> ReadSummary {
        let Noted { skipped, unread, warnings } = self.0.into_inner();
        ReadSummary { skipped, seen: unread.into_seen(), warnings, cursor: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_left_out_is_told_and_only_gaps_are_kept() {
        let left_out = LeftOut::default();
        left_out.unusable("picture", "it holds no text");
        left_out.gap("file", "it may not be read");
        left_out.gap_with_all_below("folder", "it may not be listed");
        let ReadSummary { skipped, seen, cursor, .. } = left_out.into_summary();
        let told: Vec<&str> = skipped.told().iter().map(|told| told.entity_id.as_str()).collect();
        assert_eq!((told, skipped.count(), cursor), (vec!["picture", "file", "folder"], 3, None));
        for kept in ["file", "folder", "folder/a/b"] {
            assert!(!seen.means_gone(kept), "{kept}");
        }
        for gone in ["picture", "file/a", "folder2", "other"] {
            assert!(seen.means_gone(gone), "{gone}");
        }
        assert_eq!(LeftOut::default().into_summary(), ReadSummary::everything());
    }
}
