//! The tree's shape and its root, from the nodes that tiles hold.
//!
//! A tile lists 256 hashes of one level; the levels between are computed. So level 0 here means the entries' hashes,
//! and level `n` the hashes of full tiles of level `n - 1`: eight binary levels at a time.

use std::cell::Cell;
use std::fmt;

use tlog_tiles::HashReader;

use super::hash::{EMPTY_ROOT, Hash, node_hash};

/// No ledger has more entries: the largest number that all readers of JSON agree about.
pub const MAX_SIZE: u64 = (1 << 53) - 1;

/// Binary levels that one tile spans.
pub(super) const TILE_HEIGHT: u8 = 8;

/// A hash that tiles hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// 0 for entries, `n` for full tiles of level `n - 1`.
    pub level: u8,
    /// Its place within the level, from 0.
    pub index: u64,
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {} of tile level {}", self.index, self.level)
    }
}

/// Where the hashes of tiles are read from.
pub trait Nodes {
    /// The hash, if it is there.
    fn node(&self, node: NodeId) -> Option<Hash>;
}

impl Nodes for std::collections::BTreeMap<NodeId, Hash> {
    fn node(&self, node: NodeId) -> Option<Hash> {
        self.get(&node).copied()
    }
}

impl Nodes for std::collections::HashMap<NodeId, Hash> {
    fn node(&self, node: NodeId) -> Option<Hash> {
        self.get(&node).copied()
    }
}

/// Why a root or a proof can't be made, or a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// Such a log can't be.
    #[error("a ledger of {0} entries is beyond what this version reads")]
    TooLarge(u64),
    /// The entry isn't in a log of that size.
    #[error("entry {index} isn't in a ledger of {size} entries")]
    Outside {
        /// The entry's index.
        index: u64,
        /// The log's size.
        size: u64,
    },
    /// The log would have shrunk.
    #[error("a ledger of {new} entries doesn't continue one of {old}")]
    Shrunk {
        /// Entries before.
        old: u64,
        /// Entries after.
        new: u64,
    },
    /// A needed hash isn't there.
    #[error("{0} is missing")]
    Missing(NodeId),
    /// The proof doesn't lead to the root.
    #[error("the proof doesn't lead to the root")]
    Proof,
}

/// The nodes by which the root of the first `size` entries is computed.
///
/// # Errors
/// The size is beyond [`MAX_SIZE`].
pub fn needed_for_root(size: u64) -> Result<Vec<NodeId>, TreeError> {
    check_size(size)?;
    Ok(tlog_tiles::sub_tree_index(0, size, Vec::new()).into_iter().flat_map(parts).collect())
}

/// The root of the first `size` entries.
///
/// # Errors
/// A node is missing, or the size is beyond [`MAX_SIZE`].
pub fn root(size: u64, nodes: &impl Nodes) -> Result<Hash, TreeError> {
    check_size(size)?;
    if size == 0 {
        return Ok(EMPTY_ROOT);
    }
    let reader = TileReader::new(nodes);
    tlog_tiles::tree_hash(size, &reader).map(Hash::from).map_err(|_| reader.error())
}

pub(super) const fn check_size(size: u64) -> Result<(), TreeError> {
    if size > MAX_SIZE { Err(TreeError::TooLarge(size)) } else { Ok(()) }
}

/// The nodes of tiles below a node of the binary tree, which is named as the library names it.
pub(super) fn parts(stored: u64) -> impl Iterator<Item = NodeId> {
    let (binary_level, index) = tlog_tiles::split_stored_hash_index(stored);
    let (level, height) = (binary_level / TILE_HEIGHT, binary_level % TILE_HEIGHT);
    let first = index << height;
    (first..first + (1 << height)).map(move |index| NodeId { level, index })
}

/// The root of a complete binary tree over `hashes`: a power of two of them.
fn complete(mut hashes: Vec<Hash>) -> Option<Hash> {
    while hashes.len() > 1 {
        let pairs = hashes.chunks(2);
        hashes = pairs
            .filter_map(|pair| if let [left, right] = pair { Some(node_hash(left, right)) } else { None })
            .collect();
    }
    hashes.first().copied()
}

/// The root over `hashes`, which are all of one level, and what is to the right of them, which is less deep.
pub(super) fn fold(mut hashes: &[Hash], right: Option<Hash>) -> Option<Hash> {
    let mut peaks = Vec::new();
    while !hashes.is_empty() {
        let (left, rest) = hashes.split_at(1 << hashes.len().ilog2());
        peaks.extend(complete(left.to_vec()));
        hashes = rest;
    }
    peaks.into_iter().rev().fold(right, |right, left| Some(right.map_or(left, |right| node_hash(&left, &right))))
}

/// Computes the nodes of the binary tree that the library asks for from those of tiles.
pub(super) struct TileReader<'a, N> {
    nodes: &'a N,
    missing: Cell<Option<NodeId>>,
}

impl<'a, N: Nodes> TileReader<'a, N> {
    pub(super) const fn new(nodes: &'a N) -> Self {
        Self { nodes, missing: Cell::new(None) }
    }

    fn read(&self, stored: u64) -> Option<Hash> {
        let read = |node| {
            let hash = self.nodes.node(node);
            if hash.is_none() {
                self.missing.set(Some(node));
            }
            hash
        };
        complete(parts(stored).map(read).collect::<Option<Vec<_>>>()?)
    }

    /// Why the library couldn't end: it has no other reason than what it was refused here.
    pub(super) fn error(&self) -> TreeError {
        self.missing.get().map_or(TreeError::Proof, TreeError::Missing)
    }
}

impl<N: Nodes> HashReader for TileReader<'_, N> {
    fn read_hashes(&self, stored: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let hashes = stored.iter().map(|stored| self.read(*stored).map(tlog_tiles::Hash::from));
        hashes.collect::<Option<_>>().ok_or(tlog_tiles::Error::IndexesNotInTree)
    }
}
