//! The facts that the invariants judge: one struct for each, named like it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Facts, Invariant};
use crate::cleanup::PurgeTarget;
use crate::ids::{OrganizationId, SyncId};

/// DEL-1: what is there of a sync that somebody has created once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Atomic {
    /// Rows of it and of its connection, in every table that goes with them.
    pub rows: u64,
    /// Its cleanups.
    pub cleanups: u64,
    /// Messages that ask for its cleanup, published or not. A cleanup that was reopened has more than one.
    pub requests: u64,
    /// Events that tell of the connection's end, published or not.
    pub events: u64,
}

impl Facts for Atomic {
    const INVARIANT: Invariant = Invariant::Atomic;

    fn broken(&self) -> Option<String> {
        let Self { rows, cleanups, requests, events } = *self;
        let is_untouched = rows > 0 && cleanups == 0 && requests == 0 && events == 0;
        let is_committed = rows == 0 && cleanups == 1 && requests >= 1 && events == 1;
        let found = format!(
            "{rows} rows, {cleanups} cleanups, {requests} messages that ask for one and {events} events of its end"
        );
        (!is_untouched && !is_committed).then(|| format!("of one sync there are {found}"))
    }
}

/// DEL-2: a sync, and who may still write for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fenced {
    /// Whether its rows are gone: D3 has committed.
    pub is_committed: bool,
    /// Whether its cleanup is done.
    pub is_done: bool,
    /// Its jobs that are pending, running or cancelling.
    pub active_jobs: u64,
    /// Documents and blobs of it in the stores.
    pub held: u64,
}

impl Facts for Fenced {
    const INVARIANT: Invariant = Invariant::Fenced;

    fn broken(&self) -> Option<String> {
        let Self { is_committed, is_done, active_jobs, held } = *self;
        if is_committed && active_jobs > 0 {
            return Some(format!("{active_jobs} jobs of a sync whose rows are gone may still write"));
        }
        (is_done && held > 0).then(|| format!("the cleanup is done, and the stores hold {held} documents and blobs"))
    }
}

/// DEL-3: a search's hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invisible<'a> {
    /// The syncs that may be seen: those of which no deletion had been requested when the search began.
    pub live: &'a BTreeSet<SyncId>,
    /// The sync of each hit.
    pub hits: &'a [SyncId],
}

impl Facts for Invisible<'_> {
    const INVARIANT: Invariant = Invariant::Invisible;

    fn broken(&self) -> Option<String> {
        let hidden = self.hits.iter().filter(|sync| !self.live.contains(sync)).count();
        (hidden > 0).then(|| format!("{hidden} of {} hits are of syncs that aren't live", self.hits.len()))
    }
}

/// DEL-4: a sync that a purge is after, or came past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact {
    /// Whether it has a row.
    pub is_live: bool,
    /// Whether a cleanup of it has gone beyond waiting, or is about to.
    pub is_purged: bool,
    /// Documents and blobs of it that should be in the stores, and aren't.
    pub missing: u64,
}

impl Facts for Exact {
    const INVARIANT: Invariant = Invariant::Exact;

    fn broken(&self) -> Option<String> {
        let Self { is_live, is_purged, missing } = *self;
        if is_live && is_purged {
            return Some("a purge is after a live sync".to_owned());
        }
        (is_live && missing > 0).then(|| format!("a live sync lacks {missing} documents and blobs"))
    }
}

/// What is accepted, and then has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// From D1 to D3.
    Deletion,
    /// From D3 to done.
    Cleanup,
}

/// How far accepted work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has ended.
    Ended,
    /// It goes on.
    UnderWay {
        /// For how long it has been going on.
        age: Duration,
        /// Within which time it has to end.
        bound: Duration,
    },
    /// The stores answer, and it comes no nearer to its end.
    Stuck,
}

/// DEL-5: something that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Complete {
    /// What it is.
    pub work: Work,
    /// How far it is.
    pub progress: Progress,
}

impl Facts for Complete {
    const INVARIANT: Invariant = Invariant::Complete;

    fn broken(&self) -> Option<String> {
        let work = match self.work {
            Work::Deletion => "an accepted deletion",
            Work::Cleanup => "a cleanup",
        };
        match self.progress {
            Progress::UnderWay { age, bound } if age > bound => {
                Some(format!("{work} hasn't ended after {age:.0?}; its bound is {bound:.0?}"))
            }
            Progress::Stuck => Some(format!("{work} comes no nearer to its end, though the stores answer")),
            Progress::Ended | Progress::UnderWay { .. } => None,
        }
    }
}

