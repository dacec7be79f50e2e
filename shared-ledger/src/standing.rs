//! How PostgreSQL's ledger stands to the one in the store.

use shared_database::{Database, DatabaseError};
use shared_models::ledger::{
    Checkpoint, Hash, NoteError, Origin, TreeError, TrustedKeys, needed_for_root, read_checkpoint,
    read_unverified_checkpoint, root,
};
use shared_stores::{LedgerStore, LedgerStoreError};

use crate::files::{self, FileError};

/// How the two stand to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The store has the beginning of PostgreSQL's ledger, or all of it.
    InOrder {
        /// Entries in the store.
        store: u64,
        /// Entries in PostgreSQL.
        database: u64,
    },
    /// PostgreSQL has the beginning of the store's.
    Behind {
        /// What the store has.
        store: Checkpoint,
        /// As it was signed.
        note: String,
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
    let note = store.get_checkpoint().await?;
    let ours = database.ledger_size().await?;
    let Some(note) = note else { return Ok(Standing::InOrder { store: 0, database: ours }) };
    let theirs = match read(&note, keys) {
        Ok(theirs) if theirs.origin == *origin => theirs,
        Ok(theirs) => return Ok(Standing::Foreign(format!("it has the ledger '{}', not '{origin}'", theirs.origin))),
        Err(error) => return Ok(Standing::Foreign(error.to_string())),
    };
    let shared = theirs.size.min(ours);
    let our_root = root_of(database, shared).await?;
    if theirs.size <= ours {
        let is_ours = our_root == theirs.root;
        let (store, database) = (theirs.size, ours);
        return Ok(if is_ours { Standing::InOrder { store, database } } else { Standing::Fork { store, database } });
    }
    let their_nodes = files::nodes(store, theirs.size, &needed_for_root(shared)?).await?;
    if root(shared, &their_nodes)? == our_root {
        Ok(Standing::Behind { store: theirs, note, database: ours })
    } else {
        Ok(Standing::Fork { store: theirs.size, database: ours })
    }
}

fn read(note: &str, keys: Option<&TrustedKeys>) -> Result<Checkpoint, NoteError> {
    match keys {
        Some(keys) => read_checkpoint(note, keys).map(|signed| signed.checkpoint),
        None => read_unverified_checkpoint(note),
    }
}

/// The root of the first `size` entries in PostgreSQL.
pub(crate) async fn root_of(database: &Database, size: u64) -> Result<Hash, LookError> {
    let nodes = database.ledger_nodes(&needed_for_root(size)?).await?;
    Ok(root(size, &nodes)?)
}
