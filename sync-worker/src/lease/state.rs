//! The write lease as a state machine: no I/O, no waiting, the time is handed in.
//!
//! All times are `CLOCK_BOOTTIME` of this machine, which goes on while the machine sleeps.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{LeaseTimes, StartRefused, Stop};

/// What kind of call a write is; decides when it is over if nobody tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// A request over the wire: answered, or over at the bound.
    Remote,
    /// A call that runs to its end on this machine, whatever happens to its future: over when it has returned.
    Blocking,
}

#[derive(Debug, Clone, Copy)]
struct OpenWrite {
    started_at: Duration,
    kind: WriteKind,
    /// The ticket is still held, so nobody knows yet how the write ended.
    is_held: bool,
}

#[derive(Debug)]
pub(super) struct LeaseState {
    times: LeaseTimes,
    ends_at: Duration,
    stop: Option<(Stop, Duration)>,
    next_write: u64,
    open: BTreeMap<u64, OpenWrite>,
    has_run_out: bool,
    ended_late: bool,
}

impl LeaseState {
    /// A lease whose claim was sent at `sent_at`.
    pub(super) const fn new(times: LeaseTimes, sent_at: Duration) -> Self {
        let ends_at = sent_at.saturating_add(times.ttl);
        Self { times, ends_at, stop: None, next_write: 0, open: BTreeMap::new(), has_run_out: false, ended_late: false }
    }

    /// The start rule. On success: the write's number and its absolute deadline.
    pub(super) fn start(&mut self, now: Duration, kind: WriteKind) -> Result<(u64, Duration), StartRefused> {
        self.observe(now);
        if let Some((stop, _)) = self.stop {
            return Err(StartRefused::Ended(stop));
        }
        if self.ends_at.saturating_sub(now) <= self.times.store_timeout {
            return Err(StartRefused::TooLittleLeft);
        }
        let id = self.next_write;
        self.next_write = self.next_write.wrapping_add(1);
        self.open.insert(id, OpenWrite { started_at: now, kind, is_held: true });
        Ok((id, now.saturating_add(self.times.store_timeout)))
    }

    /// The store has answered: the write is over.
    pub(super) fn answered(&mut self, now: Duration, id: u64) {
        self.observe(now);
        self.open.remove(&id);
    }

    /// Nobody waits for the answer any more: a remote write stays open until its bound. A blocking one is let go of
    /// only when it has returned.
    pub(super) fn let_go(&mut self, now: Duration, id: u64) {
        self.observe(now);
        match self.open.get_mut(&id) {
            Some(OpenWrite { kind: WriteKind::Blocking, .. }) => drop(self.open.remove(&id)),
            Some(write) => write.is_held = false,
            None => {}
        }
    }

    /// A renewal that was sent at `sent_at` was granted. Ignored once the lease has ended: an end is final.
    pub(super) fn renewed(&mut self, now: Duration, sent_at: Duration) {
        self.observe(sent_at);
        let is_refused = matches!(self.stop, Some((Stop::Refused, _)));
        if !self.has_run_out && !is_refused {
            self.ends_at = self.ends_at.max(sent_at.saturating_add(self.times.ttl));
        }
        self.observe(now);
    }

    /// No write starts from now on. The first reason stays.
    pub(super) fn stop(&mut self, now: Duration, reason: Stop) {
        self.observe(now);
        self.stop.get_or_insert((reason, now));
    }

    pub(super) fn stopped(&self) -> Option<(Stop, Duration)> {
        self.stop
    }

    /// Whether a write of ours may have ended after the lease, so that a purge may have missed it.
    pub(super) const fn has_ended_late(&self) -> bool {
        self.ended_late
    }

    pub(super) const fn has_run_out(&self) -> bool {
        self.has_run_out
    }

    pub(super) const fn ends_at(&self) -> Duration {
        self.ends_at
    }

    /// How many writes are open.
    pub(super) fn open_writes(&mut self, now: Duration) -> usize {
        self.observe(now);
        self.open.len()
    }

    /// When the next open write will be over without an answer; `None` if only an answer can end one.
    pub(super) fn next_closing(&self) -> Option<Duration> {
        self.open.values().filter_map(|write| self.bound(write)).min()
    }

    /// Looks at the clock: the lease may have run out, perhaps while this process or the machine stood still.
    pub(super) fn observe(&mut self, now: Duration) {
        if now >= self.ends_at {
            let is_late = self.open.values().any(|write| write.is_held || self.is_overslept(now, write));
            self.ended_late |= is_late;
            self.has_run_out = true;
            self.stop.get_or_insert((Stop::Expired, now));
        }
        self.close_overdue(now);
    }

    /// A write that was let go of in time is covered by the guard, unless nobody looked from the lease's end to the
    /// write's bound: then its bytes may have waited on this machine.
    fn is_overslept(&self, now: Duration, write: &OpenWrite) -> bool {
        !self.has_run_out && self.bound(write).is_some_and(|bound| bound > self.ends_at && now >= bound)
    }

    /// Writes are numbered as they start, so those that are overdue come first.
    fn close_overdue(&mut self, now: Duration) {
        let overdue = self.open.iter().take_while(|(_, write)| self.was_due(now, write));
        let closed = overdue.filter(|(_, write)| write.kind == WriteKind::Remote);
        for id in closed.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.open.remove(&id);
        }
    }

    fn was_due(&self, now: Duration, write: &OpenWrite) -> bool {
        now >= write.started_at.saturating_add(self.times.open_write_bound)
    }

    fn bound(&self, write: &OpenWrite) -> Option<Duration> {
        match write.kind {
            WriteKind::Remote => Some(write.started_at.saturating_add(self.times.open_write_bound)),
            WriteKind::Blocking => None,
        }
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
