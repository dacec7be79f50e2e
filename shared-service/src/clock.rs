//! The local clocks. Decisions about time are PostgreSQL's; what this machine counts itself, it counts here.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::time::{ClockId, clock_gettime};

/// The clock that goes on while the machine sleeps: a lease is counted on it (DEL-2),
/// since `Instant` stands still then.
#[derive(Debug, Clone, Copy)]
pub struct BootClock;

impl BootClock {
    /// Time since the machine's start, suspend included. Never goes back.
    #[must_use]
    pub fn now() -> Duration {
        let time = clock_gettime(ClockId::Boottime);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}

/// The wall clock of this machine: for texts and headers, never for a decision about a lease or a deletion.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one home of the local wall clock")]
pub fn utc_now() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_never_goes_back() {
        let first = BootClock::now();
        assert!(first > Duration::ZERO && BootClock::now() >= first);
    }
}