/// DEL-6: what came of all attempts at one deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idempotent {
    /// Requests that were answered as the one that asked for it.
    pub owners: u64,
    /// Its cleanups of one sync.
    pub cleanups: u64,
    /// The cleanup's receipts.
    pub receipts: u64,
    /// Events that tell of the cleanup's end, published or not.
    pub ends: u64,
}

impl Facts for Idempotent {
    const INVARIANT: Invariant = Invariant::Idempotent;

    fn broken(&self) -> Option<String> {
        let Self { owners, cleanups, receipts, ends } = *self;
        if owners > 1 {
            return Some(format!("{owners} requests took themselves for the one that asked"));
        }
        if cleanups > 1 {
            return Some(format!("one sync has {cleanups} cleanups"));
        }
        (receipts != ends).then(|| format!("a cleanup has {receipts} receipts and {ends} events of its end"))
    }
}

/// DEL-7: a cleanup that is done, or about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Honest<'a> {
    /// Every target that must be verified empty.
    pub required: &'a [PurgeTarget],
    /// Those that were, after the rows were gone, by whoever ends the cleanup.
    pub verified: &'a [PurgeTarget],
    /// Whether that was after the settle delay.
    pub is_settled: bool,
}

impl Facts for Honest<'_> {
    const INVARIANT: Invariant = Invariant::Honest;

    fn broken(&self) -> Option<String> {
        let unverified: Vec<&str> = self
            .required
            .iter()
            .filter(|target| !self.verified.contains(target))
            .map(|target| target.as_str())
            .collect();
        if !unverified.is_empty() {
            return Some(format!("a cleanup is done without a verification of {}", unverified.join(", ")));
        }
        (!self.is_settled).then(|| "a cleanup is done without its settle delay".to_owned())
    }
}

/// DEL-8: a DELETE that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounded {
    /// From the request to the answer, the cascade of D3 excepted.
    pub waited: Duration,
    /// The longest that this may take.
    pub bound: Duration,
}

impl Facts for Bounded {
    const INVARIANT: Invariant = Invariant::Bounded;

    fn broken(&self) -> Option<String> {
        let Self { waited, bound } = *self;
        (waited > bound).then(|| format!("a DELETE took {waited:.1?}; its bound is {bound:.1?}"))
    }
}

/// DEL-9: a request for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isolated {
    /// Who asks.
    pub caller: OrganizationId,
    /// Whose it is.
    pub owner: OrganizationId,
    /// Whether the request saw or changed it. It didn't if the answer is 404.
    pub is_served: bool,
}

impl Facts for Isolated {
    const INVARIANT: Invariant = Invariant::Isolated;

    fn broken(&self) -> Option<String> {
        let is_crossing = self.is_served && self.caller != self.owner;
        is_crossing.then(|| "a request was served with something of another organization".to_owned())
    }
}

/// DEL-10: the deletions that the ledger store has, in PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// Deletions that were published.
    pub published: u64,
    /// Of these, those without a cleanup, or with a live sync.
    pub undone: u64,
    /// Whether anybody searches, syncs or purges.
    pub is_served: bool,
}

impl Facts for Remembered {
    const INVARIANT: Invariant = Invariant::Remembered;

    fn broken(&self) -> Option<String> {
        let Self { published, undone, is_served } = *self;
        (is_served && undone > 0).then(|| format!("{undone} of {published} published deletions are undone"))
    }
}

/// DEL-11: what the ledger store has, and the receipts that it is said to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evident {
    /// Whether its entries and tiles are those of its signed checkpoint.
    pub is_whole: bool,
    /// Receipts that PostgreSQL calls published.
    pub receipts: u64,
    /// Of these, those whose entry is at its place in the store.
    pub proven: u64,
}

impl Facts for Evident {
    const INVARIANT: Invariant = Invariant::Evident;

    fn broken(&self) -> Option<String> {
        let Self { is_whole, receipts, proven } = *self;
        if !is_whole {
            return Some("what the ledger store has doesn't lead to its signed checkpoint".to_owned());
        }
        (proven < receipts).then(|| format!("{} of {receipts} published receipts aren't in the log", receipts - proven))
    }
}
