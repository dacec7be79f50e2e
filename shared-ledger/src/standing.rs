//! How PostgreSQL's ledger stands to the one in the store.

use shared_database::ledger::LedgerNodes;
use shared_database::{Database, DatabaseError};
use shared_models::ledger::{
    Checkpoint, Hash, MAX_BUNDLE_BYTES, NodeId, Origin, TILE_WIDTH, TreeError, TrustedKeys, bundles_between, leaf_hash,
    needed_for_root, read_bundle, root,
};
use shared_stores::{LedgerStore, LedgerStoreError};

use crate::files::{self, FileError};
use crate::stored::{NotOurs, Signed, Stored, stored};

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

/// Compares the two: the store is read first, so that what is published meanwhile makes nothing look lost. Whoever
/// doesn't know the ledger's keys believes what the store says: the worst that a stranger's checkpoint brings about is
/// that this process stands still.
///
/// # Errors
/// One of the two can't be read.
pub async fn standing(
    database: &Database,
    store: &LedgerStore,
    origin: &Origin,
    keys: Option<&TrustedKeys>,
) -> Result<Standing, LookError> {
    let theirs = match stored(store, origin, keys).await? {
        Ok(theirs) => theirs,
        Err(NotOurs(why)) => return Ok(Standing::Foreign(why)),
    };
    let ours = database.ledger_size().await?;
    if let Some(Signed { checkpoint, .. }) = &theirs.signed
        && !is_one_log(database, ours, store, checkpoint).await?
    {
        return Ok(Standing::Fork { store: checkpoint.size, database: ours });
    }
    // What isn't signed counts only if it goes on from what PostgreSQL has.
    if theirs.size() <= ours && theirs.written > ours && !does_go_on(database, ours, store, theirs.written).await? {
        return Ok(Standing::Fork { store: theirs.written, database: ours });
    }
    let is_whole = theirs.size().max(theirs.written) <= ours;
    let (store, database) = (theirs, ours);
    Ok(if is_whole { Standing::InOrder { store, database } } else { Standing::Behind { store, database } })
}

/// Whether the bundle that has the first entry beyond PostgreSQL's is one, and begins with PostgreSQL's entries.
async fn does_go_on(database: &Database, ours: u64, store: &LedgerStore, written: u64) -> Result<bool, LookError> {
    let index = ours / u64::from(TILE_WIDTH);
    let bundle = bundles_between(ours, written).find(|bundle| bundle.index == index);
    let Some(bundle) = bundle else { return Ok(false) };
    let content = files::object(store, &bundle.path(), MAX_BUNDLE_BYTES).await?;
    let Ok(entries) = read_bundle(&content, bundle.width) else { return Ok(false) };
    let places: Vec<NodeId> = (bundle.first_entry()..ours).map(|index| NodeId { level: 0, index }).collect();
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
