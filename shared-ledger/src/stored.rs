//! How far the store's log reaches, also where its newest checkpoint doesn't say it.
//!
//! `checkpoint` is the one object of the store that is replaced: a publication that died before its end left it as it
//! was, and whoever may write it may set it back. What lies below `log/` is written once, entries in their order; so it
//! is asked as well, by few requests if nothing lies there.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use shared_models::ledger::{
    BundleId, Checkpoint, MAX_NOTE_BYTES, Origin, TILE_WIDTH, TrustedKeys, read_checkpoint, read_unverified_checkpoint,
};
use shared_stores::{LedgerStore, LedgerStoreError};

use crate::files::AT_ONCE;

/// What the store has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The newest checkpoint, if there is one.
    pub signed: Option<Signed>,
    /// Entries that lie there. It is more than what is signed after a publication died.
    pub written: u64,
    /// Whether `checkpoint` isn't the newest.
    pub is_checkpoint_older: bool,
    /// Why `checkpoint` isn't taken for this ledger's. What lies below `log/` may be all the same.
    pub strange: Option<Strange>,
}

/// Why a checkpoint isn't taken for this ledger's, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strange {
    /// It is no checkpoint, or one of another ledger.
    NotOurs(String),
    /// It has this ledger's name, and no known key signed it: a stranger wrote it, or the key is newer than what this
    /// process knows.
    Unsigned(String),
}

impl Strange {
    /// In words.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::NotOurs(why) | Self::Unsigned(why) => why,
        }
    }
}

/// A checkpoint of this ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// As it was signed.
    pub note: String,
}

impl Stored {
    /// Entries that a checkpoint covers.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.signed.as_ref().map_or(0, |signed| signed.checkpoint.size)
    }
}

/// Reads the newest checkpoint, and looks beyond it.
pub(crate) async fn stored(
    store: &LedgerStore,
    origin: &Origin,
    keys: &TrustedKeys,
) -> Result<Stored, LedgerStoreError> {
    let told = match store.get_checkpoint().await {
        Ok(note) => note.map(|note| read(note, origin, keys)).transpose(),
        Err(error @ (LedgerStoreError::NotText { .. } | LedgerStoreError::TooLarge { .. })) => {
            Err(Strange::NotOurs(error.to_string()))
        }
        Err(error) => return Err(error),
    };
    // Whoever may replace it can't make anybody forget what lies below the lock.
    let (told, strange) = match told {
        Ok(told) => (told, None),
        Err(why) => (None, Some(why)),
    };
    let from = told.as_ref().map_or(0, |told| told.checkpoint.size);
    let end = Written::beyond(store, from).await?;
    let newer = match &end {
        Some(end) => end.newest_checkpoint(store, from, |note| read(note, origin, keys).ok()).await?,
        None => None,
    };
    Ok(Stored {
        is_checkpoint_older: newer.is_some(),
        signed: newer.or(told),
        written: end.map_or(from, |end| end.size()),
        strange,
    })
}

fn read(note: String, origin: &Origin, keys: &TrustedKeys) -> Result<Signed, Strange> {
    match read_checkpoint(&note, keys).map(|signed| signed.checkpoint) {
        Ok(checkpoint) if checkpoint.origin == *origin => Ok(Signed { checkpoint, note }),
        Ok(checkpoint) => Err(other_name(&checkpoint, origin)),
        Err(error) => Err(match read_unverified_checkpoint(&note) {
            Ok(checkpoint) if checkpoint.origin == *origin => Strange::Unsigned(error.to_string()),
            Ok(checkpoint) => other_name(&checkpoint, origin),
            Err(error) => Strange::NotOurs(error.to_string()),
        }),
    }
}

fn other_name(checkpoint: &Checkpoint, origin: &Origin) -> Strange {
    Strange::NotOurs(format!("it has the ledger '{}', not '{origin}'", checkpoint.origin))
}

/// Bundles that a publication writes before its checkpoint, at most, and some more.
pub(crate) const MOST_UNSIGNED: usize = 128;

/// The end of the bundles that lie in the store.
struct Written {
    /// Full bundles.
    full: u64,
    /// The widths of the one that isn't full, the largest first.
    widths: Vec<u16>,
}

