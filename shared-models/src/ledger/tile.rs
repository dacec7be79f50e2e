//! What is published: tiles of hashes and bundles of entries, with the names and the content of C2SP tlog-tiles.
//!
//! A file never changes: while a tile grows it is published under a name with its width, and under the plain one once
//! it is full.

use super::hash::{HASH_BYTES, Hash};
use super::tree::TILE_HEIGHT;

/// Hashes of a full tile, and entries of a full bundle.
pub const TILE_WIDTH: u16 = 1 << TILE_HEIGHT;

/// No entry is larger, so that the ledger can be read with little memory, and a bundle's lengths fit.
pub const MAX_ENTRY_BYTES: usize = 16 * 1024;

/// No bundle is larger: each entry has two bytes for its length.
pub const MAX_BUNDLE_BYTES: usize = (MAX_ENTRY_BYTES + 2) << TILE_HEIGHT;

/// A tile: up to 256 hashes of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// 0 for the hashes of entries, `n` for those of full tiles of level `n - 1`.
    pub level: u8,
    /// Its place within the level, from 0.
    pub index: u64,
    /// Its hashes: 1 to 256.
    pub width: u16,
}

/// A bundle: the entries whose hashes are in the tile of level 0 with the same index and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId {
    /// Its place, from 0.
    pub index: u64,
    /// Its entries: 1 to 256.
    pub width: u16,
}

/// Why the bytes aren't a tile or a bundle of that width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// More or fewer bytes than the width asks for.
    #[error("{bytes} bytes aren't {width} hashes or entries")]
    Length {
        /// Bytes that are there.
        bytes: usize,
        /// Hashes or entries that should be there.
        width: u16,
    },
    /// An entry that is too large for the ledger.
    #[error("an entry of {0} bytes is too large")]
    EntryTooLarge(usize),
    /// An empty file, or one of more than 256 hashes or entries.
    #[error("{0} hashes or entries don't make a tile or a bundle")]
    Width(usize),
}

impl TileId {
    /// Its name in the store, such as `tile/0/x001/067.p/5`.
    #[must_use]
    pub fn path(self) -> String {
        path(&self.level.to_string(), self.index, self.width)
    }

    /// The bundle of the same entries, if this tile is of their level.
    #[must_use]
    pub const fn bundle(self) -> Option<BundleId> {
        if self.level == 0 { Some(BundleId { index: self.index, width: self.width }) } else { None }
    }
}

impl BundleId {
    /// Its name in the store, such as `tile/entries/x001/067.p/5`.
    #[must_use]
    pub fn path(self) -> String {
        path("entries", self.index, self.width)
    }

    /// The folder of the names with a width of the bundles that have this index, such as `tile/entries/x001/067.p`.
    #[must_use]
    pub fn partial_folder(self) -> String {
        format!("tile/entries/{}.p", number(self.index))
    }

    /// The index of its first entry.
    #[must_use]
    pub const fn first_entry(self) -> u64 {
        self.index.saturating_mul(1 << TILE_HEIGHT)
    }
}

/// What a publication of `new_size` entries writes beyond what one of `old_size` wrote: the lowest level first.
pub fn tiles_between(old_size: u64, new_size: u64) -> impl Iterator<Item = TileId> {
    let levels = 0..u8::try_from(u64::BITS).unwrap_or(u8::MAX) / TILE_HEIGHT;
    levels.flat_map(move |level| {
        let shift = level * TILE_HEIGHT;
        files_between(old_size >> shift, new_size >> shift).map(move |(index, width)| TileId { level, index, width })
    })
}

/// The same of bundles.
pub fn bundles_between(old_size: u64, new_size: u64) -> impl Iterator<Item = BundleId> {
    files_between(old_size, new_size).map(|(index, width)| BundleId { index, width })
}

/// Index and width of each file that has something beyond the first `old` of `new` hashes.
fn files_between(old: u64, new: u64) -> impl Iterator<Item = (u64, u16)> {
    let end = if old < new { new.div_ceil(TILE_WIDTH.into()) } else { 0 };
    (old >> TILE_HEIGHT..end).map(move |index| {
        let left = new - (index << TILE_HEIGHT);
        (index, u16::try_from(left).map_or(TILE_WIDTH, |left| left.min(TILE_WIDTH)))
    })
}

fn path(kind: &str, index: u64, width: u16) -> String {
    let partial = if width < TILE_WIDTH { format!(".p/{width}") } else { String::new() };
    format!("tile/{kind}/{}{partial}", number(index))
}

/// Three digits to a folder, so that none gets more than a few thousand entries.
fn number(index: u64) -> String {
    let mut number = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        number = format!("x{:03}/{number}", rest % 1000);
        rest /= 1000;
    }
    number
}

/// A tile's content.
///
/// # Errors
/// So many hashes make no tile.
pub fn write_tile(hashes: &[Hash]) -> Result<Vec<u8>, TileError> {
    check_width(hashes.len())?;
    Ok(hashes.iter().flat_map(|hash| hash.0).collect())
}

/// The hashes of a tile.
///
/// # Errors
/// It has another length.
pub fn read_tile(bytes: &[u8], width: u16) -> Result<Vec<Hash>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    if !rest.is_empty() || hashes.len() != usize::from(width) {
        return Err(TileError::Length { bytes: bytes.len(), width });
    }
    check_width(hashes.len())?;
    Ok(hashes.iter().map(|hash| Hash(*hash)).collect())
}

