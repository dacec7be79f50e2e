//! Whether the store's credentials suffice for what a service does with the ledger.

use std::time::Duration;

use bytes::Bytes;

use super::object::{MAX_CHECKPOINT_BYTES, WRITTEN_ONCE};
use super::place::Place;
use super::{LedgerStore, LedgerStoreError, Result};

/// What lies at `check`, in turn.
const WRITTEN_IN_TURN: [Bytes; 2] =
    [Bytes::from_static(b"The checkpoint can be\n"), Bytes::from_static(b"The checkpoint can be replaced here.\n")];

impl LedgerStore {
    /// For the one that writes: writes `log/check` once, and `check` beside it twice, reads both, and reads the
    /// checkpoint. Repeating it changes nothing more. Both stay, each a short sentence: what may be locked isn't
    /// removed.
    ///
    /// # Errors
    /// The first step that failed; `Setup` if the store doesn't keep what it is given. `Unanswered` if all together
    /// take longer than `timeout`.
    pub async fn check_access(&self, timeout: Duration) -> Result<()> {
        within(timeout, self.write_and_read()).await
    }

    /// For those that only read: reads the same, and writes nothing. What isn't there yet is no error.
    ///
    /// # Errors
    /// As [`LedgerStore::check_access`].
    pub async fn check_read_access(&self, timeout: Duration) -> Result<()> {
        let reading = async {
            self.read(Place::log_check(), MAX_CHECKPOINT_BYTES).await?;
            self.get_checkpoint().await.map(drop)
        };
        within(timeout, reading).await
    }

    async fn write_and_read(&self) -> Result<()> {
        self.create(Place::log_check(), WRITTEN_ONCE).await?;
        self.expect(Place::log_check(), &WRITTEN_ONCE).await?;
        for content in WRITTEN_IN_TURN {
            self.replace(Place::check(), content.clone()).await?;
            self.expect(Place::check(), &content).await?;
        }
        self.get_checkpoint().await.map(drop)
    }

    async fn expect(&self, place: Place, content: &Bytes) -> Result<()> {
        if self.read(place, MAX_CHECKPOINT_BYTES).await?.as_ref() == Some(content) {
            return Ok(());
        }
        Err(LedgerStoreError::Setup("what was written is not what is read".to_owned()))
    }
}

async fn within(timeout: Duration, steps: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::time::timeout(timeout, steps).await.unwrap_or(Err(LedgerStoreError::Unanswered(timeout)))
}
