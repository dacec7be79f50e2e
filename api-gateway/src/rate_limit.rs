//! What a client is told of its organization's rate limit: three headers on every authenticated answer, whatever its
//! status, and how long to wait after a refusal. Whether a request is admitted is decided in
//! [`shared_database::rate_limits`], before anything else happens: what has been done is never answered by a refusal.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use chrono::{DateTime, Utc};
use shared_database::rate_limits::Decision;

/// Longest time until a request is admitted again, in seconds.
const WINDOW_SECONDS: i64 = 60;
/// What clients of the public contract know as "no limit".
const UNLIMITED: u32 = 9999;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

const REFUSED: &str = "unweave_requests_refused_by_rate_limit_total";

/// Makes the figure visible before the first refusal.
pub fn start_figures_at_zero() {
    metrics::counter!(REFUSED).increment(0);
}

/// Counts a refusal.
pub fn record_refusal() {
    metrics::counter!(REFUSED).increment(1);
}

/// What the headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Most requests in any 60 s.
    limit: u32,
    /// How many more are admitted now.
    remaining: u32,
    /// When `remaining` grows next, in seconds since 1970.
    reset: i64,
}

impl Quota {
    /// Of an organization without a limit, at the time `now`.
    #[must_use]
    pub const fn unlimited(now: DateTime<Utc>) -> Self {
        Self { limit: UNLIMITED, remaining: UNLIMITED, reset: now.timestamp() }
    }

    /// After this decision.
    #[must_use]
    pub fn after(decision: &Decision) -> Self {
        Self {
            limit: decision.limit,
            remaining: decision.limit.saturating_sub(decision.admitted),
            reset: ceil(decision.frees_at),
        }
    }

    /// Sets the headers.
    pub fn set(&self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.limit));
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(self.reset));
    }
}

/// Whole seconds after which a refused request is admitted, if nobody else asks meanwhile: 1..=60.
#[must_use]
pub fn retry_after_seconds(decision: &Decision) -> i64 {
    let left = decision.frees_at.signed_duration_since(decision.decided_at);
    let whole = left.num_seconds() + i64::from(left.subsec_nanos() > 0);
    whole.clamp(1, WINDOW_SECONDS)
}

/// The first whole second at which the moment has come.
fn ceil(moment: DateTime<Utc>) -> i64 {
    moment.timestamp() + i64::from(moment.timestamp_subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(decided_at: &str, frees_at: &str) -> Decision {
        let (decided_at, frees_at) = (decided_at.parse().unwrap(), frees_at.parse().unwrap());
        Decision { limit: 10, admitted: 10, is_admitted: false, decided_at, frees_at }
    }

    #[test]
    fn the_wait_is_rounded_up_and_never_beyond_the_window() {
        let wait = |frees_at: &str| retry_after_seconds(&decision("2026-11-24T09:30:00.5Z", frees_at));
        assert_eq!(wait("2026-11-24T09:30:42.5Z"), 42);
        assert_eq!(wait("2026-11-24T09:30:42.500001Z"), 43);
        assert_eq!(wait("2026-11-24T09:30:42.4Z"), 42);
        assert_eq!(wait("2026-11-24T09:30:00.500001Z"), 1);
        assert_eq!(wait("2026-11-24T09:31:00.5Z"), 60);
        // A clock that was set back.
        assert_eq!((wait("2026-11-24T09:20:00Z"), wait("2026-11-24T09:40:00Z")), (1, 60));
    }

    #[test]
    fn the_reset_has_come_when_the_wait_is_over() {
        let decision = decision("2026-11-24T09:30:00.5Z", "2026-11-24T09:30:42.2Z");
        let quota = Quota::after(&decision);
        assert_eq!((quota.limit, quota.remaining), (10, 0));
        assert_eq!(quota.reset, "2026-11-24T09:30:43Z".parse::<DateTime<Utc>>().unwrap().timestamp());
        assert!(quota.reset - decision.decided_at.timestamp() <= retry_after_seconds(&decision) + 1);
    }

    #[test]
    fn no_limit_is_told_as_9999() {
        let mut headers = HeaderMap::new();
        Quota::unlimited("2026-11-24T09:30:00.5Z".parse().unwrap()).set(&mut headers);
        let value = |name: &HeaderName| headers.get(name).unwrap().to_str().unwrap();
        assert_eq!([value(&LIMIT), value(&REMAINING), value(&RESET)], ["9999", "9999", "1795512600"]);
    }
}
