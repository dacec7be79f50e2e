//! Whether a system has come to rest: what was accepted has ended, every message is out and heard.
//!
//! A service that is dropped with its test waits for that while it still runs, so that tests need say nothing. What a
//! test means to leave behind it says ([`Rest::may_leave`]); anything else fails it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use secrecy::SecretString;
use shared_messaging::operator::Operator;
use shared_messaging::topology::{CLEANUP_REQUESTS, DEAD, SYNC_JOBS};

/// The longest that a system may take to come to rest.
const BOUND: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

/// What may be left of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leftover {
    /// Connections and collections whose deletion was requested, and that are still there.
    Deletions,
    /// Jobs that are pending, running or cancelling.
    Jobs,
    /// Cleanups that aren't done.
    Cleanups,
    /// Messages in the outbox that weren't published.
    Outbox,
    /// Messages in the work queues.
    Messages,
    /// Messages that nobody could read.
    DeadLetters,
}

impl Leftover {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Deletions, Self::Jobs, Self::Cleanups, Self::Outbox, Self::Messages, Self::DeadLetters];

    /// What is left where no cleanup-worker runs.
    pub const OF_CLEANUPS: [Self; 2] = [Self::Cleanups, Self::Messages];

    const fn in_words(self) -> &'static str {
        match self {
            Self::Deletions => "deletions that have not ended",
            Self::Jobs => "active jobs",
            Self::Cleanups => "cleanups that are not done",
            Self::Outbox => "messages in the outbox",
            Self::Messages => "messages in work queues",
            Self::DeadLetters => "dead messages",
        }
    }
}

/// A system's database and virtual host, and what the test leaves there. Cheap to clone; clones share the latter.
#[derive(Debug, Clone)]
pub struct Rest {
    database_url: String,
    amqp_url: Option<String>,
    bound: Duration,
    may_stay: Arc<Mutex<BTreeSet<Leftover>>>,
}

impl Rest {
    /// A system in which nothing may be left.
    #[must_use]
    pub fn new(database_url: &str, amqp_url: Option<&str>) -> Self {
        let may_stay = Arc::default();
        let (database_url, amqp_url) = (database_url.to_owned(), amqp_url.map(str::to_owned));
        Self { database_url, amqp_url, bound: BOUND, may_stay }
    }

    /// Waits no longer than this for a system that comes no nearer to its rest.
    #[must_use]
    pub fn within(self, bound: Duration) -> Self {
        Self { bound, ..self }
    }

    /// Says that the test leaves this.
    pub fn may_leave(&self, left: impl IntoIterator<Item = Leftover>) {
        self.may_stay.lock().extend(left);
    }

    /// Whether the test leaves this.
    #[must_use]
    pub fn is_left(&self, left: Leftover) -> bool {
        self.may_stay.lock().contains(&left)
    }

    /// What is left now and shouldn't be, in words, of these kinds.
    pub async fn left_of(&self, kinds: &[Leftover]) -> Vec<String> {
        in_words(self.counted(kinds).await)
    }

    async fn counted(&self, kinds: &[Leftover]) -> BTreeMap<Leftover, u64> {
        let kinds: Vec<Leftover> = kinds.iter().copied().filter(|kind| !self.is_left(*kind)).collect();
        let mut found = BTreeMap::new();
        if kinds.iter().any(|kind| *kind < Leftover::Messages) {
            found.extend(self.rows().await);
        }
        // After the rows: what has left the outbox by then is in a queue, or was heard.
        if let Some(url) = self.amqp_url.as_ref().filter(|_| kinds.iter().any(|kind| *kind >= Leftover::Messages)) {
            found.extend(waiting(url).await);
        }
        found.retain(|kind, count| kinds.contains(kind) && *count > 0);
        found
    }

    /// Waits, whatever runtime the caller is in, until the system has come to rest; what is left if it doesn't. On a
    /// busy machine much work takes long: while less and less is left, there is hope.
    #[must_use]
    pub fn wait(&self) -> Vec<String> {
        let rest = self.clone();
        let waited = crate::on_own_runtime(async move {
            let (mut fewest, mut since) = (u64::MAX, Instant::now());
            loop {
                let left = rest.counted(&Leftover::ALL).await;
                let sum = left.values().sum();
                if sum < fewest {
                    (fewest, since) = (sum, Instant::now());
                }
                if left.is_empty() || since.elapsed() > rest.bound {
                    return in_words(left);
                }
                tokio::time::sleep(POLL).await;
            }
        });
        waited.unwrap_or_else(|_| vec!["what nobody can see, since PostgreSQL or RabbitMQ doesn't answer".to_owned()])
    }

    async fn rows(&self) -> [(Leftover, u64); 4] {
        let row = crate::database::connect(&self.database_url)
            .await
            .query_one(
                "SELECT (SELECT count(*) FROM source_connection WHERE deletion_requested_at IS NOT NULL)
                        + (SELECT count(*) FROM collection WHERE deletion_requested_at IS NOT NULL),
                        (SELECT count(*) FROM sync_job WHERE status IN ('pending', 'running', 'cancelling')),
                        (SELECT count(*) FROM cleanup WHERE state <> 'done'),
                        (SELECT count(*) FROM outbox WHERE published_at IS NULL)",
                &[],
            )
            .await
            .expect("the rows that are left");
        let count = |column: usize| u64::try_from(row.get::<_, i64>(column)).expect("a count");
        [
            (Leftover::Deletions, count(0)),
            (Leftover::Jobs, count(1)),
            (Leftover::Cleanups, count(2)),
            (Leftover::Outbox, count(3)),
        ]
    }
}

fn in_words(left: BTreeMap<Leftover, u64>) -> Vec<String> {
    left.into_iter().map(|(kind, count)| format!("{count} {}", kind.in_words())).collect()
}

/// What waits in the queues. A queue that nobody has declared is empty.
async fn waiting(amqp_url: &str) -> [(Leftover, u64); 2] {
    let operator = Operator::connect(&SecretString::from(amqp_url.to_owned())).await.expect("the test's broker");
    let depth = async |queue| operator.depth(queue).await.expect("a queue's depth").map_or(0, u64::from);
    let work = depth(SYNC_JOBS).await + depth(CLEANUP_REQUESTS).await;
    [(Leftover::Messages, work), (Leftover::DeadLetters, depth(DEAD).await)]
}
