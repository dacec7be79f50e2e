//! The purge key of a document: by it a purge goes through a sync in slices of any size, each found by one range of an
//! index, so that its cost follows what it removes.
//!
//! 48 bits of the sync's id, then the document's slot: the first 15 bits of its entity's key, the same for all chunks
//! of an entity. Another sync may share the 48 bits, so whoever asks for a range asks for the sync as well (DEL-4).

use std::num::NonZeroU32;

use crate::document::EntityKey;
use crate::ids::SyncId;

const SLOT_BITS: u32 = 15;

/// A document's purge key: from 0 to 2⁶³ − 1, so that it is a `long` of Vespa that is never negative.
#[must_use]
pub fn purge_key(sync: SyncId, entity: EntityKey) -> i64 {
    let [first, second, ..] = entity.0;
    let slot = (u64::from(first) << 7) | (u64::from(second) >> 1);
    key(sync, slot)
}

fn key(sync: SyncId, slot: u64) -> i64 {
    let (high, _) = sync.0.as_u64_pair();
    i64::try_from(((high >> 16) << SLOT_BITS) | slot).unwrap_or(i64::MAX)
}

/// A slice of a sync: its documents in some slots that lie side by side. At least one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotRange {
    first: u32,
    /// The first slot after it.
    end: u32,
}

impl SlotRange {
    /// How many slots a sync has.
    pub const SLOTS: u32 = 1 << SLOT_BITS;

    /// The slots from `first` on, `width` of them, or as many as there are; `None` if there is none.
    #[must_use]
    pub fn starting_at(first: u32, width: NonZeroU32) -> Option<Self> {
        let end = first.saturating_add(width.get()).min(Self::SLOTS);
        (first < end).then_some(Self { first, end })
    }

    /// The first slot after the range.
    #[must_use]
    pub const fn end(self) -> u32 {
        self.end
    }

    /// The lowest and the highest key that a document of `sync` in the range can have.
    #[must_use]
    pub fn keys(self, sync: SyncId) -> (i64, i64) {
        (key(sync, u64::from(self.first)), key(sync, u64::from(self.end) - 1))
    }
}

/// Syncs whose ids begin alike, side by side: a part of a census of all. At least one beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixRange {
    first: u64,
    /// The first beginning after it.
    end: u64,
}

impl PrefixRange {
    /// How many beginnings there are.
    const PREFIXES: u64 = 1 << 48;

    /// All syncs.
    #[must_use]
    pub const fn whole() -> Self {
        Self { first: 0, end: Self::PREFIXES }
    }

    /// The first part of it, so many times smaller; `None` if it has but one beginning.
    #[must_use]
    pub fn narrowed(self, times: u64) -> Option<Self> {
        let width = self.end - self.first;
        let end = self.first + (width / times.max(2)).max(1);
        (end < self.end).then_some(Self { end, ..self })
    }

    /// The range that follows it, so many times as large if there is room; `None` after the last.
    #[must_use]
    pub fn after(self, times: u64) -> Option<Self> {
        let width = (self.end - self.first).saturating_mul(times.max(1));
        let end = self.end.saturating_add(width).min(Self::PREFIXES);
        (self.end < end).then_some(Self { first: self.end, end })
    }

    /// The lowest and the highest key that a document of such a sync can have.
    #[must_use]
    pub fn keys(self) -> (i64, i64) {
        let key = |prefix: u64, slot: u64| i64::try_from((prefix << SLOT_BITS) | slot).unwrap_or(i64::MAX);
        (key(self.first, 0), key(self.end - 1, u64::from(SlotRange::SLOTS) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync(text: &str) -> SyncId {
        text.parse().unwrap()
    }

    #[test]
    fn the_key_is_the_begin_of_the_sync_and_of_the_hash() {
        let sync = sync("12345678-9abc-4def-8012-3456789abcde");
        let entity = |first: u8, second: u8| EntityKey([first, second, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]);
        assert_eq!(purge_key(sync, entity(0, 0)), 0x1234_5678_9abc << 15);
        assert_eq!(purge_key(sync, entity(0xff, 0xff)), (0x1234_5678_9abc << 15) | 0x7fff);
        assert_eq!(purge_key(sync, entity(0x80, 0x01)), (0x1234_5678_9abc << 15) | 0x4000, "the 16th bit is no slot");
    }

    #[test]
    fn keys_are_never_negative_and_use_all_of_63_bits() {
        let last = sync("ffffffff-ffff-ffff-ffff-ffffffffffff");
        assert_eq!(purge_key(last, EntityKey([0xff; 16])), i64::MAX);
        assert_eq!(purge_key(SyncId(uuid::Uuid::nil()), EntityKey([0; 16])), 0);
    }

    #[test]
    fn ranges_of_any_width_cover_every_slot_once() {
        let sync = SyncId::random();
        for width in [1, 7, 2_000, 32_767, 32_768, u32::MAX] {
            let width = NonZeroU32::new(width).unwrap();
            let (mut next, mut expected) = (0, key(sync, 0));
            while let Some(range) = SlotRange::starting_at(next, width) {
                let (low, high) = range.keys(sync);
                assert_eq!(low, expected);
                assert!(high >= low);
                (next, expected) = (range.end(), high + 1);
            }
            assert_eq!((next, expected), (SlotRange::SLOTS, key(sync, 0) + 32_768));
        }
    }

    #[test]
    fn a_census_goes_through_all_keys_whatever_its_steps() {
        let mut range = PrefixRange::whole();
        assert_eq!(range.keys(), (0, i64::MAX));
        for _ in 0..12 {
            range = range.narrowed(8).unwrap();
        }
        let (mut expected, mut steps) = (0, 0);
        loop {
            let (first, last) = range.keys();
            assert_eq!(first, expected);
            assert!(last > first);
            steps += 1;
            let Some(next) = range.after(if steps % 3 == 0 { 8 } else { 1 }) else { break assert_eq!(last, i64::MAX) };
            (range, expected) = (next, last + 1);
        }
        let one = std::iter::successors(Some(PrefixRange::whole()), |range| range.narrowed(8)).last().unwrap();
        assert_eq!(one.keys(), (0, 0x7fff), "one beginning is the smallest part");
    }
}
