//! What an answer other than a success means.
//!
//! GitHub says "too many requests" in several ways: 403 or 429; with `retry-after`, with `x-ratelimit-remaining: 0` and
//! the time of the reset, or only in the text. A 403 that is none of these is a lack of permission.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use shared_models::job::ErrorCategory;
use shared_service::clock::utc_now;

use super::shown::shown;
use super::wire;
use crate::SourceError;

/// Longest part of a message of GitHub that is shown.
const MAX_MESSAGE_CHARS: usize = 300;
/// Longest wait that is believed, seconds; no job waits that long.
const MAX_WAIT_SECONDS: u64 = 365 * 24 * 60 * 60;

/// Why there is no content.
#[derive(Debug)]
pub(super) enum Refusal {
    /// What was asked for isn't there, or not for this token; with what GitHub said.
    Missing(String),
    /// The repository has no commit yet.
    Empty,
    /// Too many requests; how long to wait, if GitHub said so.
    Limited(Option<Duration>),
    /// It may work in a moment.
    Unavailable(String),
    /// It won't work until somebody mends something.
    Final(SourceError),
}

impl Refusal {
    /// What `status` with `headers` and `body` means, of the API at `host` that was asked with `token`.
    pub(super) fn of(host: &str, token: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let message = message(body, token);
        let said = format!("GitHub at {host} answered {status}{message}");
        match status.as_u16() {
            401 => Self::Final(SourceError::Refused {
                message: format!("GitHub at {host} refused the personal access token{message}"),
                category: ErrorCategory::ApiKeyInvalid,
            }),
            403 | 429 if is_limit(status, headers, &message) => Self::Limited(wait(headers, utc_now())),
            403 => Self::Final(SourceError::Misconfigured(format!(
                "GitHub at {host} does not allow this to the personal access token{message}"
            ))),
            404 | 410 | 422 => Self::Missing(said),
            409 if message.contains("is empty") => Self::Empty,
            451 => Self::Final(SourceError::Misconfigured(said)),
            // 409: a repository that is being made or moved.
            408 | 409 | 500..=599 => Self::Unavailable(said),
            300..=399 => Self::Final(SourceError::Failed(format!(
                "GitHub at {host} redirected the request ({status}) to where it isn't followed"
            ))),
            _ => Self::Final(SourceError::Failed(said)),
        }
    }
}

fn is_limit(status: StatusCode, headers: &HeaderMap, message: &str) -> bool {
    let message = message.to_lowercase();
    status == StatusCode::TOO_MANY_REQUESTS
        || headers.contains_key(RETRY_AFTER)
        || number(headers, "x-ratelimit-remaining") == Some(0)
        || message.contains("rate limit")
        || message.contains("abuse detection")
}

