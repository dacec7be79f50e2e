//! What an operator looks at: how deep a queue is, and what is dead.
//!
//! A dead message is replayed by publishing it as it was to where it came from; consumers are idempotent (DEL-6).

use std::collections::BTreeSet;
use std::time::Duration;

use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ErrorKind};
use secrecy::SecretString;

use crate::connection::{self, Address, within};
use crate::dead::{self, Epitaph};
use crate::error::{MessagingError, PublishError};
use crate::publisher::Publisher;
use crate::topology::{self, Route};

/// Dead messages that are looked through: each is held in memory until the end.
const MOST: usize = 10_000;
/// Longest wait for the connection that replays.
const CONNECT: Duration = Duration::from_secs(10);

/// A message in `dead`. What the broker dead-lettered by itself doesn't tell everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadMessage {
    /// Its id.
    pub message_id: Option<String>,
    /// The queue that it came from, or the exchange that a process's own queue was bound to.
    pub queue: Option<String>,
    /// The exchange that it was published to.
    pub exchange: Option<String>,
    /// The key that it was published with.
    pub routing_key: Option<String>,
    /// Why it is dead.
    pub reason: Option<String>,
    /// When a consumer first found that it is.
    pub first_seen: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

/// Which dead messages something is done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// Up to so many, from the oldest on.
    Oldest(usize),
    /// Those with these ids, wherever they are among the first 10 000.
    Ids(BTreeSet<String>),
}

/// What a message is whose id was dealt with before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeats {
    /// The same one, which is dead again.
    AreBack,
    /// Another copy.
    AreCopies,
}

impl Chosen {
    /// How many messages to look at.
    fn most(&self) -> usize {
        match self {
            Self::Oldest(most) => MOST.min(*most),
            Self::Ids(_) => MOST,
        }
    }

    fn has(&self, message: &lapin::message::BasicGetMessage) -> bool {
        match self {
            Self::Oldest(_) => true,
            Self::Ids(ids) => message.properties.message_id().as_ref().is_some_and(|id| ids.contains(id.as_str())),
        }
    }
}

/// A connection for looking at queues by hand.
#[derive(Debug)]
pub struct Operator {
    address: Address,
    connection: Connection,
}

impl Operator {
    /// Connects.
    ///
    /// # Errors
    /// [`MessagingError`] if the broker can't be reached.
    pub async fn connect(url: &SecretString) -> Result<Self, MessagingError> {
        let address = Address::parse(url, "operator")?;
        let (connection, _) = connection::connect(&address, "operator").await?;
        Ok(Self { address, connection })
    }

