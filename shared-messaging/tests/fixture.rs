//! A virtual host with a broker handle, and a handler that remembers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use secrecy::SecretString;
use shared_messaging::{Broker, ConsumerHandle, Handler, Outcome, Publisher, Subscription, WorkQueue};
use shared_models::{CleanupId, Envelope, Message, RequestId};
use test_support::{TestBroker, wait_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub const BOUND: Duration = Duration::from_secs(20);
pub const BELLS: Subscription = Subscription::Work { queue: WorkQueue::CleanupRequests, prefetch: 1 };

pub struct Fixture {
    pub server: TestBroker,
    pub broker: Broker,
    pub publisher: Publisher,
    pub tracker: TaskTracker,
    pub shutdown: CancellationToken,
}

impl Fixture {
    pub async fn new() -> Self {
        // A failed test shows what the supervisors did.
        let _started_before =
            tracing_subscriber::fmt().with_env_filter("shared_messaging=debug").with_test_writer().try_init();
        let server = TestBroker::create().await;
        let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let url = SecretString::from(server.amqp_url.clone());
        let broker = Broker::new(&url, "messaging-test", &tracker, &shutdown).unwrap();
        let publisher = broker.publisher();
        assert!(publisher.connected_within(BOUND).await);
        Self { server, broker, publisher, tracker, shutdown }
    }

    pub async fn consume(&self, subscription: Subscription, handler: impl Handler) -> ConsumerHandle {
        let consumer = self.broker.consume(subscription, &self.publisher, handler);
        wait_until("the consumer is connected", BOUND, async || consumer.is_connected()).await;
        consumer
    }

    pub async fn depth(&self, queue: &str, depth: u32) {
        wait_until(&format!("{queue} holds {depth}"), BOUND, async || {
            self.server.queue_depth(queue).await == Some(depth)
        })
        .await;
    }

    /// Ends every consumer: what was not acknowledged is back in its queue.
    pub async fn stop(&self) {
        self.shutdown.cancel();
        self.tracker.close();
        tokio::time::timeout(BOUND, self.tracker.wait()).await.expect("the consumers end");
    }
}

pub fn bell() -> Envelope {
    Envelope::new(Message::CleanupRequested { cleanup_id: CleanupId::random() }, Some(RequestId::random()))
}

/// Remembers what it got; answers as it is told. A pause lasts until the test says that it is ready again.
#[derive(Clone)]
pub struct Memory {
    pub got: Arc<Mutex<Vec<Envelope>>>,
    /// When it got each.
    pub at: Arc<Mutex<Vec<Instant>>>,
    pub answer: Arc<Mutex<Outcome>>,
    pub is_ready: Arc<AtomicBool>,
    pub always_ready: bool,
    pub asked: Arc<AtomicUsize>,
}

impl Memory {
    pub fn answering(outcome: Outcome) -> Self {
        Self {
            got: Arc::default(),
            at: Arc::default(),
            answer: Arc::new(Mutex::new(outcome)),
            is_ready: Arc::new(AtomicBool::new(true)),
            always_ready: false,
            asked: Arc::default(),
        }
    }

    /// How often it was asked whether it is ready.
    pub fn times_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub fn count(&self) -> usize {
        self.got.lock().len()
    }

    pub fn envelopes(&self) -> Vec<Envelope> {
        self.got.lock().clone()
    }

    pub fn has(&self, envelope: &Envelope) -> bool {
        self.envelopes().contains(envelope)
    }

    pub async fn wait_for(&self, envelope: &Envelope) {
        wait_until("the handler gets the message", BOUND, async || self.has(envelope)).await;
    }
}

impl Handler for Memory {
    async fn handle(&self, envelope: Envelope) -> Outcome {
        self.at.lock().push(Instant::now());
        self.got.lock().push(envelope);
        let outcome = *self.answer.lock();
        if outcome != Outcome::Done && !self.always_ready {
            self.is_ready.store(false, Ordering::SeqCst);
        }
        outcome
    }

    async fn ready(&self) -> bool {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.is_ready.load(Ordering::SeqCst)
    }
}
