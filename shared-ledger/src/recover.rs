//! Recovery: what the ledger store has and PostgreSQL lost is put back.
//!
//! Keeps DEL-10: at its end every deletion that was published is done again, indexes and roots are those of the store,
//! and every connection's next sync reads everything. It may die anywhere and be begun again: each batch of entries is
//! one transaction with all that it says, and until the last one PostgreSQL is behind the store, so nobody searches,
//! syncs or purges. First everything that is missing is read and led to the signed root; nothing is changed before.
//!
//! What a publication that died wrote and didn't sign is put back only by somebody who looked at it.
//!
//! Not brought back: a deletion reference, of which the ledger has only a hash; a receipt of an older form,
//! whose signature only PostgreSQL had; a connection that was made after the lost time and not deleted.

use std::time::Duration;

use shared_database::deletion::Watched;
use shared_database::ledger::{PutBack, Recovered, RestoredConnection};
use shared_database::{Database, DatabaseError};
use shared_models::SyncId;
use shared_models::ledger::{EntryError, LedgerSigner, NoteError, Origin, TileError, TreeError, TrustedKeys};
use shared_models::receipt::ReceiptError;
use shared_stores::{LedgerStore, LedgerStoreError};
use tokio::time::Instant;

use crate::files::FileError;
use crate::standing::{LookError, Standing, standing};
use crate::stored::Strange;

mod batch;
mod missing;

pub(crate) use missing::is_little;
pub use missing::{Missing, MissingCounts, is_small};

/// Connections that are asked for at once.
const AT_ONCE: usize = 1_000;
/// Pause between two attempts at a batch that something may still write for.
const AGAIN: Duration = Duration::from_secs(1);

/// Puts back what PostgreSQL lost.
#[derive(Clone)]
pub struct Recovery {
    /// PostgreSQL.
    pub database: Database,
    /// The ledger store. It is only read.
    pub store: LedgerStore,
    /// The ledger's name.
    pub origin: Origin,
    /// The keys whose checkpoints are believed.
    pub keys: TrustedKeys,
    /// Signs receipts that are put back: the ledger has what they say, and not their signatures.
    pub signer: std::sync::Arc<LedgerSigner>,
    /// After so long nothing of a job that was told to stop writes any more: lease and guard.
    pub silence_after: Duration,
    /// The guard: how long after a lease's end nobody assumes silence yet.
    pub guard: Duration,
    /// Whether every document and blob is written again by the next sync, since the stores may have gone back, too.
    pub rewrites: bool,
}

