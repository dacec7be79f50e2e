//! What lies in a ledger's store, read with the bounds that it has by its form.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use shared_models::ledger::{
    Checkpoint, HASH_BYTES, Hash, NodeId, SignedCheckpoint, TILE_WIDTH, TileId, TrustedKeys, read_checkpoint, read_tile,
};
use shared_stores::LedgerStore;

use crate::failure::Failure;

/// How many objects are asked for at once.
pub const AT_ONCE: usize = 16;

/// The bytes of a full tile.
const TILE_BYTES: usize = HASH_BYTES * 256;

/// An object of at most so many bytes, which must be there.
///
/// # Errors
/// It isn't, or is larger, or the store is away.
pub async fn object(store: &LedgerStore, name: &str, most: usize) -> Result<Bytes, Failure> {
    let found = store.get_at_most(name, u64::try_from(most).unwrap_or(u64::MAX)).await?;
    found.ok_or_else(|| Failure::refused("missing", format!("{name} is missing")))
}

/// The hashes of a tile, which must be there.
///
/// # Errors
/// It isn't, or is none of that width, or the store is away.
pub async fn tile(store: &LedgerStore, id: TileId) -> Result<Vec<Hash>, Failure> {
    let content = object(store, &id.path(), TILE_BYTES).await?;
    read_tile(&content, id.width).map_err(|error| Failure::refused("tile", format!("{}: {error}", id.path())))
}

/// The newest checkpoint, as it was written.
///
/// # Errors
/// Nothing is published, or the store is away.
pub async fn newest_note(store: &LedgerStore) -> Result<String, Failure> {
    let note = store.get_checkpoint().await?;
    note.ok_or_else(|| Failure::Unchecked("there is no checkpoint: nothing is published there".to_owned()))
}

/// The note of a checkpoint that is kept beside the log's other files, if there is one of this size.
///
/// # Errors
/// The store is away, or it holds something else there.
pub async fn kept_note(store: &LedgerStore, size: u64) -> Result<Option<Bytes>, Failure> {
    Ok(store.get_at_most(&kept_name(size), shared_stores::ledger::MAX_CHECKPOINT_BYTES).await?)
}

/// The name of the note of the checkpoint of this size.
pub fn kept_name(size: u64) -> String {
    format!("checkpoints/{size}")
}

/// What a note says, if a trusted key of its log signed it.
///
/// # Errors
/// None did.
pub fn signed(note: &str, keys: &TrustedKeys) -> Result<SignedCheckpoint, Failure> {
    read_checkpoint(note, keys).map_err(|error| Failure::refused("checkpoint", error.to_string()))
}

/// A checkpoint in a line.
pub fn shown(checkpoint: &Checkpoint) -> String {
    format!("{}, {} entries, root {}", checkpoint.origin, checkpoint.size, checkpoint.root)
}

/// A signed checkpoint, for programs.
pub fn described(signed: &SignedCheckpoint) -> Value {
    let checkpoint = &signed.checkpoint;
    json!({
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root,
        "signed_by": signed.signed_by.name(),
    })
}

/// Nodes of the tree of a log of `size` entries, from its tiles.
///
/// # Errors
/// A tile is missing or malformed, or the store is away.
pub async fn nodes(store: &LedgerStore, size: u64, needed: &[NodeId]) -> Result<BTreeMap<NodeId, Hash>, Failure> {
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
