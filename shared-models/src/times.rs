//! The protocol's times, and the rules by which they fit together.
//!
//! DEL-2 and DEL-8 rest on these rules: a worker that can't renew stops before anybody assumes silence.

use std::time::Duration;

/// A write counts as open until it is answered, or this long after its start: Vespa may apply a put up to about twice
/// its timeout after receiving it, plus the wire.
const OPEN_WRITE_BOUND_FACTOR: u32 = 2;

/// The times that gateway and sync-worker must agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtocolTimes {
    /// Time to live of a write lease.
    pub lease_ttl: Duration,
    /// How often a lease is renewed.
    pub lease_renewal: Duration,
    /// Longest time that one store request may take.
    pub store_timeout: Duration,
    /// How long after a lease's end nobody assumes silence yet.
    pub lease_guard: Duration,
    /// Longest time that DELETE waits for writers to stop.
    pub cancel_wait: Duration,
}

impl Default for ProtocolTimes {
    fn default() -> Self {
        Self {
            lease_ttl: Duration::from_secs(10),
            lease_renewal: Duration::from_secs(3),
            store_timeout: Duration::from_secs(3),
            lease_guard: Duration::from_secs(4),
            cancel_wait: Duration::from_secs(15),
        }
    }
}

/// The times contradict each other; the text names the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TimesDontFit(String);

impl ProtocolTimes {
    /// The contract: DELETE waits no longer.
    const LONGEST_CANCEL_WAIT: Duration = Duration::from_secs(15);
    /// Margin between the moment a silent writer is known to have stopped and the end of the cancel wait.
    const ANSWER_MARGIN: Duration = Duration::from_secs(1);

    /// Checks `ttl + guard + 1 s ≤ cancel wait`, `2·renewal + store timeout < ttl`,
    /// `store timeout + 1 s ≤ guard` and `cancel wait ≤ 15 s`.
    ///
    /// # Errors
    /// One line that names the settings that don't fit.
    pub fn validate(&self) -> Result<(), TimesDontFit> {
        if self.cancel_wait > Self::LONGEST_CANCEL_WAIT {
            return Err(TimesDontFit(format!(
                "CANCEL_WAIT is {:?}, more than the {:?} that DELETE may wait",
                self.cancel_wait,
                Self::LONGEST_CANCEL_WAIT
            )));
        }
        let silent = self.silence_after() + Self::ANSWER_MARGIN;
        if silent > self.cancel_wait {
            return Err(TimesDontFit(format!(
                "LEASE_TTL + LEASE_GUARD + 1s is {silent:?}, more than CANCEL_WAIT {:?}",
                self.cancel_wait
            )));
        }
        let renewed = self.lease_renewal * 2 + self.store_timeout;
        if renewed >= self.lease_ttl {
            return Err(TimesDontFit(format!(
                "2 * LEASE_RENEWAL + STORE_TIMEOUT is {renewed:?}, not less than LEASE_TTL {:?}",
                self.lease_ttl
            )));
        }
        // A write that started at the last allowed moment and wasn't answered is open for this long after the lease.
        let open_after_lease = self.open_write_bound().saturating_sub(self.store_timeout);
        if open_after_lease > self.lease_guard {
            return Err(TimesDontFit(format!(
                "STORE_TIMEOUT + 1s is {open_after_lease:?}, more than LEASE_GUARD {:?}",
                self.lease_guard
            )));
        }
        if self.lease_renewal.is_zero() || self.store_timeout.is_zero() {
            return Err(TimesDontFit("LEASE_RENEWAL and STORE_TIMEOUT must be more than 0s".to_owned()));
        }
        Ok(())
    }

    /// How long after D1 a job that was never heard of again is known not to write any more.
    #[must_use]
    pub fn silence_after(&self) -> Duration {
        self.lease_ttl + self.lease_guard
    }

    /// How long after its start an unanswered write counts as open.
    #[must_use]
    pub fn open_write_bound(&self) -> Duration {
        self.store_timeout * OPEN_WRITE_BOUND_FACTOR + Duration::from_secs(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit() {
        let times = ProtocolTimes::default();
        assert_eq!(times.validate(), Ok(()));
        assert_eq!(times.open_write_bound(), Duration::from_secs(7));
    }

    #[test]
    fn a_lease_that_outlives_the_wait_is_refused() {
        let times = ProtocolTimes { lease_ttl: Duration::from_secs(11), ..ProtocolTimes::default() };
        assert!(times.validate().unwrap_err().to_string().contains("CANCEL_WAIT"));
    }

    #[test]
    fn a_wait_beyond_the_contract_is_refused() {
        let times = ProtocolTimes { cancel_wait: Duration::from_secs(16), ..ProtocolTimes::default() };
        assert!(times.validate().unwrap_err().to_string().contains("CANCEL_WAIT"));
    }

    #[test]
    fn a_guard_that_an_unanswered_write_outlives_is_refused() {
        let times = ProtocolTimes { lease_guard: Duration::from_secs(3), ..ProtocolTimes::default() };
        assert!(times.validate().unwrap_err().to_string().contains("LEASE_GUARD"));
    }

    #[test]
    fn a_lease_that_allows_no_lost_renewal_is_refused() {
        let times = ProtocolTimes { lease_renewal: Duration::from_millis(3500), ..ProtocolTimes::default() };
        assert!(times.validate().unwrap_err().to_string().contains("LEASE_RENEWAL"));
    }
}
