//! The relay: publishes what the outbox holds (DEL-1, DEL-5).
//!
//! Rows are claimed for a while, published outside of any transaction, then marked. Several relays may publish one row
//! twice; a relay that dies in between leaves a row that is claimed again. One failing row holds up no other.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use shared_database::outbox::DueMessage;
use shared_database::{Database, DatabaseError};
use shared_messaging::Publisher;
use shared_service::periodic::periodic;
use shared_service::tasks::Tasks;
use tokio::sync::Notify;

/// Few enough that all of them time out within [`VISIBILITY`] when the broker is frozen.
const BATCH: i64 = 64;
/// As many as the publisher lets through at once.
const IN_FLIGHT: usize = 16;
const VISIBILITY: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(1);
const PRUNE_EVERY: Duration = Duration::from_secs(600);
const KEEP_PUBLISHED: Duration = Duration::from_secs(24 * 3600);
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// Wakes the relay of this process: there is something in the outbox. Cheap to clone.
#[derive(Clone, Default)]
pub struct RelayBell(Arc<Notify>);

impl RelayBell {
    /// Wakes the relay; returns at once.
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

/// Starts the relay of this process: it runs when rung, and by itself every second.
pub fn start(tasks: &Tasks, database: &Database, publisher: &Publisher, bell: &RelayBell) {
    let (relay_database, publisher) = (database.clone(), publisher.clone());
    let relay = periodic("relay", IDLE, Arc::clone(&bell.0), tasks.shutdown().clone(), move || {
        let (database, publisher) = (relay_database.clone(), publisher.clone());
        async move { drain(&database, &publisher).await }
    });
    tasks.spawn("relay", relay);
    let database = database.clone();
    let pruning = periodic("prune outbox", PRUNE_EVERY, Arc::default(), tasks.shutdown().clone(), move || {
        let database = database.clone();
        async move { database.prune_outbox(KEEP_PUBLISHED).await.map(drop) }
    });
    tasks.spawn("prune outbox", pruning);
}

/// Publishes until nothing is due.
///
/// # Errors
/// PostgreSQL failed; rows claimed meanwhile become due again.
async fn drain(database: &Database, publisher: &Publisher) -> Result<(), DatabaseError> {
    loop {
        let due = database.claim_outbox(BATCH, VISIBILITY).await?;
        if due.is_empty() {
            return Ok(());
        }
        let published: Vec<Option<i64>> = futures::stream::iter(due)
            .map(|message| publish(database, publisher, message))
            .buffer_unordered(IN_FLIGHT)
            .collect()
            .await;
        let published: Vec<i64> = published.into_iter().flatten().collect();
        if !published.is_empty() {
            database.mark_published(&published).await?;
        }
    }
}

async fn publish(database: &Database, publisher: &Publisher, due: DueMessage) -> Option<i64> {
    let kind = due.envelope.message.kind();
    let error = match publisher.publish(&due.envelope).await {
        Ok(()) => return Some(due.id),
        Err(error) => error,
    };
    let delay = retry_delay(due.attempts);
    tracing::warn!(outbox_id = due.id, kind, %error, ?delay, "message not published; put off");
    if let Err(error) = database.postpone_message(due.id, delay).await {
        tracing::warn!(outbox_id = due.id, %error, "message not put off; due again when its claim ends");
    }
    None
}

fn retry_delay(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts).unwrap_or(0).min(10);
    FIRST_RETRY.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_back_off_to_a_cap() {
        assert_eq!(retry_delay(0), FIRST_RETRY);
        assert_eq!(retry_delay(1), FIRST_RETRY * 2);
        assert_eq!(retry_delay(i32::MAX), LONGEST_RETRY);
    }
}
