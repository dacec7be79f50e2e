//! A copy of the whole log.

use super::example::{Example, KEPT, OLD_AT, SIZE, id};
use crate::ids::ReceiptId;
use crate::ledger::*;

fn checkpoints(example: &Example) -> (Checkpoint, Checkpoint) {
    let read = |note| read_checkpoint(note, &example.keys).unwrap().checkpoint;
    (read(&example.kept), read(&example.checkpoint))
}

/// Bundle by bundle, each tile held against the copy's own.
fn copied(example: &Example, watched: u64) -> LogCopy {
    let files = example.files();
    let mut copy = LogCopy::new([watched]);
    let mut tiles = Vec::new();
    for bundle in bundles_between(0, u64::try_from(SIZE).unwrap()) {
        tiles.extend(copy.add_bundle(&files[&format!("copy/log/{}", bundle.path())], bundle.width).unwrap());
    }
    tiles.extend(copy.partial_tiles());
    assert_eq!(tiles.len(), 3);
    for tile in tiles {
        let written = &files[&format!("copy/log/{}", tile.id.path())];
        assert_eq!(read_tile(written, tile.id.width).unwrap(), tile.hashes, "{}", tile.id.path());
    }
    copy
}

#[test]
fn a_copy_is_the_whole_log_and_continues_what_was_kept() {
    let example = Example::new();
    let (kept, whole) = checkpoints(&example);
    let copy = copied(&example, kept.size);
    copy.check_whole(&whole).unwrap();
    copy.check_continues(&kept).unwrap();
    copy.check_continues(&Checkpoint { size: 0, root: EMPTY_ROOT, ..kept.clone() }).unwrap_err();
    LogCopy::new([0]).check_continues(&Checkpoint { size: 0, root: EMPTY_ROOT, ..kept }).unwrap();
    let counts = EntryCounts { deleted: 1, receipt: 3, superseded: 1, audit: 2, unknown: 253 };
    assert_eq!(copy.counts(), counts);
    assert_eq!(copy.superseded().keys().collect::<Vec<_>>(), [&ReceiptId(id(8))]);
    assert!(copy.has_receipt(ReceiptId(id(9))));
}

#[test]
fn a_receipt_that_is_in_the_log_twice_is_told() {
    let example = Example::new();
    // The receipt of form 2 has the id of the first one.
    let index = u64::try_from(OLD_AT).unwrap();
    assert_eq!(copied(&example, 0).duplicates(), [Duplicate { receipt_id: ReceiptId(id(8)), index }]);
}

#[test]
fn a_copy_of_another_log_is_refused() {
    let example = Example::new();
    let (kept, whole) = checkpoints(&example);
    let copy_of = |entries: &[Vec<u8>]| {
        let mut copy = LogCopy::new([kept.size]);
        entries.iter().for_each(|entry| drop(copy.add_entry(entry).unwrap()));
        copy
    };
    let shorter = copy_of(&example.entries[..SIZE - 1]);
    assert!(matches!(shorter.check_whole(&whole), Err(CopyError::Size { copied: 259, size: 260 })));
    shorter.check_continues(&kept).unwrap();
    let shortest = copy_of(&example.entries[..KEPT - 1]);
    assert!(matches!(shortest.check_continues(&kept), Err(CopyError::Size { copied: 8, size: 9 })));
    let mut swapped = example.entries.clone();
    swapped.swap(2, 3);
    let swapped = copy_of(&swapped);
    assert!(matches!(swapped.check_whole(&whole), Err(CopyError::Root { size: 260, .. })));
    assert!(matches!(swapped.check_continues(&kept), Err(CopyError::Root { size: 9, .. })));
    let other = Checkpoint { size: 17, ..whole };
    assert!(matches!(copy_of(&example.entries).check_continues(&other), Err(CopyError::Unwatched(17))));
}

#[test]
fn a_bundle_with_something_that_is_no_entry_is_refused_and_says_where() {
    let mut copy = LogCopy::new([]);
    copy.add_entry(br#"{"form":1,"kind":"later"}"#).unwrap();
    let bundle = write_bundle(&[&br#"{"form":1,"kind":"later"}"#[..], br#"{"kind":"later","form":1}"#]).unwrap();
    let error = copy.clone().add_bundle(&bundle, 2).unwrap_err();
    assert!(matches!(error, CopyError::Entry { index: 2, error: EntryError::NotCanonical }), "{error}");
    let error = copy.add_bundle(&bundle, 3).unwrap_err();
    assert!(matches!(error, CopyError::Bundle { first: 1, .. }), "{error}");
}
