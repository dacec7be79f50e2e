//! One connection to the broker: address, deadlines, and noticing its end.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use lapin::types::LongString;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties, Event};
use secrecy::{ExposeSecret as _, SecretString};
use shared_service::Backoff;

use crate::error::MessagingError;

/// The pauses between attempts to connect.
pub(crate) const RECONNECT: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
/// A connection that lived this long was a good one: the pauses start over.
pub(crate) const HEALTHY: Duration = Duration::from_secs(5);

/// Longest wait for any single answer of the broker.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
/// Longest wait for a connection with its handshakes. lapin keeps a thread for an abandoned handshake until its socket
/// ends, and a frozen broker goes on with it when it thaws: so not much shorter.
const CONNECT_DEADLINE: Duration = Duration::from_secs(30);
/// Seconds between heartbeats unless the URL says otherwise: a frozen broker is noticed after twice this.
const HEARTBEAT_SECONDS: u16 = 10;

/// Where the broker is, and how we introduce ourselves.
#[derive(Clone)]
pub(crate) struct Address {
    uri: AMQPUri,
    service: &'static str,
}

impl fmt::Debug for Address {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} as {}", self.uri.authority.host, self.uri.authority.port, self.service)
    }
}

impl Address {
    /// The user that the broker knows us by.
    pub(crate) fn user(&self) -> &str {
        &self.uri.authority.userinfo.username
    }

    pub(crate) fn parse(url: &SecretString, service: &'static str) -> Result<Self, MessagingError> {
        let mut uri: AMQPUri = url.expose_secret().parse().map_err(|_| MessagingError::Address)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        Ok(Self { uri, service })
    }
}

/// Waits for the broker's answer, but not for ever.
pub(crate) async fn within<T>(
    what: &'static str,
    answer: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, MessagingError> {
    match tokio::time::timeout(DEADLINE, answer).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(MessagingError::Deadline(what)),
    }
}

/// What happened to a connection.
pub(crate) enum Change {
    /// The broker takes no more messages for now (memory or disk alarm).
    Blocked,
    /// It takes messages again.
    Unblocked,
    /// The connection is gone.
    Lost,
}

/// What the broker reports about one connection.
pub(crate) struct Events(Pin<Box<dyn Stream<Item = Event> + Send>>);

impl Events {
    /// Waits for the next change.
    pub(crate) async fn next(&mut self) -> Change {
        loop {
            match self.0.next().await {
                Some(Event::ConnectionBlocked(reason)) => {
                    tracing::warn!(reason, "the broker blocks publishing");
                    return Change::Blocked;
                }
                Some(Event::ConnectionUnblocked) => return Change::Unblocked,
                Some(Event::Error(_)) | None => return Change::Lost,
                Some(_) => {}
            }
        }
    }

    /// Waits for the connection's end.
    pub(crate) async fn lost(&mut self) {
        while !matches!(self.next().await, Change::Lost) {}
    }
}

/// Opens a connection. `role` tells one process's connections apart.
pub(crate) async fn connect(address: &Address, role: &str) -> Result<(Connection, Events), MessagingError> {
    let name = LongString::from(format!("{} {role}", address.service));
    let properties = ConnectionProperties::default().with_connection_name(name);
    let connect = Connection::connect_uri(address.uri.clone(), properties);
    let connection = match tokio::time::timeout(CONNECT_DEADLINE, Box::pin(connect)).await {
        Ok(connected) => connected?,
        Err(_) => return Err(MessagingError::Deadline("connect")),
    };
    let events = Events(Box::pin(connection.events_listener()));
    Ok((connection, events))
}

/// Says goodbye, within a bound.
pub(crate) async fn close(connection: &Connection) {
    let goodbye = connection.close(200, "OK".into());
    if within("close the connection", goodbye).await.is_err() {
        tracing::debug!("the connection was closed without the broker's answer");
    }
}
