//! The supervisor of one consumer: connects, consumes, pauses, starts over.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, Consumer};
use shared_service::Backoff;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Handler, Subscription};
use crate::connection::{self, Address, Events, HEALTHY, RECONNECT, within};
use crate::error::MessagingError;
use crate::publisher::Publisher;
use crate::topology;

/// Unacknowledged messages on a queue of our own: its handler is quick and nobody shares it.
const OWN_QUEUE_PREFETCH: u16 = 64;
/// The pauses after "unavailable": each costs a message one of the broker's delivery counts.
const UNAVAILABLE: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
/// After this long without a message a consumer makes sure that it still is one: RabbitMQ 3.10 doesn't always tell a
/// consumer that its queue was deleted, if the queue is declared again at once.
const SILENCE: Duration = Duration::from_secs(10);
/// So many attempts in a row may find a queue that another process is just declaring; after them it is a fault.
const QUEUE_IS_MADE: u32 = 4;

/// Everything that one consumer consists of.
pub(super) struct Supervisor<H> {
    pub(super) address: Address,
    pub(super) subscription: Subscription,
    pub(super) publisher: Publisher,
    pub(super) handler: H,
    pub(super) shutdown: CancellationToken,
    pub(super) connected: Arc<AtomicBool>,
}

/// How consuming on one channel ended, if not by a fault.
pub(super) enum Stopped {
    /// The process shuts down.
    Shutdown,
    /// The handler has no room: go on as soon as it is ready.
    Full,
    /// What the handler needs is down: go on after a pause, once it is ready.
    Unavailable,
    /// Nothing came for a while: consume anew, so that a consumer that the broker has forgotten doesn't wait for ever.
    Silence,
}

impl<H: Handler> Supervisor<H> {
    /// Runs until shutdown.
    pub(super) async fn run(self) {
        let queue = self.subscription.label();
        let shutdown = self.shutdown.clone();
        let (mut pauses, mut made_for) = (RECONNECT.pauses(), 0);
        metrics::counter!("unweave_broker_reconnects_total", "connection" => queue).increment(0);
        self.count_from_zero();
        while !shutdown.is_cancelled() {
            let began = Instant::now();
            let ended = Box::pin(self.on_one_connection()).await;
            self.connected.store(false, Ordering::Release);
            let Err(error) = ended else { break };
            if began.elapsed() > HEALTHY {
                pauses.start_over();
                made_for = 0;
            }
            match error {
                MessagingError::QueueNotUp if made_for < QUEUE_IS_MADE => {
                    made_for += 1;
                    tracing::info!(queue, "the queue is being made; the consumer starts over");
                }
                error => tracing::warn!(queue, %error, "the consumer starts over"),
            }
            metrics::counter!("unweave_broker_reconnects_total", "connection" => queue).increment(1);
            shutdown.run_until_cancelled(tokio::time::sleep(pauses.pause())).await;
        }
        tracing::info!(queue, "the consumer has stopped");
    }

    /// `Ok` means shutdown.
    async fn on_one_connection(&self) -> Result<(), MessagingError> {
        let queue = self.subscription.label();
        let opening = topology::open(&self.address, queue);
        let Some(opened) = self.shutdown.run_until_cancelled(opening).await else { return Ok(()) };
        let (connection, mut events) = opened?;
        self.connected.store(true, Ordering::Release);
        let mut pauses = UNAVAILABLE.pauses();
        let mut pause = Duration::ZERO;
        tracing::info!(queue, "the consumer is connected to the broker");
        while self.wait_until_ready(&mut events, pause).await? {
            pause = match self.on_one_channel(&connection).await? {
                Stopped::Shutdown => break,
                Stopped::Silence => Duration::ZERO,
                Stopped::Full => {
                    tracing::debug!(queue, "the consumer pauses: no room");
                    Duration::ZERO
                }
                Stopped::Unavailable => {
                    let pause = pauses.pause();
                    tracing::warn!(queue, ?pause, "the consumer pauses: what it needs is down");
                    pause
                }
            };
        }
        connection::close(&connection).await;
        Ok(())
    }

