//! From a delivery to a verdict, and the one function that applies it.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use lapin::Channel;
use lapin::message::Delivery as Raw;
use lapin::options::{BasicAckOptions, BasicCancelOptions};
use lapin::types::ShortString;
use shared_models::message::Decoded;
use shared_models::{Envelope, Message, MessageId, RequestId};
use tracing::Instrument as _;

use super::session::{Stopped, Supervisor};
use super::{Handler, Outcome};
use crate::connection::within;
use crate::dead::{self, Death};
use crate::error::MessagingError;
use crate::topology;

/// A handler must be quick: a delivery that is held for long counts against the message, and blocks the next ones.
const HANDLER_DEADLINE: Duration = Duration::from_secs(30);

/// What [`Supervisor::count`] is given.
const OUTCOMES: [&str; 7] = ["done", "unknown_version", "unavailable", "slow", "dead", "dead_unpublished", "late_ack"];

/// What is to be done with a delivery.
enum Verdict {
    Done,
    DoneAndPause,
    Unavailable,
    /// Ran into [`HANDLER_DEADLINE`]; treated like unavailable.
    Slow,
    /// A known type in an unknown version: the timers do its work.
    UnknownVersion,
    /// Nobody can handle it; the text says why.
    Dead(String),
}

impl<H: Handler> Supervisor<H> {
    /// Handles one delivery to its end. `Some` stops the consumer.
    pub(super) async fn deal_with(
        &self,
        raw: Raw,
        channel: &Channel,
        consumer_tag: ShortString,
    ) -> Result<Option<Stopped>, MessagingError> {
        let verdict = self.judge(&raw).await;
        self.apply(&raw, verdict, channel, consumer_tag).await
    }

    async fn judge(&self, raw: &Raw) -> Verdict {
        let message = match Message::decode(&raw.data) {
            Ok(Decoded::Message(message)) => message,
            Ok(Decoded::UnknownVersion { kind, version }) => {
                tracing::info!(kind, version, "skipping a message of a version that this build doesn't know");
                return Verdict::UnknownVersion;
            }
            Err(garbage) => return Verdict::Dead(garbage.to_string()),
        };
        let envelope = envelope(raw, message);
        let request_id = envelope.request_id.map(|id| id.to_string()).unwrap_or_default();
        let kind = envelope.message.kind();
        let span = tracing::info_span!("message", request_id, message_id = %envelope.message_id, kind);
        let handling = AssertUnwindSafe(self.handler.handle(envelope)).catch_unwind().instrument(span);
        match tokio::time::timeout(HANDLER_DEADLINE, Box::pin(handling)).await {
            Ok(Ok(Outcome::Done)) => Verdict::Done,
            Ok(Ok(Outcome::DoneAndPause)) => Verdict::DoneAndPause,
            Ok(Ok(Outcome::Unavailable)) => Verdict::Unavailable,
            Ok(Err(_panic)) => Verdict::Dead(format!("the handler of {kind} panicked")),
            Err(_) => Verdict::Slow,
        }
    }

    async fn apply(
        &self,
        raw: &Raw,
        verdict: Verdict,
        channel: &Channel,
        consumer_tag: ShortString,
    ) -> Result<Option<Stopped>, MessagingError> {
        match verdict {
            Verdict::Done => self.acknowledge(raw, "done").await.map(|()| None),
            Verdict::UnknownVersion => self.acknowledge(raw, "unknown_version").await.map(|()| None),
            Verdict::DoneAndPause => {
                // First cancelled, then acknowledged: with a prefetch of 1 nothing else is handed out.
                let cancel = channel.basic_cancel(consumer_tag, BasicCancelOptions::default());
                within("cancel the consumer", cancel).await?;
                self.acknowledge(raw, "done").await.map(|()| Some(Stopped::Full))
            }
            Verdict::Unavailable => {
                self.count("unavailable");
                Ok(Some(Stopped::Unavailable))
            }
            Verdict::Slow => {
                self.count("slow");
                tracing::warn!(queue = self.subscription.label(), "the handler took too long");
                Ok(Some(Stopped::Unavailable))
            }
            Verdict::Dead(reason) => self.bury(raw, &reason).await,
        }
    }

    /// Moves a message to `dead`: acknowledged only once it is kept there.
    async fn bury(&self, raw: &Raw, reason: &str) -> Result<Option<Stopped>, MessagingError> {
        let queue = self.subscription.label();
        let (exchange, routing_key) = (raw.exchange.as_str(), raw.routing_key.as_str());
        let properties = dead::bury(&raw.properties, Death { reason, queue, exchange, routing_key });
        // Only ids of ours are logged: what somebody else wrote there may be anything.
        let message_id = message_id(raw).map(|id| id.to_string()).unwrap_or_default();
        let request_id = request_id(raw).map(|id| id.to_string()).unwrap_or_default();
        match self.publisher.publish_dead(&raw.data, properties).await {
            Ok(()) => {
                tracing::error!(message_id, request_id, queue, reason, "moved a message to the queue of dead ones");
                self.acknowledge(raw, "dead").await.map(|()| None)
            }
            Err(error) => {
                tracing::warn!(
                    message_id,
                    request_id,
                    queue,
                    reason,
                    %error,
                    "can't move a message to the queue of dead ones yet"
                );
                self.count("dead_unpublished");
                Ok(Some(Stopped::Unavailable))
            }
        }
    }

    async fn acknowledge(&self, raw: &Raw, outcome: &'static str) -> Result<(), MessagingError> {
        if within("acknowledge", raw.acker.ack(BasicAckOptions::default())).await? {
            self.count(outcome);
            Ok(())
        } else {
            self.count("late_ack");
            Err(MessagingError::LateAck)
        }
    }

    /// Makes the counters visible before the first message.
    pub(super) fn count_from_zero(&self) {
        let queue = self.subscription.label();
        for outcome in OUTCOMES {
            metrics::counter!("unweave_messages_consumed_total", "queue" => queue, "outcome" => outcome).increment(0);
        }
    }

    fn count(&self, outcome: &'static str) {
        let queue = self.subscription.label();
        metrics::counter!("unweave_messages_consumed_total", "queue" => queue, "outcome" => outcome).increment(1);
    }
}

fn envelope(raw: &Raw, message: Message) -> Envelope {
    let message_id = message_id(raw).unwrap_or_else(MessageId::random);
    Envelope { message_id, request_id: request_id(raw), message }
}

fn message_id(raw: &Raw) -> Option<MessageId> {
    raw.properties.message_id().as_ref()?.as_str().parse().ok()
}

fn request_id(raw: &Raw) -> Option<RequestId> {
    let header = |name: &str| topology::header(&raw.properties, name);
    header(topology::HEADER_REQUEST_ID)
        .and_then(|id| id.parse().ok())
        .or_else(|| RequestId::from_traceparent(&header(topology::HEADER_TRACEPARENT)?))
}
