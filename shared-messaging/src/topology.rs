//! Queues and exchanges: their names, which message goes where, and their declaration.
//!
//! Work queues are quorum queues behind a dead-letter exchange; every other limit comes by policy, since a changed
//! queue argument makes the redeclaration fail. A queue that exists with other arguments is used as it is.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{BasicProperties, Connection, ErrorKind, ExchangeKind};
use shared_models::Message;

use crate::connection::{Address, Events, connect, within};
use crate::error::MessagingError;

/// Quorum queue of [`Message::RunSync`].
pub const SYNC_JOBS: &str = "sync.jobs";
/// Fanout exchange of [`Message::CancelSync`]: one exclusive queue per worker.
pub const SYNC_CONTROL: &str = "sync.control";
/// Topic exchange of events: one exclusive queue per gateway; operators may bind their own.
pub const EVENTS: &str = "events";
/// Quorum queue of [`Message::CleanupRequested`]: a bell, the row is the work.
pub const CLEANUP_REQUESTS: &str = "cleanup.requests";
/// Quorum queue of what can't be parsed.
pub const DEAD: &str = "dead";
/// Fanout exchange before [`DEAD`]: the work queues' dead-letter exchange.
pub const DEAD_LETTERS: &str = "dead-letters";

/// Header: the request that caused a message.
pub const HEADER_REQUEST_ID: &str = "x-request-id";
/// Header: the W3C trace context.
pub const HEADER_TRACEPARENT: &str = "traceparent";

/// Where a message is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The exchange; empty for the default one, which routes by queue name.
    pub exchange: &'static str,
    /// The routing key.
    pub routing_key: String,
    /// Whether a message without a queue is a failure. An event that nobody listens to is none.
    pub mandatory: bool,
}

/// Where `message` is published.
#[must_use]
pub fn route(message: &Message) -> Route {
    let queue = |name: &str| Route { exchange: "", routing_key: name.to_owned(), mandatory: true };
    let event = |key: String| Route { exchange: EVENTS, routing_key: key, mandatory: false };
    match message {
        Message::RunSync { .. } => queue(SYNC_JOBS),
        Message::CleanupRequested { .. } => queue(CLEANUP_REQUESTS),
        Message::CancelSync { .. } => Route { exchange: SYNC_CONTROL, routing_key: String::new(), mandatory: false },
        Message::JobStopped { job_id } => event(format!("job.stopped.{job_id}")),
        Message::SourceConnectionDeleted { .. } => event("source_connection.deleted".to_owned()),
        Message::CleanupCompleted { .. } => event("cleanup.completed".to_owned()),
    }
}

/// Opens a connection, and declares everything on it that isn't some process's own.
///
/// # Errors
/// The broker can't be reached, or refuses a declaration for another reason than "exists with other arguments".
pub(crate) async fn open(address: &Address, role: &str) -> Result<(Connection, Events), MessagingError> {
    let (connection, events) = connect(address, role).await?;
    declare(&connection).await?;
    Ok((connection, events))
}

/// Declares everything that isn't some process's own. Declaring again what is there changes nothing.
pub(crate) async fn declare(connection: &Connection) -> Result<(), MessagingError> {
    exchange(connection, DEAD_LETTERS, ExchangeKind::Fanout).await?;
    exchange(connection, SYNC_CONTROL, ExchangeKind::Fanout).await?;
    exchange(connection, EVENTS, ExchangeKind::Topic).await?;
    quorum_queue(connection, DEAD, None).await?;
    bind_dead(connection).await?;
    quorum_queue(connection, SYNC_JOBS, Some(DEAD_LETTERS)).await?;
    quorum_queue(connection, CLEANUP_REQUESTS, Some(DEAD_LETTERS)).await
}

// Each declaration has a channel of its own: a refused one closes its channel.

async fn exchange(connection: &Connection, name: &'static str, kind: ExchangeKind) -> Result<(), MessagingError> {
    let channel = within("open a channel", connection.create_channel()).await?;
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let declared =
        within("declare an exchange", channel.exchange_declare(name.into(), kind, options, FieldTable::default()));
    unless_different(name, declared.await)
}

async fn quorum_queue(
    connection: &Connection,
    name: &'static str,
    dead_letters: Option<&'static str>,
) -> Result<(), MessagingError> {
    let channel = within("open a channel", connection.create_channel()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    if let Some(exchange) = dead_letters {
        arguments.insert("x-dead-letter-exchange".into(), text(exchange));
    }
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    let declared = within("declare a queue", channel.queue_declare(name.into(), options, arguments)).await;
    unless_different(name, declared.map(drop))
}

async fn bind_dead(connection: &Connection) -> Result<(), MessagingError> {
    let channel = within("open a channel", connection.create_channel()).await?;
    let bind = channel.queue_bind(
        DEAD.into(),
        DEAD_LETTERS.into(),
        "".into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    within("bind a queue", bind).await
}

fn unless_different(name: &str, declared: Result<(), MessagingError>) -> Result<(), MessagingError> {
    match declared {
        Err(MessagingError::Broker(error)) if is_different(&error) => {
            tracing::warn!(name, %error, "exists with other arguments; used as it is");
            Ok(())
        }
        other => other,
    }
}

fn is_different(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(amqp)
        if *amqp.kind() == AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED))
}

/// A header's text.
pub(crate) fn header(properties: &BasicProperties, name: &str) -> Option<String> {
    match properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

pub(crate) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_models::{CleanupId, OrganizationId, SyncJobId};

    #[test]
    fn only_work_is_mandatory() {
        let (job_id, cleanup_id) = (SyncJobId::random(), CleanupId::random());
        assert_eq!(
            route(&Message::RunSync { job_id }),
            Route { exchange: "", routing_key: "sync.jobs".to_owned(), mandatory: true }
        );
        assert_eq!(route(&Message::CleanupRequested { cleanup_id }).routing_key, "cleanup.requests");
        assert!(route(&Message::CleanupRequested { cleanup_id }).mandatory);
        assert_eq!(route(&Message::CancelSync { job_id }).exchange, "sync.control");
        assert_eq!(route(&Message::JobStopped { job_id }).routing_key, format!("job.stopped.{job_id}"));
        let completed = Message::CleanupCompleted { organization_id: OrganizationId::random(), cleanup_id };
        assert_eq!(
            route(&completed),
            Route { exchange: "events", routing_key: "cleanup.completed".to_owned(), mandatory: false }
        );
    }
}
