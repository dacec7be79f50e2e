//! Renews claims while their cleanups are being worked on, in a task of its own: no slow store call can hold it up.
//!
//! Lost means drop everything at once: somebody else has the row, or PostgreSQL hasn't been reached for so long that
//! somebody else may. A worker that dies stops renewing, and the next one takes the row (DEL-5).

use std::time::Duration;

use shared_database::Database;
use shared_database::cleanups::Claim;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long a claim lasts, and how often it is renewed.
#[derive(Debug, Clone, Copy)]
pub struct ClaimTimes {
    /// Time to live.
    pub ttl: Duration,
    /// Time between renewals.
    pub renewal: Duration,
}

/// Renews `claims`, the first claimed at `claimed_at`, until `ended`; cancels `lost` when all are lost. Of several some
/// are given back before the others, which is no loss.
pub(crate) async fn beat(
    database: Database,
    claims: Vec<Claim>,
    claimed_at: Instant,
    times: ClaimTimes,
    ended: CancellationToken,
    lost: CancellationToken,
) {
    let mut valid_until = claimed_at + times.ttl;
    loop {
        let pause = times.renewal.min(valid_until.saturating_duration_since(Instant::now()));
        if ended.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
        let sent = Instant::now();
        match timeout(times.renewal, database.renew_claims(&claims, times.ttl)).await {
            Ok(Ok(0)) => return lost.cancel(),
            Ok(Ok(_)) => valid_until = sent + times.ttl,
            Ok(Err(error)) => tracing::warn!(%error, "renew claim"),
            Err(_) => tracing::warn!("renew claim: no answer from PostgreSQL in time"),
        }
        if Instant::now() >= valid_until {
            return lost.cancel();
        }
    }
}
