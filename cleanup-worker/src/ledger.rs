//! Keeps the deletion ledger: gives each entry its place, signs the root, and publishes both to the ledger store.
//!
//! Keeps DEL-11: what was given a place keeps it, and nothing in the store is ever written twice with other bytes.
//! Each of the two works can die at any point: sequencing is one transaction, and publication repeats what wasn't
//! marked. Several workers may be at it; one at a time sequences, by an advisory lock, and one publishes, by a lease.
//!
//! Not guaranteed: that an entry is published by a certain time. While the store is away entries wait, receipts say so,
//! and the lag is a metric.

use std::sync::Arc;
use std::time::Duration;

use shared_database::{Database, DatabaseError};
use shared_ledger::{LookError, Watch};
use shared_models::PublisherId;
use shared_models::ledger::{LedgerSigner, TrustedKeys};
use shared_service::{Bell, Driver, Periodic};
use shared_stores::LedgerStore;

mod publication;

pub use publication::{PublicationError, Published};

/// Entries that are given their places in one transaction.
pub const BATCH: u32 = 1_000;
/// Batches in a row before it is published what there is.
const BATCHES_IN_A_ROW: u32 = 100;
/// How often to look for entries; those of this worker's own cleanups ring the bell.
const INTERVAL: Duration = Duration::from_secs(1);

/// The ledger of an installation.
#[derive(Clone)]
pub struct Ledger {
    /// PostgreSQL.
    pub database: Database,
    /// Signs; its origin is the ledger's.
    pub signer: Arc<LedgerSigner>,
    /// The keys whose checkpoints in the store are believed: the signer's and those before it.
    pub keys: TrustedKeys,
    /// Where it is published, if anywhere.
    pub store: Option<LedgerStore>,
    /// This process, in the lease.
    pub publisher: PublisherId,
}

/// Why the ledger got no further.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// PostgreSQL failed, or an entry can't be in a ledger.
    #[error("sequence the ledger: {0}")]
    Sequence(#[source] DatabaseError),
    /// It can't be published.
    #[error("publish the ledger: {0}")]
    Publish(#[from] PublicationError),
}

impl LedgerError {
    /// Whether somebody must look, for trying again won't help.
    #[must_use]
    pub const fn is_contradiction(&self) -> bool {
        match self {
            Self::Sequence(error) => matches!(error, DatabaseError::Corrupt(_)),
            Self::Publish(error) => error.is_contradiction(),
        }
    }

    /// Whether it only says that PostgreSQL's history is lost.
    const fn is_lost_history(&self) -> bool {
        use DatabaseError::HistoryLost;
        use PublicationError::{Behind, Database, Look};
        matches!(
            self,
            Self::Sequence(HistoryLost(_))
                | Self::Publish(Behind { .. } | Database(HistoryLost(_)) | Look(LookError::Database(HistoryLost(_))))
        )
    }
}

impl Ledger {
    /// Gives places to what waits, and publishes it. No place is given before the store was seen to have no more than
    /// PostgreSQL: an index that was published isn't given again after a restore (DEL-10). While history is lost
    /// everything waits; the watch tells it.
    ///
    /// # Errors
    /// What kept one of the two from its end. What has been done by then stays.
    pub async fn run(&self) -> Result<Published, LedgerError> {
        match self.go_on().await {
            Err(error) if error.is_lost_history() => Ok(Published::Waiting),
            outcome => outcome,
        }
    }

    async fn go_on(&self) -> Result<Published, LedgerError> {
        // Most of the time nothing waits: then this is all.
        if self.database.does_ledger_wait().await.map_err(LedgerError::Sequence)? {
            if let Some(store) = &self.store {
                self.stored_in(store).await?;
            }
            for _ in 0..BATCHES_IN_A_ROW {
                if self.sequence().await.map_err(LedgerError::Sequence)?.is_none() {
                    break;
                }
            }
        }
        match &self.store {
            Some(store) => Ok(self.publish(store).await?),
            None => Ok(Published::Upto(0)),
        }
    }

    /// Gives places to one batch; returns the size of the log, or nothing if none waits or somebody else is at it.
    ///
    /// # Errors
    /// Any database error, or an entry that can't be in a ledger.
    pub async fn sequence(&self) -> Result<Option<u64>, DatabaseError> {
        if !self.database.does_ledger_wait().await? {
            return Ok(None);
        }
        // Before the first signature, so that whoever has one finds its key.
        self.database.use_ledger_key(&self.signer.verifier().to_string(), self.signer.label()).await?;
        let appended = self.database.sequence_ledger(BATCH, &self.signer).await?;
        Ok(appended.map(|checkpoint| checkpoint.size))
    }
}

/// Runs it until the process stops; tells the watch what keeps it from being published for good.
pub fn start(ledger: Ledger, watch: Option<Watch>, bell: &Bell, driver: &Driver) {
    let periodic = Periodic::every("ledger", INTERVAL).woken_by(bell);
    driver.start(periodic, move |_| {
        let (ledger, watch) = (ledger.clone(), watch.clone());
        async move {
            let ended = ledger.run().await;
            match (&watch, &ended) {
                (Some(watch), Ok(Published::Upto(_))) => watch.publication(None::<&LedgerError>),
                (Some(watch), Err(error)) if error.is_contradiction() => watch.publication(Some(error)),
                // A store that is away says nothing about that, nor does it if another process is at it.
                (Some(_), Ok(Published::Another | Published::Waiting) | Err(_)) | (None, _) => {}
            }
            ended.map(drop)
        }
    });
}