/// A bundle's content: each entry behind its length, two bytes, the larger first.
///
/// # Errors
/// An entry is too large, or so many make no bundle.
pub fn write_bundle<T: AsRef<[u8]>>(entries: &[T]) -> Result<Vec<u8>, TileError> {
    check_width(entries.len())?;
    let mut bytes = Vec::new();
    for entry in entries.iter().map(AsRef::as_ref) {
        let length = if entry.len() > MAX_ENTRY_BYTES { None } else { u16::try_from(entry.len()).ok() };
        bytes.extend(length.ok_or(TileError::EntryTooLarge(entry.len()))?.to_be_bytes());
        bytes.extend(entry);
    }
    Ok(bytes)
}

/// The entries of a bundle. What they say isn't looked at.
///
/// # Errors
/// It has more or fewer entries or bytes, or an entry is too large.
pub fn read_bundle(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    check_width(width.into())?;
    let wrong = TileError::Length { bytes: bytes.len(), width };
    let mut rest = bytes;
    let mut entries = Vec::with_capacity(width.into());
    for _ in 0..width {
        let (length, behind) = rest.split_first_chunk().ok_or(wrong)?;
        let length = u16::from_be_bytes(*length).into();
        if length > MAX_ENTRY_BYTES {
            return Err(TileError::EntryTooLarge(length));
        }
        let (entry, behind) = behind.split_at_checked(length).ok_or(wrong)?;
        entries.push(entry);
        rest = behind;
    }
    if rest.is_empty() { Ok(entries) } else { Err(wrong) }
}

fn check_width(count: usize) -> Result<(), TileError> {
    if (1..=TILE_WIDTH.into()).contains(&count) { Ok(()) } else { Err(TileError::Width(count)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_specification() {
        let tile = |level, index, width| TileId { level, index, width }.path();
        assert_eq!(tile(0, 0, 256), "tile/0/000");
        assert_eq!(tile(3, 1_234_067, 256), "tile/3/x001/x234/067");
        assert_eq!(tile(0, 273, 112), "tile/0/273.p/112");
        assert_eq!(tile(1, 1_067, 5), "tile/1/x001/067.p/5");
        assert_eq!(BundleId { index: 999, width: 256 }.path(), "tile/entries/999");
        assert_eq!(BundleId { index: 1_234_067, width: 1 }.path(), "tile/entries/x001/x234/067.p/1");
        assert_eq!(BundleId { index: 1_067, width: 5 }.partial_folder(), "tile/entries/x001/067.p");
        // The example of the specification: a log of 70 000 entries.
        let names: Vec<_> = tiles_between(0, 70_000).map(TileId::path).collect();
        assert_eq!(names.len(), 274 + 2 + 1);
        assert_eq!(
            &names[272..],
            ["tile/0/272", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]
        );
    }

    #[test]
    fn what_is_published_is_what_another_implementation_publishes() {
        for (old, new) in [(0, 1), (0, 256), (255, 257), (256, 256), (300, 70_000), (65_535, 65_537), (70_001, 70_002)]
        {
            let theirs = tlog_tiles::Tile::new_tiles(8, old, new).into_iter().map(|tile| TileId {
                level: tile.level(),
                index: tile.level_index(),
                width: tile.width().try_into().unwrap(),
            });
            assert_eq!(tiles_between(old, new).collect::<Vec<_>>(), theirs.collect::<Vec<_>>(), "{old} {new}");
            let bundles = tiles_between(old, new).filter_map(TileId::bundle);
            assert_eq!(bundles_between(old, new).collect::<Vec<_>>(), bundles.collect::<Vec<_>>(), "{old} {new}");
        }
        assert_eq!(tiles_between(9, 8).count(), 0);
        assert_eq!(tiles_between(u64::MAX - 1, u64::MAX).count(), 1);
    }

    #[test]
    fn bundles_and_tiles_are_read_as_they_were_written() {
        let entries = [&b"one"[..], b"", &[7; MAX_ENTRY_BYTES]];
        let bundle = write_bundle(&entries).unwrap();
        assert_eq!(&bundle[..7], b"\0\x03one\0\0");
        assert_eq!(read_bundle(&bundle, 3).unwrap(), entries);
        let hashes = [Hash([1; 32]), Hash([2; 32])];
        assert_eq!(read_tile(&write_tile(&hashes).unwrap(), 2).unwrap(), hashes);
    }

    #[test]
    fn a_bundle_or_tile_of_another_width_is_refused() {
        let bundle = write_bundle(&["one", "two"]).unwrap();
        for (bytes, width) in [(&bundle[..], 1), (&bundle[..], 3), (&bundle[..9], 2), (&bundle[..1], 1), (b"", 1)] {
            assert!(matches!(read_bundle(bytes, width), Err(TileError::Length { .. })), "{width}");
        }
        assert_eq!(read_bundle(&[0xff; 70_000], 1), Err(TileError::EntryTooLarge(65_535)));
        assert_eq!(write_bundle(&[vec![0; MAX_ENTRY_BYTES + 1]]), Err(TileError::EntryTooLarge(MAX_ENTRY_BYTES + 1)));
        assert_eq!(write_bundle::<&[u8]>(&[]), Err(TileError::Width(0)));
        assert_eq!(read_bundle(b"", 0), Err(TileError::Width(0)));
        assert_eq!(read_tile(b"", 0), Err(TileError::Width(0)));
        assert_eq!(write_tile(&[Hash([0; 32]); 257]), Err(TileError::Width(257)));
        assert!(matches!(read_tile(&[0; 63], 2), Err(TileError::Length { .. })));
    }
}
