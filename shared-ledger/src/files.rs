//! The files of a ledger store, read with the bounds that they have by their form.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use shared_models::ledger::{HASH_BYTES, Hash, NodeId, TILE_WIDTH, TileError, TileId, read_tile};
use shared_stores::{LedgerStore, LedgerStoreError};

/// How many objects are asked for at once.
pub const AT_ONCE: usize = 16;

/// The bytes of a full tile.
const TILE_BYTES: usize = HASH_BYTES * 256;

/// Why a file can't be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The store.
    #[error(transparent)]
    Store(#[from] LedgerStoreError),
    /// It must be there, and isn't.
    #[error("{0} is missing")]
    Missing(String),
    /// It isn't what its name says.
    #[error("{name}: {error}")]
    Malformed {
        /// Which.
        name: String,
        /// Why.
        error: TileError,
    },
}

/// An object of at most so many bytes, which must be there.
///
/// # Errors
/// It isn't, or is larger, or the store is away.
pub async fn object(store: &LedgerStore, name: &str, most: usize) -> Result<Bytes, FileError> {
    let found = store.get_at_most(name, u64::try_from(most).unwrap_or(u64::MAX)).await?;
    found.ok_or_else(|| FileError::Missing(name.to_owned()))
}

/// The hashes of a tile, which must be there.
///
/// # Errors
/// It isn't, or is none of that width, or the store is away.
pub async fn tile(store: &LedgerStore, id: TileId) -> Result<Vec<Hash>, FileError> {
    let content = object(store, &id.path(), TILE_BYTES).await?;
    read_tile(&content, id.width).map_err(|error| FileError::Malformed { name: id.path(), error })
}

/// Nodes of the tree of a log of `size` entries, from its tiles.
///
/// # Errors
/// A tile is missing or malformed, or the store is away.
pub async fn nodes(store: &LedgerStore, size: u64, needed: &[NodeId]) -> Result<BTreeMap<NodeId, Hash>, FileError> {
    let tiles: BTreeSet<_> = needed.iter().filter_map(|node| tile_of(size, *node)).collect();
    let read = |id: TileId| async move { tile(store, id).await.map(|hashes| (id, hashes)) };
    let read: Vec<_> = stream::iter(tiles).map(read).buffered(AT_ONCE).try_collect().await?;
    let nodes = read.into_iter().flat_map(|(id, hashes)| {
        let first = id.index.saturating_mul(TILE_WIDTH.into());
        (first..).zip(hashes).map(move |(index, hash)| (NodeId { level: id.level, index }, hash))
    });
    Ok(nodes.collect())
}

/// The tile that has a node, as wide as it is in a log of `size` entries.
fn tile_of(size: u64, node: NodeId) -> Option<TileId> {
    let index = node.index / u64::from(TILE_WIDTH);
    let in_level = size.checked_shr(u32::from(node.level) * 8)?;
    let left = in_level.checked_sub(index.checked_mul(TILE_WIDTH.into())?)?;
    let width = u16::try_from(left).map_or(TILE_WIDTH, |left| left.min(TILE_WIDTH));
    (width > 0).then_some(TileId { level: node.level, index, width })
}
