//! Since when this process has watched each deletion, on its own monotonic clock.
//!
//! A job that never acknowledges is known to be silent only after ttl + guard of watching (DEL-2): comparing wall clocks
//! would trust them to agree. The clock stands still while this machine sleeps, which only makes the wait longer.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use shared_database::deletion::Subject;

/// An entry that no list of deletions in progress confirmed for this long is dropped.
const KEEP: Duration = Duration::from_secs(120);

#[derive(Default)]
pub(super) struct DeletionWatch {
    since: Mutex<HashMap<Subject, Instant>>,
}

impl DeletionWatch {
    /// Begins to watch, if it didn't; D1 of the subject must be committed by now.
    pub(super) fn observe(&self, subject: Subject) -> Instant {
        *self.since.lock().entry(subject).or_insert_with(Instant::now)
    }

    /// The subject is gone.
    pub(super) fn forget(&self, subject: Subject) {
        self.since.lock().remove(&subject);
    }

    /// Drops what has gone without this process seeing it.
    pub(super) fn retain(&self, in_progress: &[Subject]) {
        self.since.lock().retain(|subject, since| since.elapsed() < KEEP || in_progress.contains(subject));
    }
}
