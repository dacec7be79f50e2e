//! Waiting on facts, never on sleeps.

use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);

/// Waits until `fact` is true, asking every 20 ms.
///
/// # Panics
/// If it isn't true within `bound`; the text says what was waited for.
#[track_caller]
pub fn wait_until<F>(what: &str, bound: Duration, fact: F) -> impl Future<Output = ()>
where
    F: AsyncFnMut() -> bool,
{
    let caller = std::panic::Location::caller();
    let what = what.to_owned();
    async move {
        let mut fact = fact;
        let started = Instant::now();
        loop {
            let left = bound.saturating_sub(started.elapsed());
            if tokio::time::timeout(left.max(POLL), fact()).await == Ok(true) {
                return;
            }
            assert!(started.elapsed() < bound, "{what}: not within {bound:?} (waited for at {caller})");
            tokio::time::sleep(POLL).await;
        }
    }
}
