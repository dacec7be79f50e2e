//! Pauses between attempts at what must succeed in the end.

use std::time::Duration;

use shared_service::Backoff;

/// Growing pauses without an end.
pub fn pauses(first: Duration, longest: Duration) -> impl Iterator<Item = Duration> + Send {
    let mut pauses = Backoff::new(first, longest).pauses();
    std::iter::from_fn(move || Some(pauses.pause()))
}