impl Written {
    /// Nothing if no entry lies beyond the first `from`.
    async fn beyond(store: &LedgerStore, from: u64) -> Result<Option<Self>, LedgerStoreError> {
        let full = full_bundles(store, from / u64::from(TILE_WIDTH)).await?;
        let end = Self { full, widths: widths(store, full).await? };
        Ok((end.size() > from).then_some(end))
    }

    fn size(&self) -> u64 {
        size(self.full, self.widths.first().copied().unwrap_or_default())
    }

    /// The newest checkpoint of more than `from` entries that is there and taken for one. It is one of the last, for a
    /// publication ends with its checkpoint: further back nothing is looked for.
    async fn newest_checkpoint(
        &self,
        store: &LedgerStore,
        from: u64,
        read: impl Fn(String) -> Option<Signed>,
    ) -> Result<Option<Signed>, LedgerStoreError> {
        let indexes = (from / u64::from(TILE_WIDTH)..=self.full).rev().take(MOST_UNSIGNED);
        let sizes = stream::iter(indexes).map(|index| self.ends_in(store, index)).buffered(AT_ONCE);
        let notes = sizes
            .map_ok(|sizes| stream::iter(sizes.into_iter().filter(|size| *size > from).map(Ok)))
            .try_flatten()
            .map_ok(|size| async move { Ok((size, kept(store, size).await?)) })
            .try_buffered(AT_ONCE);
        let mut notes = std::pin::pin!(notes);
        while let Some((size, note)) = notes.try_next().await? {
            let signed = note.and_then(&read);
            if let Some(signed) = signed.filter(|signed| signed.checkpoint.size == size) {
                return Ok(Some(signed));
            }
        }
        Ok(None)
    }

    /// The sizes at which a publication may have ended in a bundle, the largest first.
    async fn ends_in(&self, store: &LedgerStore, index: u64) -> Result<Vec<u64>, LedgerStoreError> {
        let widths = if index < self.full { widths(store, index).await? } else { self.widths.clone() };
        Ok(widths.into_iter().chain([0]).map(|width| size(index, width)).collect())
    }
}

/// The checkpoint that is kept for this size. What is no text or far too large is none: a stranger can put anything
/// where nothing is yet.
async fn kept(store: &LedgerStore, size: u64) -> Result<Option<String>, LedgerStoreError> {
    let most = u64::try_from(MAX_NOTE_BYTES).unwrap_or(u64::MAX);
    match store.get_at_most(&format!("checkpoints/{size}"), most).await {
        Ok(note) => Ok(note.and_then(|note| String::from_utf8(note.into()).ok())),
        Err(LedgerStoreError::TooLarge { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The bundles that may lie in the store at this index, the widest first: the full one, and those before it was full.
pub(crate) async fn bundles_at(store: &LedgerStore, index: u64) -> Result<Vec<BundleId>, LedgerStoreError> {
    let widths = widths(store, index).await?;
    Ok(std::iter::once(TILE_WIDTH).chain(widths).map(|width| BundleId { index, width }).collect())
}

fn size(full: u64, width: u16) -> u64 {
    full.saturating_mul(TILE_WIDTH.into()).saturating_add(width.into())
}

/// How many full bundles lie in the store, which has the first `from` of them: they follow each other.
async fn full_bundles(store: &LedgerStore, from: u64) -> Result<u64, LedgerStoreError> {
    let is_there = async |index| store.has(&BundleId { index, width: TILE_WIDTH }.path()).await;
    let (mut there, mut step) = (from, 1);
    // In steps that grow, and then back to where it ends.
    while is_there(there.saturating_add(step - 1)).await? {
        there = there.saturating_add(step);
        step *= 2;
    }
    while step > 1 {
        step /= 2;
        if is_there(there.saturating_add(step - 1)).await? {
            there = there.saturating_add(step);
        }
    }
    Ok(there)
}

/// The widths under which a bundle lies that wasn't full, the largest first.
async fn widths(store: &LedgerStore, index: u64) -> Result<Vec<u16>, LedgerStoreError> {
    let names = store.names_in(&BundleId { index, width: 1 }.partial_folder()).await?;
    let width = |name: &String| name.parse::<u16>().ok().filter(|width| (1..TILE_WIDTH).contains(width));
    let mut widths: Vec<u16> = names.iter().filter_map(width).collect();
    widths.sort_unstable_by(|one, other| other.cmp(one));
    Ok(widths)
}