    /// The messages that wait in a queue; `None` if there is no such queue.
    ///
    /// # Errors
    /// [`MessagingError`] if the broker doesn't answer.
    pub async fn depth(&self, queue: &str) -> Result<Option<u32>, MessagingError> {
        let channel = self.channel().await?;
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        match within("look at a queue", channel.queue_declare(queue.into(), options, FieldTable::default())).await {
            Ok(found) => Ok(Some(found.message_count())),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Up to `limit` dead messages; they stay in the queue.
    ///
    /// # Errors
    /// [`MessagingError`] if the broker doesn't answer.
    pub async fn dead(&self, limit: usize) -> Result<Vec<DeadMessage>, MessagingError> {
        let channel = self.channel().await?;
        let mut dead = Vec::new();
        while dead.len() < limit {
            let options = BasicGetOptions::default();
            let got = within("get a message", channel.basic_get(topology::DEAD.into(), options)).await;
            match got {
                Ok(Some(got)) => dead.push(read(&got)),
                Ok(None) => break,
                // Nobody has published yet; the channel is closed by it.
                Err(error) if is_not_found(&error) => return Ok(dead),
                Err(error) => return Err(error),
            }
        }
        // Closing the channel returns all of them.
        within("close the channel", channel.close(200, "OK".into())).await?;
        Ok(dead)
    }

    /// Publishes the chosen dead messages to where they came from, and removes each once it is confirmed there. Returns
    /// how many. Those that don't say where they came from stay.
    ///
    /// # Errors
    /// The first [`PublishError`]; that message and the rest stay dead.
    pub async fn replay(&self, chosen: &Chosen) -> Result<usize, PublishError> {
        let publisher = Publisher::start(self.address.clone());
        publisher.connected_within(CONNECT).await;
        self.each(chosen, Repeats::AreBack, async |got| {
            let Some(route) = way_back(&Epitaph::of(&got.properties)) else { return Ok(false) };
            let properties = dead::revive(&got.properties, self.address.user());
            if let Err(error) = publisher.publish_again(&route, &got.data, properties).await {
                let nack = got.acker.nack(BasicNackOptions { requeue: true, multiple: false });
                within("give a message back", nack).await?;
                return Err(error);
            }
            Ok(true)
        })
        .await
    }

    /// Removes the chosen dead messages for good. Returns how many. Nothing is lost by it that rows don't say: whoever
    /// works looks at them now and then without being told.
    ///
    /// # Errors
    /// [`MessagingError`] if the broker doesn't answer.
    pub async fn drop_dead(&self, chosen: &Chosen) -> Result<usize, MessagingError> {
        self.each(chosen, Repeats::AreCopies, async |_| Ok(true)).await
    }

    /// Acknowledges each chosen message that `work` has dealt with. The others go back to where they were.
    async fn each<E: From<MessagingError>>(
        &self,
        chosen: &Chosen,
        repeats: Repeats,
        work: impl AsyncFn(&lapin::message::BasicGetMessage) -> Result<bool, E>,
    ) -> Result<usize, E> {
        let channel = self.channel().await?;
        let (mut ids, mut done) = (BTreeSet::new(), 0);
        for _ in 0..chosen.most() {
            let options = BasicGetOptions::default();
            let got = match within("get a message", channel.basic_get(topology::DEAD.into(), options)).await {
                Err(error) if is_not_found(&error) => return Ok(done),
                got => got?,
            };
            let Some(got) = got else { break };
            let id = got.properties.message_id().as_ref().map(ToString::to_string);
            // Of copies all are taken, and they count once; what is dead again since isn't taken.
            let is_back = repeats == Repeats::AreBack && id.as_ref().is_some_and(|id| ids.contains(id));
            if chosen.has(&got) && !is_back && work(&got).await? {
                within("acknowledge", got.acker.ack(BasicAckOptions::default())).await?;
                done += usize::from(id.is_none_or(|id| ids.insert(id)));
            }
        }
        within("close the channel", channel.close(200, "OK".into())).await?;
        Ok(done)
    }

    async fn channel(&self) -> Result<Channel, MessagingError> {
        within("open a channel", self.connection.create_channel()).await
    }
}

/// Whether there is no such queue.
fn is_not_found(error: &MessagingError) -> bool {
    matches!(error, MessagingError::Broker(error) if matches!(error.kind(), ErrorKind::ProtocolError(amqp)
        if *amqp.kind() == AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND)))
}

fn read(message: &lapin::message::BasicGetMessage) -> DeadMessage {
    let Epitaph { reason, queue, exchange, routing_key, first_seen } = Epitaph::of(&message.properties);
    let message_id = message.properties.message_id().as_ref().map(ToString::to_string);
    DeadMessage { message_id, queue, exchange, routing_key, reason, first_seen, body: message.data.clone() }
}

/// Where a dead message came from. A process's own queue may be gone: who listens at its exchange now hears it.
fn way_back(epitaph: &Epitaph) -> Option<Route> {
    let queue = epitaph.queue.clone()?;
    let own = [topology::SYNC_CONTROL, topology::EVENTS].into_iter().find(|exchange| *exchange == queue);
    Some(match own {
        Some(exchange) => {
            Route { exchange, routing_key: epitaph.routing_key.clone().unwrap_or_default(), mandatory: false }
        }
        None => Route { exchange: "", routing_key: queue, mandatory: true },
    })
}
