//! Publishing with confirms.
//!
//! `Ok` means that the broker has routed and kept the message. A confirmed but returned message is a failure; a confirm
//! that doesn't come in time leaves the outcome unknown, and the caller publishes again: duplicates are allowed, losses
//! are found by the timers (DEL-5). Nothing is queued in here and nothing waits for a broker that is down.
//!
//! lapin hands the oldest returned message to the next confirmed publish of a channel, and one confirm may cover
//! several publishes. So that no message gets another one's return, a channel carries one publish at a time, and a
//! channel whose publish was abandoned is never used again.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use parking_lot::Mutex;
use shared_models::Envelope;
use shared_service::clock;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;

use crate::connection::{self, Address, Change, Events, HEALTHY, RECONNECT, within};
use crate::error::{MessagingError, PublishError};
use crate::topology::{self, Route};

/// Longest time one publish may take, confirm included.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(5);
/// How long a publish waits for a connection that is being rebuilt.
const LINK_WAIT: Duration = Duration::from_millis(500);
/// Publishes that may be under way at once; the others wait, within their deadline.
const CHANNELS: usize = 16;
const PERSISTENT: u8 = 2;

/// Publishes messages. Cheap to clone; the connection ends with the last clone.
#[derive(Clone)]
pub struct Publisher {
    inner: Arc<Inner>,
}

struct Inner {
    link: watch::Receiver<Option<Arc<Link>>>,
    suspect: Arc<Notify>,
    supervisor: tokio::task::AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

/// One usable connection with its idle channels.
struct Link {
    connection: Connection,
    idle: Mutex<Vec<Channel>>,
    slots: Semaphore,
}

impl Publisher {
    #[expect(
        clippy::disallowed_methods,
        reason = "the supervisor outlives the drain, so that draining tasks can publish; it ends with the last clone"
    )]
    pub(crate) fn start(address: Address) -> Self {
        let (sender, link) = watch::channel(None);
        let suspect = Arc::new(Notify::new());
        let supervisor = tokio::spawn(supervise(address, sender, suspect.clone())).abort_handle();
        Self { inner: Arc::new(Inner { link, suspect, supervisor }) }
    }

    /// Whether there is a connection that takes messages.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.inner.link.borrow().as_ref().is_some_and(|link| link.connection.status().connected())
    }

    /// Waits for a connection, at most for `bound`. Whether there is one.
    pub async fn connected_within(&self, bound: Duration) -> bool {
        self.link_within(bound).await.is_ok()
    }

    /// Publishes a message where [`topology::route`] says. Answers within 6 s, and within 1 s while the broker is known
    /// to be down.
    ///
    /// # Errors
    /// See [`PublishError`]; publish again later.
    pub async fn publish(&self, envelope: &Envelope) -> Result<(), PublishError> {
        let kind = envelope.message.kind();
        let route = topology::route(&envelope.message);
        self.send(kind, &route, &envelope.message.encode(), properties(envelope)).await
    }

    /// Publishes to `dead` what nobody can handle. The quorum queue there keeps it on disk, whatever its delivery mode.
    pub(crate) async fn publish_dead(&self, body: &[u8], properties: BasicProperties) -> Result<(), PublishError> {
        let route = Route { exchange: "", routing_key: topology::DEAD.to_owned(), mandatory: true };
        self.send("dead", &route, body, properties).await
    }

    /// Publishes what was dead to where it came from.
    pub(crate) async fn publish_again(
        &self,
        route: &Route,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), PublishError> {
        self.send("replayed", route, body, properties).await
    }

    async fn send(
        &self,
        kind: &'static str,
        route: &Route,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), PublishError> {
        let sent = Box::pin(self.try_send(route, body, properties)).await;
        match &sent {
            Ok(()) => metrics::counter!("unweave_messages_published_total", "type" => kind).increment(1),
            Err(error) => {
                metrics::counter!("unweave_publish_failures_total", "reason" => error.reason()).increment(1);
                if !matches!(error, PublishError::Unavailable) {
                    self.inner.suspect.notify_one();
                }
            }
        }
        sent
    }

    async fn try_send(&self, route: &Route, body: &[u8], properties: BasicProperties) -> Result<(), PublishError> {
        let link = self.link_within(LINK_WAIT).await?;
        let started = tokio::time::Instant::now();
        let taking = tokio::time::timeout(PUBLISH_DEADLINE, link.take());
        let (_slot, channel) = match taking.await {
            Ok(Ok(taken)) => taken,
            Ok(Err(error)) => {
                tracing::debug!(%error, "no channel to publish on");
                self.inner.suspect.notify_one();
                return Err(PublishError::Unavailable);
            }
            Err(_) => return Err(PublishError::Unavailable),
        };
        let left = PUBLISH_DEADLINE.saturating_sub(started.elapsed());
        let confirmed = tokio::time::timeout(left, confirm(&channel, route, body, properties)).await;
        let confirmation = confirmed
            .map_err(|_| PublishError::Unknown(MessagingError::Deadline("publish")))?
            .map_err(|error| PublishError::Unknown(error.into()))?;
        let outcome = judge(confirmation);
        link.give_back(channel);
        outcome
    }

    async fn link_within(&self, bound: Duration) -> Result<Arc<Link>, PublishError> {
        let mut link = self.inner.link.clone();
        let usable = link.wait_for(|link| link.as_ref().is_some_and(|link| link.connection.status().connected()));
        match tokio::time::timeout(bound, usable).await {
            Ok(Ok(link)) => link.clone().ok_or(PublishError::Unavailable),
            Ok(Err(_)) | Err(_) => Err(PublishError::Unavailable),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that publishes: confirms, returns and deadlines are looked at"
)]
async fn confirm(
    channel: &Channel,
    route: &Route,
    body: &[u8],
    properties: BasicProperties,
) -> Result<Confirmation, lapin::Error> {
    let options = BasicPublishOptions { mandatory: route.mandatory, immediate: false };
    // Ours are short; one that a dead message names may be anything.
    let key = ShortString::try_new(route.routing_key.as_str()).unwrap_or_default();
    channel.basic_publish(route.exchange.into(), key, options, body, properties).await?.await
}

