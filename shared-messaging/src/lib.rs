//! RabbitMQ through lapin: topology, publisher with confirms, supervised consumers, outcomes.
//!
//! RabbitMQ carries wake-ups and hands out sync jobs; the rows are the truth. Any message may be lost, doubled, delayed
//! or reordered and nothing may break (DEL-5, DEL-6). Nothing here holds a delivery across a long piece of work, and
//! every await on the broker has a deadline (DEL-8).
//!
//! No other crate touches a channel.

mod connection;
mod consumer;
mod dead;
mod error;
pub mod operator;
mod publisher;
pub mod topology;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use consumer::{ConsumerHandle, Handler, Outcome, Subscription, WorkQueue};
pub use error::{MessagingError, PublishError};
pub use publisher::Publisher;

/// Connects once, declares what every service declares at its start, and goes.
///
/// # Errors
/// [`MessagingError`] if the broker can't be reached, or refuses.
pub async fn check(url: SecretString, service: &'static str) -> Result<(), MessagingError> {
    let address = connection::Address::parse(&url, service)?;
    let (connection, _events) = topology::open(&address, "check").await?;
    connection::close(&connection).await;
    Ok(())
}

/// The broker as one process sees it: makes the publisher and the consumers.
///
/// Use it on `main`'s runtime: the supervisors live on the runtime that they are started on.
#[derive(Clone)]
pub struct Broker {
    address: connection::Address,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl Broker {
    /// Reads the address; connects nowhere yet. `service` names the connections in the broker's management.
    ///
    /// # Errors
    /// [`MessagingError::Address`] if `url` isn't an AMQP URL.
    pub fn new(
        url: &SecretString,
        service: &'static str,
        tracker: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> Result<Self, MessagingError> {
        let address = connection::Address::parse(url, service)?;
        Ok(Self { address, tracker: tracker.clone(), shutdown: shutdown.clone() })
    }

    /// A publisher with a connection of its own; it connects in the background, starting now.
    ///
    /// It isn't stopped by the shutdown token: tasks that drain may still publish. It ends with its last clone.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        Publisher::start(self.address.clone())
    }

    /// Starts a supervised consumer with a connection of its own. It ends only with the shutdown token.
    ///
    /// `publisher` carries what can't be parsed to the queue `dead`.
    pub fn consume(&self, subscription: Subscription, publisher: &Publisher, handler: impl Handler) -> ConsumerHandle {
        consumer::start(self.address.clone(), subscription, publisher.clone(), handler, &self.tracker, &self.shutdown)
    }
}