    /// Waits out the pause and then for the handler; false means shutdown.
    async fn wait_until_ready(&self, events: &mut Events, pause: Duration) -> Result<bool, MessagingError> {
        let ready = async {
            tokio::time::sleep(pause).await;
            let mut pauses = RECONNECT.pauses();
            while !AssertUnwindSafe(self.handler.ready()).catch_unwind().await.unwrap_or(false) {
                tokio::time::sleep(pauses.pause()).await;
            }
        };
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Ok(false),
            () = events.lost() => Err(MessagingError::ConnectionLost),
            () = ready => Ok(true),
        }
    }

    async fn on_one_channel(&self, connection: &Connection) -> Result<Stopped, MessagingError> {
        let channel = within("open a channel", connection.create_channel()).await?;
        let mut consumer = self.start_consuming(&channel).await?;
        let mut cancelled = false;
        let stopped = loop {
            // A message that has arrived is handled to its end: only the wait for the next one is interrupted.
            let next = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break Stopped::Shutdown,
                next = consumer.next() => next,
                () = tokio::time::sleep(SILENCE) => {
                    if cancelled {
                        break Stopped::Silence;
                    }
                    cancelled = self.make_sure(&channel, &consumer).await?;
                    continue;
                }
            };
            let delivery = match next {
                Some(delivery) => delivery?,
                None if cancelled => break Stopped::Silence,
                None => return Err(MessagingError::StreamEnded),
            };
            if let Some(stopped) = self.deal_with(delivery, &channel, consumer.tag()).await? {
                break stopped;
            }
        };
        // Closing the channel returns what is handed out and not acknowledged.
        within("close the channel", channel.close(200, "OK".into())).await?;
        Ok(stopped)
    }

    /// Makes sure that the broker still knows the consumer. True: it was cancelled, to start anew.
    async fn make_sure(&self, channel: &Channel, consumer: &Consumer) -> Result<bool, MessagingError> {
        match self.subscription {
            // Other workers' consumers look the same from here, so only a new one is certain.
            Subscription::Work { .. } => {
                let cancel = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
                within("cancel the consumer", cancel).await.map(|()| true)
            }
            // A queue of our own would be deleted with its last consumer, but its only consumer is this one.
            Subscription::Control | Subscription::Events { .. } => {
                let options = QueueDeclareOptions { passive: true, ..Default::default() };
                let look = channel.queue_declare(consumer.queue(), options, FieldTable::default());
                match within("look at the queue", look).await?.consumer_count() {
                    0 => Err(MessagingError::StreamEnded),
                    _ => Ok(false),
                }
            }
        }
    }

    async fn start_consuming(&self, channel: &Channel) -> Result<Consumer, MessagingError> {
        let (queue, prefetch) = match &self.subscription {
            Subscription::Work { queue, prefetch } => (ShortString::from(queue.name()), *prefetch),
            Subscription::Control => (own_queue(channel, topology::SYNC_CONTROL, "").await?, OWN_QUEUE_PREFETCH),
            Subscription::Events { pattern } => {
                (own_queue(channel, topology::EVENTS, pattern).await?, OWN_QUEUE_PREFETCH)
            }
        };
        within("set the prefetch", channel.basic_qos(prefetch.max(1), BasicQosOptions::default())).await?;
        let options = BasicConsumeOptions::default();
        let consuming = channel.basic_consume(queue, "".into(), options, FieldTable::default());
        within("start consuming", consuming).await.map_err(MessagingError::of_start)
    }
}

/// An exclusive queue bound to `exchange`. Its name is new each time: the broker may still hold the last one for a
/// connection whose end it hasn't noticed.
async fn own_queue(channel: &Channel, exchange: &'static str, key: &str) -> Result<ShortString, MessagingError> {
    let name = ShortString::from(format!("{exchange}.{}", uuid::Uuid::new_v4()).as_str());
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    within("declare a queue", channel.queue_declare(name.clone(), options, FieldTable::default())).await?;
    let bind = channel.queue_bind(
        name.clone(),
        exchange.into(),
        key.into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    within("bind a queue", bind).await?;
    Ok(name)
}
