//! The write lease: a job may write to Vespa, ARF and the entity table only while its worker holds it.
//!
//! Keeps DEL-2. The lease is counted on this machine's `CLOCK_BOOTTIME` from *before* its claim or renewal was sent. A
//! write starts only if more than the store timeout is left, so its answer, or the end of our waiting for it, comes
//! before the lease's end; what a store does with an unanswered write after that is covered by the guard.
//!
//! A worker that dies leaves its lease to run out, and the reaper ends the job. A process or machine that stood still
//! with a write under way may end that write after the lease's end: it finds out when it goes on
//! ([`Lease::has_ended_late`]) and reopens the cleanup. What nobody notices is found by the second or the later check.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use shared_models::{ProtocolTimes, SyncJobId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

mod keeper;
mod state;
mod ticket;

pub(crate) use keeper::keep;
pub use state::WriteKind;
pub(crate) use ticket::WriteTicket;

use state::LeaseState;

/// A clock that goes on while the machine sleeps.
pub trait Clock: Send + Sync + 'static {
    /// Time since some fixed point, such as the start of the machine.
    fn now(&self) -> Duration;
}

impl Clock for shared_service::BootClock {
    fn now(&self) -> Duration {
        Self::now()
    }
}

/// The part of the protocol's times that a lease goes by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeaseTimes {
    /// Time to live, from before the claim or renewal was sent.
    pub ttl: Duration,
    /// How often it is renewed.
    pub renewal: Duration,
    /// Longest time that one write may take.
    pub store_timeout: Duration,
    /// How long after its start an unanswered write counts as open.
    pub open_write_bound: Duration,
}

impl From<ProtocolTimes> for LeaseTimes {
    fn from(times: ProtocolTimes) -> Self {
        Self {
            ttl: times.lease_ttl,
            renewal: times.lease_renewal,
            store_timeout: times.store_timeout,
            open_write_bound: times.open_write_bound(),
        }
    }
}

/// Why no further write of a job starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// A message said that the job is cancelled.
    #[error("the job was cancelled")]
    Cancelled,
    /// The renewal was refused: the job is cancelling, was reaped, or is gone.
    #[error("the lease was refused")]
    Refused,
    /// The lease ran out before it could be renewed.
    #[error("the lease ran out")]
    Expired,
    /// A row that is referred to is gone, or somebody else holds the job: its connection was deleted, or it was reaped.
    #[error("the job's rows are gone")]
    RowsGone,
    /// The process ends.
    #[error("the worker is shutting down")]
    Shutdown,
    /// The job is over, well or badly.
    #[error("the job is over")]
    Over,
}

impl Stop {
    /// A short stable name for logs.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Refused => "lease_refused",
            Self::Expired => "lease_expired",
            Self::RowsGone => "rows_gone",
            Self::Shutdown => "shutdown",
            Self::Over => "over",
        }
    }
}

/// A write may not start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StartRefused {
    /// Not now and not later: the job has been stopped.
    #[error(transparent)]
    Ended(#[from] Stop),
    /// Only after the lease has been renewed.
    #[error("too little is left of the lease")]
    TooLittleLeft,
}

/// The lease of one running job, shared by everything that writes for it.
pub(crate) struct Lease {
    job: SyncJobId,
    times: LeaseTimes,
    clock: Arc<dyn Clock>,
    state: Mutex<LeaseState>,
    stop: CancellationToken,
    changed: Notify,
}

impl Lease {
    /// The lease of `job`, whose claim was sent at `sent_at` of `clock`.
    pub(crate) fn new(job: SyncJobId, times: LeaseTimes, clock: Arc<dyn Clock>, sent_at: Duration) -> Arc<Self> {
        let state = Mutex::new(LeaseState::new(times, sent_at));
        Arc::new(Self { job, times, clock, state, stop: CancellationToken::new(), changed: Notify::new() })
    }

    /// The job.
    pub(crate) const fn job(&self) -> SyncJobId {
        self.job
    }

    /// The start rule. Call it directly before the send, with no await in between: the ticket's time runs already.
    ///
    /// # Errors
    /// [`StartRefused`]: the write must not be sent.
    pub(crate) fn start_write(self: &Arc<Self>) -> Result<WriteTicket, StartRefused> {
        self.start(WriteKind::Remote)
    }

    /// The start rule for a call that runs on this machine to its end, even if its future is dropped. The ticket must
    /// be kept until the call has returned.
    ///
    /// # Errors
    /// As [`Lease::start_write`].
    pub(crate) fn start_blocking_write(self: &Arc<Self>) -> Result<WriteTicket, StartRefused> {
        self.start(WriteKind::Blocking)
    }

    fn start(self: &Arc<Self>, kind: WriteKind) -> Result<WriteTicket, StartRefused> {
        let started = self.step(|state, now| state.start(now, kind));
        started.map(|(id, deadline)| WriteTicket::new(self.clone(), id, deadline))
    }

    /// Waits until a write may start; the start rule is asked again at the start itself.
    ///
    /// # Errors
    /// Why none will.
    pub(crate) async fn writable(&self) -> Result<(), Stop> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let (stopped, left) = self.step(|state, now| {
                state.observe(now);
                (state.stopped(), state.ends_at().saturating_sub(now))
            });
            if let Some((reason, _)) = stopped {
                return Err(reason);
            }
            if left > self.times.store_timeout {
                return Ok(());
            }
            // A renewal wakes this; the lease's end doesn't.
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(left.max(Duration::from_millis(1))) => {}
            }
        }
    }

    /// No write starts from now on. The first reason stays.
    pub(crate) fn stop(&self, reason: Stop) {
        self.step(|state, now| state.stop(now, reason));
    }

    /// Waits until no write may start any more.
    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Why no write may start any more, if so, and how long that has been known.
    pub(crate) fn stop_reason(&self) -> Option<(Stop, Duration)> {
        self.step(|state, now| state.stopped().map(|(reason, since)| (reason, now.saturating_sub(since))))
    }

    /// When the lease ends, on its clock.
    pub(crate) fn ends_at(&self) -> Duration {
        self.step(|state, _| state.ends_at())
    }

    /// How many writes are open.
    #[cfg(test)]
    pub(crate) fn open_writes(&self) -> usize {
        self.step(LeaseState::open_writes)
    }

    /// Waits until no write is open. Means something only after [`Lease::stop`].
    pub(crate) async fn all_writes_closed(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let (open, next, now) = self.step(|state, now| (state.open_writes(now), state.next_closing(), now));
            if open == 0 {
                return;
            }
            match next {
                None => changed.await,
                Some(closing) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep(closing.saturating_sub(now).max(Duration::from_millis(1))) => {}
                },
            }
        }
    }

    /// Whether a write may have ended after the lease's end: the process or the machine stood still meanwhile.
    pub(crate) fn has_ended_late(&self) -> bool {
        self.step(|state, now| {
            state.observe(now);
            state.has_ended_late()
        })
    }

    /// Runs `step` at the present time; wakes whoever waits.
    fn step<T>(&self, step: impl FnOnce(&mut LeaseState, Duration) -> T) -> T {
        let mut state = self.state.lock();
        // The clock is read under the lock, so that the steps happen in the order of their times.
        let result = step(&mut state, self.clock.now());
        if state.stopped().is_some() && !self.stop.is_cancelled() {
            self.stop.cancel();
            self.changed.notify_waiters();
        }
        result
    }

    fn change<T>(&self, step: impl FnOnce(&mut LeaseState, Duration) -> T) -> T {
        let result = self.step(step);
        self.changed.notify_waiters();
        result
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::test_lease;