/// Why nothing, or not everything, was put back.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// PostgreSQL.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The store.
    #[error(transparent)]
    Store(#[from] LedgerStoreError),
    /// A file of the store.
    #[error("LEDGER_URL: {0}")]
    File(#[from] FileError),
    /// The two couldn't be compared.
    #[error(transparent)]
    Look(#[from] LookError),
    /// The store's checkpoint isn't signed by a known key.
    #[error("the checkpoint in LEDGER_URL: {0}")]
    Note(#[from] NoteError),
    /// The store's files aren't a ledger's.
    #[error("LEDGER_URL: {0}")]
    Tree(#[from] TreeError),
    /// A bundle isn't one.
    #[error("LEDGER_URL: {0}")]
    Tile(#[from] TileError),
    /// An entry isn't one.
    #[error("entry {index} in LEDGER_URL: {error}")]
    Entry {
        /// Its index.
        index: u64,
        /// Why.
        #[source]
        error: EntryError,
    },
    /// Nobody known here signed the store's checkpoint.
    #[error(
        "`checkpoint` in LEDGER_URL: {0}; give the newest of LEDGER_KEYS, or remove it if it is none of this ledger's"
    )]
    UnknownKey(String),
    /// What was read doesn't lead to the signed root.
    #[error("the entries in LEDGER_URL don't lead to the signed root: somebody altered them")]
    Altered,
    /// Neither is the beginning of the other.
    #[error("the ledger in LEDGER_URL, of {store} entries, and PostgreSQL's, of {database}, contradict each other")]
    Fork {
        /// Entries in the store.
        store: u64,
        /// Entries in PostgreSQL.
        database: u64,
    },
    /// The store has something else.
    #[error("LEDGER_URL isn't this ledger's: {0}")]
    Foreign(String),
    /// A receipt can't be signed again.
    #[error("receipt of entry {index}: {error}")]
    Receipt {
        /// Its index.
        index: u64,
        /// Why.
        #[source]
        error: ReceiptError,
    },
    /// Somebody else is at it.
    #[error("the ledger has {size} entries by now: somebody else recovers, or writes into it")]
    Elsewhere {
        /// The size.
        size: u64,
    },
    /// A job doesn't stop.
    #[error("something may still write for a connection that was deleted; stop the sync-workers, and try again")]
    MayWrite,
    /// Too much for doing it without a person.
    #[error("{0}: somebody must look, with unweave ledger recover --dry-run")]
    NotByItself(String),
}

/// How far a recovery has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Jobs of connections that were deleted were told to stop, and are waited for.
    WaitingForJobs,
    /// Entries that are back.
    Entries(u64),
    /// Syncs whose documents are to be written again.
    Syncs(u64),
}

impl Recovery {
    /// What PostgreSQL lost, read from the store and led to its signed root; nothing if it lost nothing. If all that is
    /// signed is there, it is what somebody wrote beyond that and never signed. Changes nothing.
    ///
    /// # Errors
    /// [`RecoveryError`].
    pub async fn missing(&self) -> Result<Option<Missing>, RecoveryError> {
        match standing(&self.database, &self.store, &self.origin, &self.keys).await? {
            Standing::InOrder { .. } => Ok(None),
            Standing::Fork { store, database, .. } => Err(RecoveryError::Fork { store, database }),
            Standing::Foreign(why) => Err(RecoveryError::Foreign(why)),
            Standing::Behind { store, database } => {
                // Whoever has the newest key knows whether it is signed.
                if let (Some(Strange::Unsigned(why)), true) = (&store.strange, store.size() <= database) {
                    return Err(RecoveryError::UnknownKey(why.clone()));
                }
                Ok(Some(Missing::read(&self.database, &self.store, &self.signer, database, store).await?))
            }
        }
    }

    /// The connections that were deleted and are there again: those that a recovery deletes.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn restored(&self, missing: &Missing) -> Result<Vec<RestoredConnection>, RecoveryError> {
        let mut restored = Vec::new();
        for syncs in missing.deleted_syncs().chunks(AT_ONCE) {
            restored.extend(self.database.restored_connections(syncs).await?);
        }
        Ok(restored)
    }

    /// Puts back what is missing, and tells how far it has got.
    ///
    /// # Errors
    /// [`RecoveryError`]. What is back stays; the next recovery goes on.
    pub async fn run(&self, missing: &Missing, progress: impl Fn(Progress)) -> Result<PutBack, RecoveryError> {
        let mut done = PutBack::default();
        // Before the last entry, and whoever dies here does it again.
        if self.rewrites {
            self.write_everything_again(&progress).await?;
        }
        self.database.read_everything_again().await?;
        let mut watched = self.stop_jobs(missing.deleted_syncs(), &progress).await?;
        let end = missing.end();
        let mut log = missing.begin();
        for bundle in missing.bundles() {
            let last = bundle.end;
            let batch = missing.batch(&self.store, &self.signer, bundle, &mut log).await?;
            let syncs: Vec<SyncId> = batch.deleted.iter().map(|deleted| deleted.sync_id).collect();
            let deadline = Instant::now() + 4 * self.silence_after;
            loop {
                let recovered = self.database.recover_ledger(&batch, watched, &end).await;
                match recovered {
                    // Somebody holds a lock: it is given back soon.
                    Err(DatabaseError::TimedOut(_)) if Instant::now() < deadline => tokio::time::sleep(AGAIN).await,
                    Err(error) => return Err(error.into()),
                    Ok(Recovered::Done(more)) => {
                        add(&mut done, more);
                        break;
                    }
                    Ok(Recovered::Elsewhere { size }) => return Err(RecoveryError::Elsewhere { size }),
                    Ok(Recovered::NotYet) if Instant::now() > deadline => return Err(RecoveryError::MayWrite),
                    // Somebody started a job since, or a lease is longer than ours.
                    Ok(Recovered::NotYet) => {
                        tokio::time::sleep(AGAIN).await;
                        watched = self.stop_jobs(&syncs, &progress).await?;
                    }
                }
            }
            progress(Progress::Entries(last.saturating_sub(missing.from())));
        }
        Ok(done)
    }

    /// D1 of those that have active jobs, and the wait for them.
    async fn stop_jobs(&self, syncs: &[SyncId], progress: &impl Fn(Progress)) -> Result<Watched, RecoveryError> {
        let mut may_write = false;
        for syncs in syncs.chunks(AT_ONCE) {
            may_write |= self.database.stop_restored(syncs).await?;
        }
        if may_write {
            progress(Progress::WaitingForJobs);
            tokio::time::sleep(self.silence_after).await;
        }
        Ok(if may_write { Watched::PastEveryLease { guard: self.guard } } else { Watched::Briefly })
    }

    async fn write_everything_again(&self, progress: &impl Fn(Progress)) -> Result<(), RecoveryError> {
        let (mut last, mut count) = (None, 0);
        while let Some(sync) = self.database.write_everything_again(last).await? {
            last = Some(sync);
            count += 1;
            progress(Progress::Syncs(count));
        }
        Ok(())
    }
}

fn add(done: &mut PutBack, more: PutBack) {
    done.connections += more.connections;
    done.cleanups += more.cleanups;
    done.reopened += more.reopened;
    done.receipts += more.receipts;
}
