//! Consuming, supervised: a handler answers with an [`Outcome`], and one function applies it.
//!
//! A consumer ends only with the shutdown token. A stream that ends, a broken channel, a late acknowledgement: faults,
//! counted and recovered from with a pause. What can't be parsed goes to `dead`, confirmed, before it is acknowledged.
//! While what the handler needs is down the consumer stops consuming instead of requeueing.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shared_models::Envelope;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::Address;
use crate::publisher::Publisher;
use crate::topology;

mod apply;
mod session;

/// A shared queue of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkQueue {
    /// [`topology::SYNC_JOBS`].
    SyncJobs,
    /// [`topology::CLEANUP_REQUESTS`].
    CleanupRequests,
}

impl WorkQueue {
    /// The queue's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SyncJobs => topology::SYNC_JOBS,
            Self::CleanupRequests => topology::CLEANUP_REQUESTS,
        }
    }
}

/// What is consumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    /// A shared work queue.
    Work {
        /// The queue.
        queue: WorkQueue,
        /// Messages that the broker hands out ahead of their acknowledgement. They are handled one after the other.
        prefetch: u16,
    },
    /// Every [`shared_models::Message::CancelSync`], on a queue of this process's own.
    Control,
    /// The events whose routing key matches, on a queue of this process's own.
    Events {
        /// A topic pattern such as `job.stopped.#`.
        pattern: &'static str,
    },
}

impl Subscription {
    /// The label in metrics and logs: the shared queue, or the exchange that the own queue is bound to.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Work { queue, .. } => queue.name(),
            Self::Control => topology::SYNC_CONTROL,
            Self::Events { .. } => topology::EVENTS,
        }
    }
}

/// What a handler made of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Dealt with, or of no interest (any more): acknowledged.
    Done,
    /// Dealt with, and there is no room for more: acknowledged, and nothing is consumed until [`Handler::ready`].
    ///
    /// With a prefetch of 1 no other message is handed out meanwhile.
    DoneAndPause,
    /// What the handler needs is down, or has no room: not acknowledged, and nothing is consumed until
    /// [`Handler::ready`]. The message goes back to its queue once per pause.
    Unavailable,
}

/// Handles messages. Any `Fn(Envelope) -> Future<Output = Outcome>` is one that is always ready.
pub trait Handler: Send + Sync + 'static {
    /// Handles one message, within seconds: record or claim in the row, start the long work elsewhere, answer. It may
    /// come twice, or late; one that came without an id got a random one.
    ///
    /// A handler that takes longer than 30 s is treated like [`Outcome::Unavailable`]; the message of one that panics
    /// is moved to `dead`.
    fn handle(&self, envelope: Envelope) -> impl Future<Output = Outcome> + Send;

    /// Whether messages can be handled now; asked before consuming starts and, with growing pauses, after a pause
    /// outcome. It may wait for what it needs.
    fn ready(&self) -> impl Future<Output = bool> + Send {
        async { true }
    }
}

impl<F, Fut> Handler for F
where
    F: Fn(Envelope) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome> + Send,
{
    fn handle(&self, envelope: Envelope) -> impl Future<Output = Outcome> + Send {
        self(envelope)
    }
}

/// A running consumer.
#[derive(Debug, Clone)]
pub struct ConsumerHandle {
    connected: Arc<AtomicBool>,
}

impl ConsumerHandle {
    /// Whether the consumer has its connection; a consumer that pauses has.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }
}

pub(crate) fn start(
    address: Address,
    subscription: Subscription,
    publisher: Publisher,
    handler: impl Handler,
    tracker: &TaskTracker,
    shutdown: &CancellationToken,
) -> ConsumerHandle {
    let connected = Arc::new(AtomicBool::new(false));
    let supervisor = session::Supervisor {
        address,
        subscription,
        publisher,
        handler,
        shutdown: shutdown.clone(),
        connected: connected.clone(),
    };
    tracker.spawn(supervisor.run());
    ConsumerHandle { connected }
}
