//! Publication: what has its place goes into the ledger store, the checkpoint last.
//!
//! Everything below `log/` is written once: a name that is taken by other bytes stops the publication, for then
//! somebody else publishes there or the store was altered (DEL-11). What the store says it has is believed only if one
//! of our keys signed it and it is the beginning of our own log. Dying anywhere leaves work that is done again, and
//! changes nothing.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use shared_database::DatabaseError;
use shared_database::ledger::StoredCheckpoint;
use shared_ledger::{LookError, Standing, Stored, root_of, standing};
use shared_models::history::LostHistory;
use shared_models::ledger::{
    BundleId, EntryError, NodeId, NoteError, TileError, TileId, TreeError, TrustedKeys, bundles_between, canonical,
    leaf_hash, read_checkpoint, tiles_between, write_bundle, write_tile,
};
use shared_stores::{LedgerStore, LedgerStoreError};

use super::Ledger;
use crate::figures;

/// Entries that one checkpoint in the store is ahead of the one before, at most, if there are checkpoints between.
const STRIDE: u64 = 25_600;
/// Objects that are written at the same time.
const AT_ONCE: usize = 8;
/// A process that dies while it publishes keeps the others from it so long.
const LEASE: Duration = Duration::from_secs(30);
/// The lease is renewed after so many objects.
const RENEWAL: usize = 64;

/// What a publication came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The store has the log up to this size.
    Upto(u64),
    /// Another process is at it.
    Another,
    /// Nothing is published while PostgreSQL's history is lost.
    Waiting,
}

