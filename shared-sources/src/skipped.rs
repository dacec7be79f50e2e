//! What a run left out: all of it counted, the first ones told by name.
//!
//! Names are the owner's. They go into the job's row, which goes with the connection, and nowhere else: not into logs,
//! metrics, events or messages.

/// Most that are told by name.
const MAX_TOLD: usize = 100;
/// Longest id and reason that are told, bytes.
const MAX_ID_BYTES: usize = 512;
const MAX_REASON_BYTES: usize = 200;

/// What a run left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped {
    count: i64,
    told: Vec<SkippedEntity>,
}

/// One thing that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedEntity {
    /// The id that its entity has or would have, or its beginning.
    pub entity_id: String,
    /// Why, without secrets.
    pub reason: String,
}

impl Skipped {
    /// Nothing was left out.
    pub const NOTHING: Self = Self { count: 0, told: Vec::new() };

    /// One more.
    pub fn add(&mut self, entity_id: &str, reason: &str) {
        self.count = self.count.saturating_add(1);
        if self.told.len() < MAX_TOLD {
            self.told.push(SkippedEntity {
                entity_id: beginning(entity_id, MAX_ID_BYTES),
                reason: beginning(reason, MAX_REASON_BYTES),
            });
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> i64 {
        self.count
    }

    /// The first ones.
    #[must_use]
    pub fn told(&self) -> &[SkippedEntity] {
        &self.told
    }
}

/// What PostgreSQL takes of the beginning of `text`.
fn beginning(text: &str, max_bytes: usize) -> String {
    let cut = text.get(..text.floor_char_boundary(max_bytes)).unwrap_or_default();
    let mut beginning = cut.replace('\0', "\u{fffd}");
    if cut.len() < text.len() {
        beginning.push('…');
    }
    beginning
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_what_is_told_is_bounded() {
        let mut skipped = Skipped::default();
        for number in 0..1_000 {
            skipped.add(&format!("{number}\0{}", "é".repeat(10_000)), &"x".repeat(10_000));
        }
        assert_eq!((skipped.count(), skipped.told().len()), (1_000, MAX_TOLD));
        let first = &skipped.told()[0];
        assert!(first.entity_id.starts_with("0\u{fffd}é") && first.entity_id.len() <= MAX_ID_BYTES + 6);
        assert_eq!(first.reason.len(), MAX_REASON_BYTES + '…'.len_utf8());
    }
}
