//! What can go wrong with the broker.

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError};

/// A failure between us and the broker.
#[derive(Debug, thiserror::Error)]
pub enum MessagingError {
    /// The address can't be used. The text never holds the address: it carries a password.
    #[error("AMQP_URL is not an AMQP URL")]
    Address,
    /// The broker refused or the connection broke.
    #[error("talk to the broker: {0}")]
    Broker(#[from] lapin::Error),
    /// The broker has the queue's name, but not yet the queue.
    #[error("the queue is not up")]
    QueueNotUp,
    /// The broker didn't answer in time.
    #[error("{0}: no answer from the broker in time")]
    Deadline(&'static str),
    /// A consumer's stream ended although nobody cancelled it: its queue was deleted, or the broker cancelled it.
    #[error("the broker ended the consumer")]
    StreamEnded,
    /// The broker no longer waits for this acknowledgement; it delivers the message again.
    #[error("the acknowledgement came too late")]
    LateAck,
    /// The connection ended.
    #[error("the connection ended")]
    ConnectionLost,
}

impl MessagingError {
    /// What a refused start of a consumer means.
    ///
    /// RabbitMQ 3.10 knows a quorum queue from the moment when another connection begins to declare it. Whoever
    /// consumes before its leader runs crashes the channel (`rabbit_quorum_queue:consume`), and is told INTERNAL_ERROR.
    pub(crate) fn of_start(self) -> Self {
        match self {
            Self::Broker(error) if is_internal(&error) => Self::QueueNotUp,
            other => other,
        }
    }
}

fn is_internal(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(amqp)
        if *amqp.kind() == AMQPErrorKind::Hard(AMQPHardError::INTERNALERROR))
}

/// Why a message isn't known to be published. Every one of them may be tried again: consumers are idempotent (DEL-6).
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// There is no usable connection; nothing was sent.
    #[error("the broker can't be reached")]
    Unavailable,
    /// The broker took the message but had no queue for it; nothing was kept.
    #[error("no queue for the message: {0}")]
    Unroutable(String),
    /// The broker refused to keep the message.
    #[error("the broker refused the message")]
    Refused,
    /// The channel isn't in confirm mode: a fault, since nothing is known about the message.
    #[error("the broker wasn't asked to confirm")]
    NotRequested,
    /// Sent, but not confirmed in time or before the connection broke: the message may be there, or not.
    #[error("publish outcome unknown: {0}")]
    Unknown(#[from] MessagingError),
}

impl PublishError {
    /// What [`PublishError::reason`] may give.
    pub(crate) const REASONS: [&'static str; 5] = ["unavailable", "unroutable", "refused", "not_requested", "unknown"];

    /// The label of `unweave_publish_failures_total`.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Unroutable(_) => "unroutable",
            Self::Refused => "refused",
            Self::NotRequested => "not_requested",
            Self::Unknown(_) => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use lapin::protocol::{AMQPError, AMQPSoftError};

    use super::*;

    #[test]
    fn only_an_internal_error_means_that_the_queue_is_not_up() {
        let of_start = |kind: AMQPErrorKind| {
            let error = ErrorKind::ProtocolError(AMQPError::new(kind, "INTERNAL_ERROR".into()));
            MessagingError::Broker(error.into()).of_start()
        };
        assert!(matches!(of_start(AMQPHardError::INTERNALERROR.into()), MessagingError::QueueNotUp));
        for other in [AMQPSoftError::NOTFOUND.into(), AMQPHardError::CONNECTIONFORCED.into()] {
            assert!(matches!(of_start(other), MessagingError::Broker(_)));
        }
    }
}
