//! When the next request may start: not too soon after the last one, and not before a limit has passed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The turns of one job's requests.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    max_wait: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next_turn: Instant,
    held_until: Instant,
    /// Since when there were refusals only.
    refused_since: Option<Instant>,
}

/// The limit lasts longer than a job may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

impl Pace {
    pub(super) fn new(interval: Duration, max_wait: Duration) -> Self {
        Self { interval, max_wait, state: Mutex::new(State::new(Instant::now())) }
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) {
        let mut turn = self.lock().take_turn(Instant::now(), self.interval);
        loop {
            sleep_until(turn).await;
            // Another request may have been refused meanwhile.
            match self.lock().held_after(turn) {
                Some(later) => turn = later,
                None => return,
            }
        }
    }

    /// A request was answered.
    pub(super) fn answered(&self) {
        self.lock().refused_since = None;
    }

    /// Lets no request start for `wait`.
    ///
    /// # Errors
    /// [`TooLong`] if that would make the time without an answer longer than it may be.
    pub(super) fn hold(&self, wait: Duration) -> Result<(), TooLong> {
        self.lock().hold(Instant::now(), wait, self.max_wait)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    const fn new(now: Instant) -> Self {
        Self { next_turn: now, held_until: now, refused_since: None }
    }

    fn take_turn(&mut self, now: Instant, interval: Duration) -> Instant {
        let turn = self.next_turn.max(self.held_until).max(now);
        self.next_turn = turn + interval;
        turn
    }

    fn held_after(&self, turn: Instant) -> Option<Instant> {
        Some(self.held_until).filter(|held_until| *held_until > turn)
    }

    fn hold(&mut self, now: Instant, wait: Duration, max_wait: Duration) -> Result<(), TooLong> {
        let since = *self.refused_since.get_or_insert(now);
        let waited = now.saturating_duration_since(since);
        if wait.saturating_add(waited) > max_wait {
            return Err(TooLong);
        }
        self.held_until = self.held_until.max(now + wait);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn turns_keep_their_distance_and_nobody_goes_before_a_hold_has_passed() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut state = State::new(now);
        assert_eq!(state.take_turn(now, second), now);
        let turn = state.take_turn(now, second);
        assert_eq!((turn, state.held_after(turn)), (now + second, None));
        state.hold(now, MINUTE, MINUTE).unwrap();
        assert_eq!(state.held_after(turn), Some(now + MINUTE));
        assert_eq!(state.take_turn(now, second), now + MINUTE);
        assert_eq!(state.take_turn(now, second), now + MINUTE + second);
    }

    #[test]
    fn waiting_is_bounded_from_the_first_refusal_to_the_next_answer() {
        let now = Instant::now();
        let mut state = State::new(now);
        let mut hold = |at: Duration, wait: Duration| state.hold(now + at, wait, 3 * MINUTE);
        assert_eq!(hold(Duration::ZERO, 4 * MINUTE), Err(TooLong));
        assert_eq!(hold(Duration::ZERO, MINUTE), Ok(()));
        assert_eq!(hold(MINUTE, 3 * MINUTE), Err(TooLong));
        assert_eq!(hold(MINUTE, 2 * MINUTE), Ok(()));
    }

    #[tokio::test]
    async fn an_answer_begins_the_count_anew() {
        let pace = Pace::new(Duration::ZERO, MINUTE);
        pace.hold(Duration::ZERO).unwrap();
        pace.answered();
        assert_eq!(pace.lock().refused_since, None);
    }
}
