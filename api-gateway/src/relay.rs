//! The relay: publishes what the outbox holds (DEL-1, DEL-5).
//!
//! Rows are claimed for a while, published outside of any transaction, then marked. Several relays may publish one row
//! twice; a relay that dies in between leaves a row that is claimed again. One failing row holds up no other.

use std::time::Duration;

use futures::StreamExt as _;
use shared_database::outbox::DueMessage;
use shared_database::{Database, DatabaseError};
use shared_messaging::Publisher;
use shared_service::{Backoff, Bell, Driver, Periodic};

/// Few enough that all of them time out within [`VISIBILITY`] when the broker is frozen.
const BATCH: i64 = 64;
/// As many as the publisher lets through at once.
const IN_FLIGHT: usize = 16;
const VISIBILITY: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(1);
/// How long messages gather between two batches: each claim and each mark is a commit, whether of one message or of
/// sixty.
const GATHER: Duration = Duration::from_millis(25);
const PRUNE_EVERY: Duration = Duration::from_secs(600);
const KEEP_PUBLISHED: Duration = Duration::from_secs(24 * 3600);
const RETRIES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));

/// Wakes the relay of this process: there is something in the outbox. Cheap to clone.
#[derive(Clone, Default)]
pub struct RelayBell(Bell);

impl RelayBell {
    /// Wakes the relay; returns at once.
    pub fn ring(&self) {
        self.0.ring();
    }
}

/// Starts the relay of this process: it runs when rung, and by itself every second.
pub fn start(driver: &Driver, database: &Database, publisher: &Publisher, bell: &RelayBell) {
    let (drained, publisher) = (database.clone(), publisher.clone());
    driver.start(Periodic::every("relay", IDLE).woken_by(&bell.0), move |_| {
        let (database, publisher) = (drained.clone(), publisher.clone());
        async move { drain(&database, &publisher).await }
    });
    let pruned = database.clone();
    driver.start(Periodic::every("prune outbox", PRUNE_EVERY), move |_| {
        let database = pruned.clone();
        async move { database.prune_outbox(KEEP_PUBLISHED).await.map(drop) }
    });
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
        tokio::time::sleep(GATHER).await;
    }
}

async fn publish(database: &Database, publisher: &Publisher, due: DueMessage) -> Option<i64> {
    let kind = due.envelope.message.kind();
    let error = match publisher.publish(&due.envelope).await {
        Ok(()) => return Some(due.id),
        Err(error) => error,
    };
    let failures = u32::try_from(due.attempts).unwrap_or_default().saturating_add(1);
    let delay = RETRIES.after(failures);
    tracing::warn!(outbox_id = due.id, kind, %error, ?delay, "message not published; put off");
    if let Err(error) = database.postpone_message(due.id, delay).await {
        tracing::warn!(outbox_id = due.id, %error, "message not put off; due again when its claim ends");
    }
    None
}
