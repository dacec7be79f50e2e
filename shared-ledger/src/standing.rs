//! How PostgreSQL's ledger stands to the one in the store.

use shared_database::ledger::LedgerNodes;
use shared_database::{Database, DatabaseError};
use shared_models::ledger::{
    BundleId, Checkpoint, Hash, MAX_BUNDLE_BYTES, NodeId, Origin, TILE_WIDTH, TreeError, TrustedKeys, leaf_hash,
    needed_for_root, read_bundle, root,
};
use shared_stores::{LedgerStore, LedgerStoreError};

use crate::files::{self, FileError};
use crate::stored::{MOST_UNSIGNED, Signed, Stored, Strange, bundles_at, stored};

/// How the two stand to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The store has the beginning of PostgreSQL's ledger, or all of it.
    InOrder {
        /// What the store has.
        store: Stored,
        /// Entries in PostgreSQL.
        database: u64,
    },
    /// PostgreSQL has the beginning of the store's.
    Behind {
        /// What the store has: more than PostgreSQL is signed there, or only written.
        store: Stored,
        /// Entries in PostgreSQL.
        database: u64,
    },
    /// Neither is the beginning of the other.
    Fork {
        /// Entries in the store.
        store: u64,
        /// Entries in PostgreSQL.
        database: u64,
        /// Whether a known key signed the store's. What nobody signed says nothing of what PostgreSQL lost.
        is_signed: bool,
    },
    /// What the store has isn't this ledger's: it has another name, or nobody known here signed it. In words.
    Foreign(String),
}

/// Why it isn't known.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// PostgreSQL.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The store.
    #[error(transparent)]
    Store(#[from] LedgerStoreError),
    /// A file of the store.
    #[error("LEDGER_URL: {0}")]
    File(#[from] FileError),
    /// A hash is missing in PostgreSQL.
    #[error("the ledger in PostgreSQL: {0}")]
    Tree(#[from] TreeError),
}

/// Compares the two: the store is read first, so that what is published meanwhile makes nothing look lost. A checkpoint
/// that none of `keys` signed proves nothing; then the entries are compared.
///
/// # Errors
/// One of the two can't be read.
pub async fn standing(
    database: &Database,
    store: &LedgerStore,
    origin: &Origin,
    keys: &TrustedKeys,
) -> Result<Standing, LookError> {
    let mut theirs = stored(store, origin, keys).await?;
    let ours = database.ledger_size().await?;
    if let Some(Signed { checkpoint, .. }) = &theirs.signed
        && !is_one_log(database, ours, store, checkpoint).await?
    {
        return Ok(Standing::Fork { store: checkpoint.size, database: ours, is_signed: true });
    }
    if let (None, Some(strange)) = (&theirs.signed, theirs.strange.clone()) {
        return unsigned(database, ours, store, theirs, &strange).await;
    }
    if theirs.size() > ours || theirs.written <= ours {
        return Ok(whichever_is_larger(theirs, ours));
    }
    // What isn't signed counts only if it goes on from what PostgreSQL has.
    match goes_on_to(database, ours, store, theirs.written).await? {
        Some(end) if end > ours => {
            theirs.written = end;
            Ok(Standing::Behind { store: theirs, database: ours })
        }
        Some(_) | None => Ok(Standing::Fork { store: theirs.written, database: ours, is_signed: false }),
    }
}

fn whichever_is_larger(store: Stored, database: u64) -> Standing {
    let is_whole = store.size().max(store.written) <= database;
    if is_whole { Standing::InOrder { store, database } } else { Standing::Behind { store, database } }
}

/// Nobody known here signed anything in the store. Somebody may have, with a key that is newer than PostgreSQL's
/// history: so it is this ledger's if its entries are.
async fn unsigned(
    database: &Database,
    ours: u64,
    store: &LedgerStore,
    mut theirs: Stored,
    strange: &Strange,
) -> Result<Standing, LookError> {
    let end = match strange {
        _ if theirs.written == 0 => None,
        // Nothing in PostgreSQL tells another ledger from this one, but for the name.
        Strange::NotOurs(_) if ours == 0 => None,
        Strange::NotOurs(_) | Strange::Unsigned(_) => goes_on_to(database, ours, store, theirs.written).await?,
    };
    Ok(match end {
        Some(end) => {
            theirs.written = end;
            whichever_is_larger(theirs, ours)
        }
        None => Standing::Foreign(strange.why().to_owned()),
    })
}

/// How far entries lie in the store that go on from PostgreSQL's; nothing if none there are PostgreSQL's. Whoever may
/// write there can add bundles, and remove none that is locked: so each that may have the end of the shorter of the two
/// logs is looked at, the widest first.
async fn goes_on_to(
    database: &Database,
    ours: u64,
    store: &LedgerStore,
    written: u64,
) -> Result<Option<u64>, LookError> {
    let width = u64::from(TILE_WIDTH);
    let index = ours.min(written).saturating_sub(1) / width;
    let mut end = widest(database, ours, store, index).await?;
    // Full bundles follow each other; in a last one that isn't full, all ends.
    for next in (index + 1..=written / width).take(MOST_UNSIGNED) {
        if end != Some(next.saturating_mul(width)) {
            break;
        }
        end = widest(database, ours, store, next).await?.or(end);
    }
    Ok(end)
}

/// Where the widest bundle at this index ends that has PostgreSQL's entries, as far as both go.
async fn widest(database: &Database, ours: u64, store: &LedgerStore, index: u64) -> Result<Option<u64>, LookError> {
    for bundle in bundles_at(store, index).await? {
        if has_ours(database, ours, store, bundle).await? {
            return Ok(Some(bundle.first_entry().saturating_add(bundle.width.into())));
        }
    }
    Ok(None)
}

/// Whether a bundle is one, and has PostgreSQL's entries as far as both go.
async fn has_ours(database: &Database, ours: u64, store: &LedgerStore, bundle: BundleId) -> Result<bool, LookError> {
    let content = match files::object(store, &bundle.path(), MAX_BUNDLE_BYTES).await {
        Err(FileError::Missing(_) | FileError::Store(LedgerStoreError::TooLarge { .. })) => return Ok(false),
        content => content?,
    };
    let Ok(entries) = read_bundle(&content, bundle.width) else { return Ok(false) };
    let end = ours.min(bundle.first_entry().saturating_add(bundle.width.into()));
    let places: Vec<NodeId> = (bundle.first_entry()..end).map(|index| NodeId { level: 0, index }).collect();
    let nodes: LedgerNodes = database.ledger_nodes(&places).await?;
    Ok(places.iter().zip(entries).all(|(place, entry)| nodes.get(place) == Some(&leaf_hash(entry))))
}

/// Whether one of the two is the beginning of the other.
async fn is_one_log(
    database: &Database,
    ours: u64,
    store: &LedgerStore,
    theirs: &Checkpoint,
) -> Result<bool, LookError> {
    let shared = theirs.size.min(ours);
    let our_root = root_of(database, shared).await?;
    if shared == theirs.size {
        return Ok(our_root == theirs.root);
    }
    let their_nodes = files::nodes(store, theirs.size, &needed_for_root(shared)?).await?;
    Ok(root(shared, &their_nodes)? == our_root)
}

/// The root of the first `size` entries in PostgreSQL.
///
/// # Errors
/// PostgreSQL can't be read, or has no such tree.
pub async fn root_of(database: &Database, size: u64) -> Result<Hash, LookError> {
    let nodes = database.ledger_nodes(&needed_for_root(size)?).await?;
    Ok(root(size, &nodes)?)
}
