//! When and how fast purges run: allowed hours, documents per second.
//!
//! The hours are compared with PostgreSQL's clock, in the claim and before each slice; this module only reads them.

use std::time::Duration;

use parking_lot::Mutex;
use shared_database::cleanups::{AllowedHours, DailyWindow};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const DAY_SECONDS: u32 = 24 * 60 * 60;

/// Not a list of daily windows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither 'always' nor windows such as '22:00-06:00,12:00-13:00' (times are UTC)")]
pub(crate) struct BadHours(String);

/// Reads `always`, or windows such as `22:00-06:00,12:00-13:00`. Times are UTC, to the minute or the second.
///
/// # Errors
/// [`BadHours`].
pub(crate) fn parse_allowed_hours(text: &str) -> Result<AllowedHours, BadHours> {
    if text.trim() == "always" {
        return Ok(AllowedHours::default());
    }
    let windows: Option<Vec<DailyWindow>> = text.split(',').map(|window| parse_window(window.trim())).collect();
    windows.map(AllowedHours).ok_or_else(|| BadHours(text.to_owned()))
}

fn parse_window(text: &str) -> Option<DailyWindow> {
    let (from, to) = text.split_once('-')?;
    let window = DailyWindow { from: parse_time(from)?, to: parse_time(to)? };
    (window.from != window.to).then_some(window)
}

/// Seconds since midnight; `24:00` is the end of the day.
fn parse_time(text: &str) -> Option<u32> {
    let mut parts = text.trim().split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next().unwrap_or("00"));
    let two_digits = |part: &str| -> Option<u32> {
        let is_number = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { part.parse().ok() } else { None }
    };
    let (hours, minutes, seconds) = (two_digits(hours)?, two_digits(minutes)?, two_digits(seconds)?);
    let time = hours * 3600 + minutes * 60 + seconds;
    (parts.next().is_none() && minutes < 60 && seconds < 60 && time <= DAY_SECONDS).then_some(time)
}

/// The limit on documents removed per second, over all slots of the process.
pub struct Pace {
    per_second: u32,
    next: Mutex<Instant>,
}

impl Pace {
    /// A limit of `per_second`; 0 is none.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self { per_second, next: Mutex::new(Instant::now()) }
    }

    /// How many documents to ask for at once: about a tenth of a second's worth.
    pub(crate) fn batch(&self) -> usize {
        match self.per_second {
            0 => usize::MAX,
            limit => usize::try_from(limit / 10).unwrap_or(usize::MAX).max(1),
        }
    }

    /// Waits until `documents` more may be removed. `false` if that is after `deadline`, or `stop` came first.
    pub(crate) async fn wait(&self, documents: usize, deadline: Instant, stop: &CancellationToken) -> bool {
        if self.per_second == 0 {
            return true;
        }
        let reserved = self.reserve(documents, Instant::now(), deadline);
        let until = reserved.unwrap_or(deadline);
        let waited = stop.run_until_cancelled(tokio::time::sleep_until(until)).await;
        reserved.is_some() && waited.is_some()
    }

    fn reserve(&self, documents: usize, now: Instant, deadline: Instant) -> Option<Instant> {
        let mut next = self.next.lock();
        let start = (*next).max(now);
        if start > deadline {
            return None;
        }
        let documents = u32::try_from(documents).unwrap_or(u32::MAX);
        *next = start + Duration::from_secs_f64(f64::from(documents) / f64::from(self.per_second));
        Some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_and_nonsense_is_refused() {
        assert_eq!(parse_allowed_hours("always").unwrap(), AllowedHours::default());
        let two = parse_allowed_hours("22:00-06:00, 12:00-13:30:15").unwrap();
        let expected = [(22 * 3600, 6 * 3600), (12 * 3600, 13 * 3600 + 30 * 60 + 15)];
        assert_eq!(two.0, expected.map(|(from, to)| DailyWindow { from, to }));
        for nonsense in ["", "never", "22:00", "22-06", "25:00-06:00", "10:60-11:00", "10:00-10:00", "+1:00-02:00"] {
            assert!(parse_allowed_hours(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn all_slots_together_keep_to_the_limit() {
        let pace = Pace::new(100);
        let now = Instant::now();
        let deadline = now + Duration::from_secs(60);
        let mut last = now;
        // Whichever slot asks: the limit knows none.
        for _ in 0..100 {
            last = pace.reserve(pace.batch(), now, deadline).unwrap();
        }
        // 100 batches of 10: the first at once, the last when 990 documents have had their time.
        let tolerance = Duration::from_millis(50);
        assert!((last - now).abs_diff(Duration::from_millis(9_900)) < tolerance, "{:?}", last - now);
    }

    #[tokio::test]
    async fn a_wait_beyond_the_deadline_is_refused() {
        let (pace, stop) = (Pace::new(1), CancellationToken::new());
        let deadline = Instant::now() + Duration::from_millis(20);
        assert!(pace.wait(60, deadline, &stop).await);
        assert!(!pace.wait(1, deadline, &stop).await);
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait() {
        let (pace, stop) = (Pace::new(1), CancellationToken::new());
        let deadline = Instant::now() + Duration::from_secs(600);
        assert!(pace.wait(60, deadline, &stop).await);
        stop.cancel();
        assert!(!pace.wait(1, deadline, &stop).await);
    }

    #[test]
    fn no_limit_means_no_wait() {
        assert_eq!(Pace::new(0).batch(), usize::MAX);
    }
}