/// Why the ledger wasn't published. Nothing in the store was changed by it.
#[derive(Debug, thiserror::Error)]
pub enum PublicationError {
    /// PostgreSQL.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The store.
    #[error(transparent)]
    Store(#[from] LedgerStoreError),
    /// The store and PostgreSQL couldn't be compared.
    #[error(transparent)]
    Look(#[from] LookError),
    /// What the store has isn't this ledger's: it has another name, or none of our keys signed it.
    #[error("LEDGER_URL isn't this ledger's, and nothing is published: {0}")]
    Foreign(String),
    /// The store has more entries than PostgreSQL, which lost its history; or another installation publishes there.
    #[error("LEDGER_URL has {theirs} entries and PostgreSQL {ours}: nothing is published until that is settled")]
    Behind {
        /// In the store.
        theirs: u64,
        /// In PostgreSQL.
        ours: u64,
    },
    /// The store's log isn't the beginning of ours.
    #[error("the ledger in LEDGER_URL, of {theirs} entries, isn't the beginning of this one: nothing is published")]
    Fork {
        /// In the store.
        theirs: u64,
    },
    /// An entry was altered in PostgreSQL since it got its place.
    #[error("entry {0} isn't what it was when it got its place")]
    Altered(u64),
    /// What PostgreSQL has can't be written as a ledger.
    #[error("the ledger in PostgreSQL: {0}")]
    Unfit(String),
    /// Another process has taken the lease over.
    #[error("another process publishes")]
    Overtaken,
}

impl From<TreeError> for PublicationError {
    fn from(error: TreeError) -> Self {
        Self::Unfit(error.to_string())
    }
}

impl From<TileError> for PublicationError {
    fn from(error: TileError) -> Self {
        Self::Unfit(error.to_string())
    }
}

impl From<EntryError> for PublicationError {
    fn from(error: EntryError) -> Self {
        Self::Unfit(error.to_string())
    }
}

type Result<T> = std::result::Result<T, PublicationError>;

impl PublicationError {
    /// Whether somebody must look: what the store or PostgreSQL has can't be the ledger, and trying again won't help.
    pub(super) const fn is_contradiction(&self) -> bool {
        matches!(self, Self::Store(LedgerStoreError::Different { .. }) | Self::Altered(_) | Self::Unfit(_))
    }
}

impl Ledger {
    /// Publishes what isn't in the store yet.
    ///
    /// # Errors
    /// [`PublicationError`].
    pub async fn publish(&self, store: &LedgerStore) -> Result<Published> {
        let newest = self.database.newest_checkpoint(false).await?;
        if newest.is_none_or(|newest| newest.published_at.is_some()) {
            return Ok(Published::Upto(0));
        }
        if !self.database.hold_publisher(self.publisher, LEASE).await? {
            return Ok(Published::Another);
        }
        let published = self.publish_all(store).await;
        self.database.drop_publisher(self.publisher).await?;
        published.map(Published::Upto)
    }

    async fn publish_all(&self, store: &LedgerStore) -> Result<u64> {
        let stored = self.stored_in(store).await?;
        let mut from = stored.size();
        // The process that wrote it may have died before it said so.
        self.database.mark_checkpoint_published(from).await?;
        // Somebody died before the last step, or set it back.
        if let Some(signed) = stored.signed.filter(|_| stored.is_checkpoint_older) {
            self.tell(store, from, &signed.note).await?;
        }
        while let Some(next) = self.database.checkpoint_after(from, STRIDE).await? {
            self.write(store, from, &next).await?;
            from = next.size;
            figures::ledger_published(from);
            tracing::info!(size = from, "ledger published");
        }
        Ok(from)
    }

    /// What the store has of our log. If it has more, PostgreSQL has lost its history, and this process stops.
    pub(super) async fn stored_in(&self, store: &LedgerStore) -> Result<Stored> {
        let origin = self.signer.verifier().origin();
        match standing(&self.database, store, origin, &self.keys).await? {
            // By a key that this process doesn't know yet.
            Standing::InOrder { store: Stored { signed: None, strange: Some(strange), .. }, .. } => {
                Err(PublicationError::Foreign(strange.why().to_owned()))
            }
            Standing::InOrder { store, .. } => Ok(store),
            Standing::Behind { store, database: ours } => {
                let theirs = store.written;
                self.database.history().lose(LostHistory::Behind { store: theirs, database: ours });
                Err(PublicationError::Behind { theirs, ours })
            }
            Standing::Fork { store: theirs, .. } => Err(PublicationError::Fork { theirs }),
            Standing::Foreign(why) => Err(PublicationError::Foreign(why)),
        }
    }

    /// Entries, then tiles, then the checkpoint. Bundles one after the other: what a death leaves of them is then a
    /// beginning, which a recovery can put back.
    async fn write(&self, store: &LedgerStore, from: u64, next: &StoredCheckpoint) -> Result<()> {
        let bundles: Vec<BundleId> = bundles_between(from, next.size).collect();
        for some in bundles.chunks(RENEWAL) {
            self.renew().await?;
            for id in some {
                self.write_bundle(store, *id).await?;
            }
        }
        let tiles: Vec<TileId> = tiles_between(from, next.size).collect();
        for some in tiles.chunks(RENEWAL) {
            self.renew().await?;
            let writes: Vec<_> = some.iter().map(|id| self.write_tile(store, *id).boxed()).collect();
            stream::iter(writes).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        }
        if root_of(&self.database, next.size).await? != next.root {
            return Err(PublicationError::Unfit(format!("its entries don't lead to the root of size {}", next.size)));
        }
        let name = format!("checkpoints/{}", next.size);
        store.put_if_absent(&name, Bytes::from(next.note.clone())).await?;
        self.tell(store, next.size, &next.note).await?;
        self.database.mark_checkpoint_published(next.size).await?;
        Ok(())
    }

    /// Replaces the newest checkpoint, but not one that is newer by now: somebody may have published on while this
    /// process stood still.
    async fn tell(&self, store: &LedgerStore, size: u64, note: &str) -> Result<()> {
        self.renew().await?;
        let told = match store.get_checkpoint().await {
            // No checkpoint of anybody.
            Err(LedgerStoreError::NotText { .. } | LedgerStoreError::TooLarge { .. }) => None,
            told => told?,
        };
        if let Some(told) = told {
            let origin = self.signer.verifier().origin();
            match read_checkpoint(&told, &self.keys) {
                Ok(told) if told.checkpoint.size > size => return Err(PublicationError::Overtaken),
                // By a key that this process doesn't know yet: whoever signs names it in PostgreSQL first.
                Err(error @ NoteError::UnknownKey(_))
                    if error == NoteError::UnknownKey(origin.to_string())
                        && read_checkpoint(&told, &self.named_keys().await?).is_ok() =>
                {
                    return Err(PublicationError::Foreign(error.to_string()));
                }
                // What isn't this ledger's doesn't belong there: the log was found to be.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(store.put_checkpoint(note).await?)
    }

    /// The keys that PostgreSQL names.
    async fn named_keys(&self) -> Result<TrustedKeys> {
        let stored = self.database.ledger_keys().await?;
        Ok(stored.iter().filter_map(|key| key.verifier_key.parse().ok()).collect())
    }

    async fn renew(&self) -> Result<()> {
        let is_held = self.database.hold_publisher(self.publisher, LEASE).await?;
        if is_held { Ok(()) } else { Err(PublicationError::Overtaken) }
    }

    async fn write_bundle(&self, store: &LedgerStore, id: BundleId) -> Result<()> {
        let first = id.index * 256;
        let stored = self.database.ledger_entries(first, first + u64::from(id.width)).await?;
        let mut entries = Vec::with_capacity(stored.len());
        for entry in &stored {
            let text = canonical(&entry.entry)?;
            // What leaves the house must be what was promised.
            if leaf_hash(&text) != entry.leaf_hash {
                return Err(PublicationError::Altered(entry.index));
            }
            entries.push(text);
        }
        store.put_if_absent(&id.path(), write_bundle(&entries)?.into()).await?;
        Ok(())
    }

    async fn write_tile(&self, store: &LedgerStore, id: TileId) -> Result<()> {
        let first = id.index * 256;
        let places: Vec<NodeId> =
            (first..first + u64::from(id.width)).map(|index| NodeId { level: id.level, index }).collect();
        let nodes: HashMap<_, _> = self.database.ledger_nodes(&places).await?;
        let hashes: Option<Vec<_>> = places.iter().map(|place| nodes.get(place).copied()).collect();
        let hashes = hashes.ok_or_else(|| PublicationError::Unfit(format!("{} isn't whole", id.path())))?;
        store.put_if_absent(&id.path(), write_tile(&hashes)?.into()).await?;
        Ok(())
    }
}