/// How long the limit lasts.
fn wait(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    if let Some(seconds) = number(headers, RETRY_AFTER.as_str()) {
        return Some(Duration::from_secs(seconds.min(MAX_WAIT_SECONDS)));
    }
    if number(headers, "x-ratelimit-remaining") != Some(0) {
        return None;
    }
    let reset = i64::try_from(number(headers, "x-ratelimit-reset")?).ok()?;
    // By GitHub's clock, if it says what that shows: this machine's may be wrong.
    let date = headers.get(DATE).and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
    let now = date.map_or(now, Into::into).timestamp();
    let seconds = u64::try_from(reset.saturating_sub(now)).unwrap_or(0);
    // Both are cut to whole seconds.
    Some(Duration::from_secs(seconds.saturating_add(1).min(MAX_WAIT_SECONDS)))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// `: ` and what GitHub says, on one line and without the token, which a server may echo; empty if it says nothing.
fn message(body: &[u8], token: &str) -> String {
    let refusal: wire::Refusal = serde_json::from_slice(body).unwrap_or_default();
    let text = shown(&refusal.message, token, MAX_MESSAGE_CHARS);
    if text.is_empty() { text } else { format!(": {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "github_pat_hunter2";

    fn refusal(status: u16, headers: &[(&'static str, &str)], message: &str) -> Refusal {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let body = serde_json::json!({"message": message}).to_string();
        Refusal::of("api.test", TOKEN, StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn every_way_of_saying_too_many_requests_is_understood() {
        let until = |headers: &[(&'static str, &str)], status, message| match refusal(status, headers, message) {
            Refusal::Limited(wait) => wait.map(|wait| wait.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(until(&[("retry-after", "30")], 403, ""), Some(30));
        assert_eq!(until(&[("retry-after", "30")], 429, ""), Some(30));
        assert_eq!(until(&[("retry-after", "18446744073709551615")], 429, ""), Some(MAX_WAIT_SECONDS));
        let reset = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1700000060"),
            ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ];
        assert_eq!(until(&reset, 403, "API rate limit exceeded"), Some(61));
        let endless = [reset[0], ("x-ratelimit-reset", "9223372036854775807"), reset[2]];
        assert_eq!(until(&endless, 403, ""), Some(MAX_WAIT_SECONDS));
        let passed = [reset[0], ("x-ratelimit-reset", "1"), reset[2]];
        assert_eq!(until(&passed, 429, ""), Some(1));
        assert_eq!(until(&[], 403, "You have exceeded a secondary rate limit."), None);
        assert_eq!(until(&[("x-ratelimit-remaining", "4000")], 429, ""), None);
    }

    #[test]
    fn a_lack_of_permission_is_no_limit() {
        let headers = [("x-ratelimit-remaining", "4999"), ("x-ratelimit-reset", "1700000060")];
        match refusal(403, &headers, "Resource not accessible by\npersonal access token") {
            Refusal::Final(SourceError::Misconfigured(text)) => {
                assert!(text.ends_with("token: Resource not accessible by personal access token"), "{text}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_refused_token_asks_for_another_one() {
        match refusal(401, &[], "Bad credentials") {
            Refusal::Final(error) => {
                assert_eq!(error.category(), Some(ErrorCategory::ApiKeyInvalid));
                assert_eq!(error.to_string(), "GitHub at api.test refused the personal access token: Bad credentials");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_repository_that_is_not_ready_is_not_empty() {
        assert!(matches!(refusal(409, &[], "Git Repository is empty."), Refusal::Empty));
        assert!(matches!(refusal(409, &[], "Git Repository is unavailable."), Refusal::Unavailable(_)));
    }

    #[test]
    fn a_message_is_bounded_and_one_without_json_is_left_out() {
        assert!(message(format!(r#"{{"message":"{}"}}"#, "x".repeat(1000)).as_bytes(), TOKEN).len() < 310);
        assert_eq!(message(b"<html>Unicorn!</html>", TOKEN), "");
    }

    #[test]
    fn a_message_shows_neither_the_token_nor_what_turns_a_text_around() {
        let shown = |text: &str| message(serde_json::json!({ "message": text }).to_string().as_bytes(), TOKEN);
        assert_eq!(shown("token github_pat_hunter2 is bad, github_pat_hunter2!"), ": token … is bad, …!");
        assert_eq!(shown("github_pat_\u{200b}hun\u{7}ter2 is bad"), ": … is bad");
        assert_eq!(shown("\u{202e}dab\u{2066}\u{feff} one\n\ttwo\u{2028}three"), ": dab one two three");
        // Cut only after the token is gone: no part of it is left at the end.
        let long = shown(&format!("{}{TOKEN}", "x".repeat(MAX_MESSAGE_CHARS - 5)));
        assert!(long.ends_with("x…"), "{long}");
        match refusal(401, &[], &format!("no user for {TOKEN}")) {
            Refusal::Final(error) => assert!(!error.to_string().contains(TOKEN), "{error}"),
            other => panic!("{other:?}"),
        }
    }
}
