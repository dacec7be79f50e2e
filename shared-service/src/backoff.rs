//! How long to wait between attempts at something that failed: pauses that double, up to a limit.
//!
//! Up to half of each pause is taken off at random, so that many processes don't come back at the same moment. This is
//! the one home of such pauses; what is retried, and for how long, its callers decide.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// After so many doublings every pause has reached its limit.
const MOST_DOUBLINGS: u32 = 64;

/// Between which limits pauses grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Pauses that begin with `first` and end with `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The pauses after the first failure, the second, and so on.
    #[must_use]
    pub fn pauses(self) -> Pauses {
        Pauses { backoff: self, growing: self.growing() }
    }

    /// The pause after so many failures in a row, for what counts them itself.
    #[must_use]
    pub fn after(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(MOST_DOUBLINGS);
        let pause = usize::try_from(doublings).ok().and_then(|doublings| self.growing().nth(doublings));
        pause.unwrap_or(self.longest)
    }

    /// The library adds its random part on top, so it gets half of each limit.
    fn growing(self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(self.first.min(self.longest) / 2)
            .with_max_delay(self.longest / 2)
            .without_max_times()
            .with_jitter()
            .build()
    }
}

/// The pauses of one series of attempts. They never end.
#[derive(Debug)]
pub struct Pauses {
    backoff: Backoff,
    growing: ExponentialBackoff,
}

impl Pauses {
    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        self.growing.next().unwrap_or(self.backoff.longest)
    }

    /// Only so many of them.
    pub fn take(mut self, times: usize) -> impl Iterator<Item = Duration> + Send {
        std::iter::repeat_with(move || self.pause()).take(times)
    }

    /// Begins anew, after a success.
    pub fn start_over(&mut self) {
        self.growing = self.backoff.growing();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));

    fn assert_about(pause: Duration, seconds: u64) {
        let full = Duration::from_secs(seconds);
        assert!(pause >= full / 2 && pause <= full, "{pause:?} is not between half and all of {full:?}");
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_start_over() {
        let mut pauses = BACKOFF.pauses();
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] {
            assert_about(pauses.pause(), seconds);
        }
        pauses.start_over();
        assert_about(pauses.pause(), 1);
    }

    #[test]
    fn a_count_of_failures_gives_the_same_pauses() {
        for (failures, seconds) in [(0, 1), (1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (u32::MAX, 300)] {
            assert_about(BACKOFF.after(failures), seconds);
        }
    }

    #[test]
    fn two_series_dont_pause_alike() {
        let series = || {
            let mut pauses = BACKOFF.pauses();
            (0..20).map(|_| pauses.pause()).collect::<Vec<_>>()
        };
        assert_ne!(series(), series());
    }

    #[test]
    fn a_first_pause_above_the_longest_is_the_longest() {
        assert_about(Backoff::new(Duration::from_secs(90), Duration::from_secs(30)).after(1), 30);
    }
}
