//! Growing, jittered pauses between attempts.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);
/// What lived this long counts as healthy: the next failure starts from the shortest pause again.
const HEALTHY: Duration = Duration::from_secs(5);

/// The pause before the next attempt.
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    last: Option<Instant>,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self::between(FIRST, LONGEST)
    }

    pub(crate) const fn between(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first, last: None }
    }

    /// The next pause: half of it is random, so that many processes don't come back at once.
    pub(crate) fn pause(&mut self) -> Duration {
        if self.last.is_some_and(|last| last.elapsed() > self.next + HEALTHY) {
            self.next = self.first;
        }
        let pause = self.next.mul_f64(0.5 + rand::random::<f64>() / 2.0);
        self.next = (self.next * 2).min(self.longest);
        self.last = Some(Instant::now());
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let mut backoff = Backoff::new();
        let pauses: Vec<Duration> = (0..12).map(|_| backoff.pause()).collect();
        assert!(pauses[0] <= FIRST && pauses[0] >= FIRST / 2);
        assert!(pauses[11] <= LONGEST && pauses[11] >= LONGEST / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_healthy_spell_starts_over() {
        let mut backoff = Backoff::new();
        for _ in 0..12 {
            backoff.pause();
        }
        tokio::time::advance(LONGEST + HEALTHY + Duration::from_secs(1)).await;
        assert!(backoff.pause() <= FIRST);
    }
}
