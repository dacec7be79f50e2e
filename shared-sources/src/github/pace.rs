//! When the next request may start: not too soon after the last one, and not before a limit has passed.
//!
//! GitHub counts by token, so the jobs of this process that use one token take turns with each other. Other processes
//! aren't known here: what they use up shows as a refusal, and is waited out.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep_until};
use url::Url;

/// By API and token, of which only a hash is kept.
static SHARED: LazyLock<Mutex<HashMap<[u8; 32], Weak<Pace>>>> = LazyLock::new(Mutex::default);

/// The turns of the requests with one token.
#[derive(Debug)]
pub(super) struct Pace(Mutex<State>);

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
    /// The pace of everyone here who uses `token` at the API `base`.
    pub(super) fn shared(base: &Url, token: &str) -> Arc<Self> {
        let key: [u8; 32] =
            Sha256::new().chain_update(base.as_str()).chain_update([0]).chain_update(token).finalize().into();
        let mut shared = SHARED.lock();
        if let Some(pace) = shared.get(&key).and_then(Weak::upgrade) {
            return pace;
        }
        shared.retain(|_, pace| pace.strong_count() > 0);
        let pace = Arc::new(Self(Mutex::new(State::new(Instant::now()))));
        shared.insert(key, Arc::downgrade(&pace));
        pace
    }

    /// Waits for a turn, `interval` after the one before.
    pub(super) async fn turn(&self, interval: Duration) {
        let mut turn = self.0.lock().take_turn(Instant::now(), interval);
        loop {
            sleep_until(turn).await;
            // Another request may have been refused meanwhile.
            match self.0.lock().held_after(turn) {
                Some(later) => turn = later,
                None => return,
            }
        }
    }

    /// A request was answered.
    pub(super) fn answered(&self) {
        self.0.lock().refused_since = None;
    }

    /// Lets no request start for `wait`.
    ///
    /// # Errors
    /// [`TooLong`] if that would make the time without an answer longer than `max_wait`.
    pub(super) fn hold(&self, wait: Duration, max_wait: Duration) -> Result<(), TooLong> {
        self.0.lock().hold(Instant::now(), wait, max_wait)
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

    #[test]
    fn one_token_at_one_api_has_one_pace() {
        let (one, other): (Url, Url) = ("https://one.test".parse().unwrap(), "https://other.test".parse().unwrap());
        let pace = Pace::shared(&one, "a");
        assert!(Arc::ptr_eq(&pace, &Pace::shared(&one, "a")));
        assert!(!Arc::ptr_eq(&pace, &Pace::shared(&one, "b")));
        assert!(!Arc::ptr_eq(&pace, &Pace::shared(&other, "a")));
        pace.hold(MINUTE, MINUTE).unwrap();
        drop(pace);
        assert!(Pace::shared(&one, "a").0.lock().refused_since.is_none());
    }

    #[test]
    fn an_answer_begins_the_count_anew() {
        let pace = Pace::shared(&"https://anew.test".parse().unwrap(), "a");
        pace.hold(Duration::ZERO, MINUTE).unwrap();
        pace.answered();
        assert_eq!(pace.0.lock().refused_since, None);
    }
}
