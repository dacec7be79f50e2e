//! Since when this process has watched each deletion, on its own monotonic clock.
//!
//! A job that never acknowledges is known to be silent only after ttl + guard of watching (DEL-2): comparing wall
//! clocks would trust them to agree. The clock stands still while this machine sleeps,
//! which only makes the wait longer.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use shared_database::deletion::Subject;

/// An entry that no list of deletions in progress confirmed for this long is dropped.
const KEEP: Duration = Duration::from_secs(120);

#[derive(Default)]
pub(super) struct DeletionWatch {
    watched: Mutex<HashMap<Subject, Entry>>,
}

#[derive(Clone, Copy)]
struct Entry {
    since: Instant,
    /// Whether it has been told that the deletion is overdue.
    is_told: bool,
}

impl DeletionWatch {
    /// Begins to watch, if it didn't; D1 of the subject must be committed by now.
    pub(super) fn observe(&self, subject: Subject) -> Instant {
        let begin = || Entry { since: Instant::now(), is_told: false };
        self.watched.lock().entry(subject).or_insert_with(begin).since
    }

    /// For how long a deletion has been watched, if it hasn't been told yet that this is too long; it counts as told
    /// from now on if it is longer than `bound`.
    pub(super) fn untold_age(&self, subject: Subject, bound: Duration) -> Option<Duration> {
        let mut all = self.watched.lock();
        let known = all.get_mut(&subject).filter(|known| !known.is_told)?;
        let age = known.since.elapsed();
        known.is_told = age > bound;
        Some(age)
    }

    /// The subject is gone.
    pub(super) fn forget(&self, subject: Subject) {
        self.watched.lock().remove(&subject);
    }

    /// Drops what has gone without this process seeing it.
    pub(super) fn retain(&self, in_progress: &[Subject]) {
        self.watched.lock().retain(|subject, known| known.since.elapsed() < KEEP || in_progress.contains(subject));
    }
}
