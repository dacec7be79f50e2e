//! A whole copy of a ledger, read from its first entry to its last: several bundles at once, taken in their order, in
//! little memory but for the ids of receipts.
//!
//! Each entry is read, each tile compared with what the entries make of it, and at the end size and root with the
//! signed checkpoint, so what was read is what was signed (DEL-11).

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use shared_models::ledger::{
    BundleId, Checkpoint, EntriesOfBundle, Hash, LogCopy, MAX_BUNDLE_BYTES, SignedCheckpoint, TILE_WIDTH, Tile, TileId,
    TrustedKeys, bundles_between, read_checkpoint, tiles_between,
};
use shared_stores::LedgerStore;

use super::objects::{AT_ONCE, kept_name, kept_note, newest_note, object, signed, tile};
use crate::failure::Failure;
use crate::progress::Progress;

/// The newest checkpoint of a store.
#[derive(Debug)]
pub struct Newest {
    /// What was signed, and by whom.
    pub signed: SignedCheckpoint,
    /// As it was written.
    pub note: String,
    /// Whether it is also kept under its size.
    pub is_kept: bool,
}

impl Newest {
    /// Reads it.
    ///
    /// # Errors
    /// There is none, no trusted key signed it, or what is kept under its size says something else.
    pub async fn read(store: &LedgerStore, keys: &TrustedKeys) -> Result<Self, Failure> {
        let note = newest_note(store).await?;
        let signed = signed(&note, keys)?;
        let is_kept = check_kept(store, keys, &signed).await?;
        Ok(Self { signed, note, is_kept })
    }
}

/// Another key may have signed what is kept.
async fn check_kept(store: &LedgerStore, keys: &TrustedKeys, newest: &SignedCheckpoint) -> Result<bool, Failure> {
    let size = newest.checkpoint.size;
    let Some(note) = kept_note(store, size).await? else { return Ok(false) };
    let refused = |why: &str| Failure::refused("checkpoint", format!("{}: {why}", kept_name(size)));
    let note = str::from_utf8(&note).map_err(|_| refused("no text"))?;
    let kept = read_checkpoint(note, keys).map_err(|error| refused(&error.to_string()))?;
    if kept.checkpoint == newest.checkpoint { Ok(true) } else { Err(refused("it says something else than the newest")) }
}

/// A copy that is the whole log of its checkpoint.
#[derive(Debug)]
pub struct Whole {
    /// What is known of it.
    pub copy: LogCopy,
    /// Where those of the entries were found that were looked for.
    pub found: BTreeMap<Hash, u64>,
}

/// Checks a whole copy. The roots at these sizes are noted on the way, and the entries with these
/// hashes are looked for.
///
/// # Errors
/// Why it isn't the whole log that the checkpoint is of, or that it couldn't be read.
pub async fn verify(
    store: &LedgerStore,
    newest: &Checkpoint,
    watched: impl IntoIterator<Item = u64>,
    wanted: impl IntoIterator<Item = Hash>,
) -> Result<Whole, Failure> {
    let wanted = wanted.into_iter().collect();
    let mut walk = Walk { copy: LogCopy::new(watched), wanted, found: BTreeMap::new() };
    let progress = Progress::new("entries", newest.size);
    let bundles = stream::iter(bundles_between(0, newest.size));
    let mut parts = bundles.map(|bundle| Part::read(store, bundle)).buffered(AT_ONCE);
    while let Some(part) = parts.try_next().await? {
        walk.take(part)?;
        progress.at(walk.copy.size());
    }
    for made in walk.copy.partial_tiles() {
        compare(&made, &tile(store, made.id).await?)?;
    }
    walk.copy.check_whole(newest)?;
    Ok(Whole { copy: walk.copy, found: walk.found })
}

/// A bundle, and the tiles that are full by it.
struct Part {
    bundle: BundleId,
    entries: EntriesOfBundle,
    tiles: Vec<(TileId, Vec<Hash>)>,
}

impl Part {
    async fn read(store: &LedgerStore, bundle: BundleId) -> Result<Self, Failure> {
        let first = bundle.first_entry();
        let full = tiles_between(first, first.saturating_add(bundle.width.into())).filter(|id| id.width == TILE_WIDTH);
        let tiles = try_join_all(full.map(|id| async move { tile(store, id).await.map(|hashes| (id, hashes)) }));
        let path = bundle.path();
        let (content, tiles) = futures::try_join!(object(store, &path, MAX_BUNDLE_BYTES), tiles)?;
        // The costly part, on as many processors as there are.
        let read = tokio::task::spawn_blocking(move || EntriesOfBundle::read(bundle, &content)).await;
        let entries = read.map_err(|error| Failure::Unchecked(format!("read {}: {error}", bundle.path())))??;
        Ok(Self { bundle, entries, tiles })
    }
}

struct Walk {
    copy: LogCopy,
    wanted: BTreeSet<Hash>,
    found: BTreeMap<Hash, u64>,
}

impl Walk {
    fn take(&mut self, Part { bundle, entries, tiles }: Part) -> Result<(), Failure> {
        for (index, leaf) in (bundle.first_entry()..).zip(entries.leaves()) {
            if self.wanted.contains(&leaf) {
                self.found.entry(leaf).or_insert(index);
            }
        }
        for made in self.copy.add(entries)? {
            let there = tiles.iter().find(|(id, _)| *id == made.id).map(|(_, hashes)| hashes.as_slice());
            compare(&made, there.unwrap_or_default())?;
        }
        Ok(())
    }
}

fn compare(made: &Tile, there: &[Hash]) -> Result<(), Failure> {
    if made.hashes == there {
        return Ok(());
    }
    Err(Failure::refused("tile", format!("{} isn't of these entries", made.id.path())))
}
