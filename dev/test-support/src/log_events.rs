//! What services log as WARN or ERROR: the table of docs/log-events.md, and what of it a test expects.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use shared_models::Invariant;

const TABLE: &str = include_str!("../../../docs/log-events.md");

/// An event of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// Its text: the field `message`.
    pub text: &'static str,
    /// `WARN` or `ERROR`.
    pub level: &'static str,
    faults: Vec<&'static str>,
}

impl LogEvent {
    /// The faults that it comes with.
    #[must_use]
    pub fn faults(&self) -> &[&'static str] {
        &self.faults
    }
}

/// What a test does to the system, and with which events services tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// PostgreSQL doesn't answer, or has ended sessions.
    PostgresAway,
    /// RabbitMQ doesn't answer, or has ended connections.
    RabbitMqAway,
    /// Vespa doesn't answer.
    VespaAway,
    /// The embedder doesn't answer.
    EmbedderAway,
    /// A process was killed or frozen.
    ProcessLost,
}

impl Fault {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::PostgresAway, Self::RabbitMqAway, Self::VespaAway, Self::EmbedderAway, Self::ProcessLost];

    /// As the table names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PostgresAway => "PostgreSQL",
            Self::RabbitMqAway => "RabbitMQ",
            Self::VespaAway => "Vespa",
            Self::EmbedderAway => "embedder",
            Self::ProcessLost => "process lost",
        }
    }
}

/// The events of the table.
#[must_use]
pub fn log_events() -> Vec<LogEvent> {
    let rows = TABLE.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split(" |").map(str::trim).collect();
        let text = cells[0].trim_end_matches('`');
        let faults = cells[3].split(", ").filter(|fault| !fault.is_empty()).collect();
        LogEvent { text, level: cells[1], faults }
    })
    .collect()
}

/// What a test expects to find in logs. Cheap to clone; clones share what is expected.
#[derive(Debug, Clone, Default)]
pub struct Expectations(Arc<Mutex<BTreeSet<Expected>>>);

/// An event, by its text; a broken invariant, by its id.
type Expected = (&'static str, Option<Invariant>);

/// The event of a broken invariant. Which one it is must be said too.
const BROKEN: &str = "an invariant is broken";

impl Expectations {
    /// Expects the event with this text.
    ///
    /// # Panics
    /// If the table has no such event.
    pub fn event(&self, text: &str) {
        let known = log_events().into_iter().find(|event| event.text == text);
        let known = known.unwrap_or_else(|| panic!("docs/log-events.md has no event {text:?}"));
        assert_ne!(text, BROKEN, "say which one: `expects.violation(…)`");
        self.lock().insert((known.text, None));
    }

    /// Expects that this invariant is seen broken.
    pub fn violation(&self, invariant: Invariant) {
        self.lock().insert((BROKEN, Some(invariant)));
    }

    /// Expects every event that comes with a fault.
    pub fn fault(&self, fault: Fault) {
        let coming = log_events().into_iter().filter(|event| event.faults.contains(&fault.name()));
        self.lock().extend(coming.map(|event| (event.text, None)));
    }

    /// The lines of a log that are WARN or ERROR and not expected.
    pub(crate) fn unexpected<'log>(&self, log: &'log str) -> Vec<&'log str> {
        let expected = self.lock();
        let is_unexpected = |line: &&str| match warning(line) {
            Some((text, invariant)) => {
                !expected.iter().any(|expected| (expected.0, expected.1) == (text.as_str(), invariant))
            }
            None => false,
        };
        log.lines().filter(is_unexpected).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Expected>> {
        self.0.lock()
    }
}

/// The text of a warning or an error, and the invariant that it says is broken; of one in text form, the whole line.
/// HTTP/2's own word for a peer that gave up is none of ours.
fn warning(line: &str) -> Option<(String, Option<Invariant>)> {
    let is_bad = |level: &str| matches!(level, "WARN" | "ERROR");
    match serde_json::from_str::<Value>(line) {
        Ok(event) => is_bad(event["level"].as_str()?).then(|| {
            let text = event["message"].as_str().unwrap_or_default().to_owned();
            let invariant = event["invariant"].as_str().filter(|_| text == BROKEN);
            (text, invariant.and_then(|id| id.parse().ok()))
        }),
        Err(_) => {
            let mut words = line.split_whitespace().skip(1);
            let (level, target) = (words.next()?, words.next().unwrap_or_default());
            (is_bad(level) && !target.starts_with("h2::")).then(|| (line.to_owned(), None))
        }
    }
}