fn judge(confirmation: Confirmation) -> Result<(), PublishError> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
            Err(PublishError::Unroutable(returned.reply_text.to_string()))
        }
        Confirmation::Nack(None) => Err(PublishError::Refused),
        Confirmation::NotRequested => Err(PublishError::NotRequested),
    }
}

fn properties(envelope: &Envelope) -> BasicProperties {
    let mut headers = FieldTable::default();
    if let Some(request_id) = envelope.request_id {
        headers.insert(topology::HEADER_REQUEST_ID.into(), topology::text(&request_id.to_string()));
        headers.insert(topology::HEADER_TRACEPARENT.into(), topology::text(&request_id.traceparent()));
    }
    let now = u64::try_from(clock::utc_now().timestamp()).unwrap_or_default();
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(now)
        .with_message_id(ShortString::from(envelope.message_id.to_string().as_str()))
        .with_content_type("application/json".into())
        .with_type(envelope.message.kind().into())
        .with_headers(headers)
}

impl Link {
    fn new(connection: Connection) -> Self {
        Self { connection, idle: Mutex::new(Vec::new()), slots: Semaphore::new(CHANNELS) }
    }

    /// A channel in confirm mode with no publish under way. Not given back, it is closed.
    async fn take(&self) -> Result<(tokio::sync::SemaphorePermit<'_>, Channel), MessagingError> {
        let slot = self.slots.acquire().await.map_err(|_| MessagingError::ConnectionLost)?;
        let idle = self.idle.lock().pop();
        if let Some(channel) = idle.filter(|channel| channel.status().connected()) {
            return Ok((slot, channel));
        }
        let channel = within("open a channel", self.connection.create_channel()).await?;
        within("ask for confirms", channel.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok((slot, channel))
    }

    fn give_back(&self, channel: Channel) {
        self.idle.lock().push(channel);
    }
}

/// Keeps a link up until it is aborted.
async fn supervise(address: Address, link: watch::Sender<Option<Arc<Link>>>, suspect: Arc<Notify>) {
    metrics::counter!("unweave_broker_reconnects_total", "connection" => "publisher").increment(0);
    for reason in PublishError::REASONS {
        metrics::counter!("unweave_publish_failures_total", "reason" => reason).increment(0);
    }
    let mut pauses = RECONNECT.pauses();
    loop {
        let began = Instant::now();
        match topology::open(&address, "publisher").await {
            Ok((connection, events)) => serve(connection, events, &link, &suspect).await,
            Err(error) => tracing::warn!(%error, "the publisher can't connect to the broker"),
        }
        metrics::counter!("unweave_broker_reconnects_total", "connection" => "publisher").increment(1);
        if began.elapsed() > HEALTHY {
            pauses.start_over();
        }
        tokio::time::sleep(pauses.pause()).await;
    }
}

async fn serve(
    connection: Connection,
    mut events: Events,
    sender: &watch::Sender<Option<Arc<Link>>>,
    suspect: &Notify,
) {
    let link = Arc::new(Link::new(connection));
    sender.send_replace(Some(link.clone()));
    tracing::info!("the publisher is connected to the broker");
    loop {
        tokio::select! {
            change = events.next() => match change {
                Change::Blocked => drop(sender.send_replace(None)),
                Change::Unblocked => drop(sender.send_replace(Some(link.clone()))),
                Change::Lost => {
                    tracing::warn!("the publisher lost its connection");
                    break;
                }
            },
            () = suspect.notified() => {
                // Checks the connection and repairs the topology in one: a deleted queue is there again.
                if let Err(error) = Box::pin(topology::declare(&link.connection)).await {
                    tracing::warn!(%error, "the publisher replaces its connection");
                    break;
                }
            }
        }
    }
    sender.send_replace(None);
    connection::close(&link.connection).await;
}
