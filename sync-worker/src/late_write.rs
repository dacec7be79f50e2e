//! What a worker does when it finds that a write of its own may have ended after its lease: the process or the machine
//! stood still meanwhile, and the cleanup may have looked before the write landed.
//!
//! Reopens the cleanup (DEL-2, DEL-5). If the process dies before that succeeded, the receipt's later check
//! (`LATE_WRITE_CHECK`) finds what the write left.

use std::time::Duration;

use shared_database::Database;
use shared_models::SyncId;
use shared_service::{Backoff, Tasks};
use tracing::Instrument as _;

const PAUSES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));

/// Reopens the cleanup of `sync` in the background, until it succeeds or the process ends. A sync that lives has none.
pub fn reopen_cleanup(sync: SyncId, database: &Database, tasks: &Tasks) {
    metrics::counter!("unweave_late_writes_total").increment(1);
    tracing::warn!("a write may have ended after the lease; reopening the cleanup, if there is one");
    let (database, shutdown) = (database.clone(), tasks.shutdown().clone());
    let reopening = async move {
        let mut pauses = PAUSES.pauses();
        loop {
            match database.reopen_cleanup(sync).await {
                Ok(reopened) => {
                    tracing::info!(reopened, "looked for a cleanup to reopen");
                    return;
                }
                Err(error) => tracing::warn!(%error, "the cleanup could not be reopened yet"),
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pauses.pause()) => {}
            }
        }
    };
    tasks.spawn("reopen_cleanup", reopening.in_current_span());
}
