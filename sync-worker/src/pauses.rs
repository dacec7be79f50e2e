//! Pauses between attempts at what must succeed in the end.

use std::time::Duration;

use backon::BackoffBuilder as _;

/// Growing pauses without an end, shortened at random so that many jobs don't come back at once.
pub fn pauses(first: Duration, longest: Duration) -> backon::ExponentialBackoff {
    backon::ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(longest)
        .with_jitter()
        .without_max_times()
        .build()
}
