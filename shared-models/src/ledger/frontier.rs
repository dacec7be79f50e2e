//! The right edge of a growing log: all that is needed to append entries and to tell the root, at most 255 hashes a
//! level however large the log is.

use super::hash::{EMPTY_ROOT, Hash};
use super::tile::{TILE_WIDTH, TileId};
use super::tree::{NodeId, Nodes, TILE_HEIGHT, TreeError, check_size, fold};

/// The hashes of each level's last tile, as long as it isn't full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

/// A tile with its hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Which.
    pub id: TileId,
    /// As many as it is wide.
    pub hashes: Vec<Hash>,
}

impl Tile {
    /// The hash of the tile in the level above; nothing if it isn't full, for then the level above doesn't have it.
    #[must_use]
    pub fn root(&self) -> Option<Hash> {
        (self.id.width == TILE_WIDTH).then(|| fold(&self.hashes, None)).flatten()
    }
}

impl Frontier {
    /// Of a log without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of a log whose nodes are known: those of [`needed_for_root`](super::tree::needed_for_root).
    ///
    /// # Errors
    /// A node is missing, or the size is beyond what a ledger has.
    pub fn resume(size: u64, nodes: &impl Nodes) -> Result<Self, TreeError> {
        check_size(size)?;
        let mut levels = Vec::new();
        let (mut level, mut count) = (0, size);
        while count > 0 {
            let first = count >> TILE_HEIGHT << TILE_HEIGHT;
            let read = |index| {
                let node = NodeId { level, index };
                nodes.node(node).ok_or(TreeError::Missing(node))
            };
            levels.push((first..count).map(read).collect::<Result<_, _>>()?);
            (level, count) = (level + 1, count >> TILE_HEIGHT);
        }
        Ok(Self { size, levels })
    }

    /// How many entries the log has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The log's root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let root = self.levels.iter().fold(None, |right, hashes| fold(hashes, right));
        root.unwrap_or(EMPTY_ROOT)
    }

    /// Appends the hash of an entry, and says which tiles are full by that, the lowest level first.
    ///
    /// # Errors
    /// The log is as large as a ledger can be.
    pub fn append(&mut self, leaf: Hash) -> Result<Vec<Tile>, TreeError> {
        check_size(self.size + 1)?;
        self.size += 1;
        let mut full = Vec::new();
        let mut next = Some(leaf);
        let (mut level, mut count) = (0_u8, self.size);
        while let Some(hash) = next {
            if self.levels.len() == usize::from(level) {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(usize::from(level)) else { break };
            hashes.push(hash);
            next = None;
            if hashes.len() == usize::from(TILE_WIDTH) {
                let hashes = std::mem::take(hashes);
                next = fold(&hashes, None);
                full.push(Tile { id: TileId { level, index: (count - 1) >> TILE_HEIGHT, width: TILE_WIDTH }, hashes });
            }
            (level, count) = (level + 1, count >> TILE_HEIGHT);
        }
        Ok(full)
    }

    /// The tiles that aren't full, the lowest level first.
    #[must_use]
    pub fn partial_tiles(&self) -> Vec<Tile> {
        let mut tiles = Vec::new();
        let mut count = self.size;
        for (level, hashes) in (0_u8..).zip(&self.levels) {
            if let (Ok(width), false) = (u16::try_from(hashes.len()), hashes.is_empty()) {
                let id = TileId { level, index: count >> TILE_HEIGHT, width };
                tiles.push(Tile { id, hashes: hashes.clone() });
            }
            count >>= TILE_HEIGHT;
        }
        tiles
    }
}

impl Nodes for Frontier {
    /// Those of the tiles that aren't full.
    fn node(&self, node: NodeId) -> Option<Hash> {
        let count = self.size.checked_shr(u32::from(node.level) * u32::from(TILE_HEIGHT))?;
        let place = node.index.checked_sub(count >> TILE_HEIGHT << TILE_HEIGHT)?;
        self.levels.get(usize::from(node.level))?.get(usize::try_from(place).ok()?).copied()
    }
}
