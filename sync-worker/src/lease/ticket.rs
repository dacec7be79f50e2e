//! The permission for one write.

use std::sync::Arc;
use std::time::Duration;

use super::Lease;

/// One write that has started. Dropped without [`WriteTicket::answered`], it stays open until its bound.
#[must_use = "a ticket is an open write"]
pub struct WriteTicket {
    lease: Arc<Lease>,
    id: u64,
    deadline: Duration,
    is_answered: bool,
}

impl WriteTicket {
    pub(super) fn new(lease: Arc<Lease>, id: u64, deadline: Duration) -> Self {
        metrics::gauge!("unweave_writes_open").increment(1);
        Self { lease, id, deadline, is_answered: false }
    }

    /// What is left of the write's deadline.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_sub(self.lease.clock.now())
    }

    /// The store has answered, or never got the request: the write is over.
    pub fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for WriteTicket {
    fn drop(&mut self) {
        metrics::gauge!("unweave_writes_open").decrement(1);
        if self.is_answered {
            self.lease.change(|state, now| state.answered(now, self.id));
        } else {
            self.lease.change(|state, now| state.let_go(now, self.id));
        }
    }
}
