//! What can go wrong between us and the embedder.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

/// Longest code that is taken over from an answer.
const MAX_CODE: usize = 64;
/// Longest time that a server can ask to be left alone for; nobody here waits that long.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

/// Texts could not be embedded. No variant holds a text, a key or a sentence of the server's: it may have echoed them.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EmbedderError {
    /// The client can't be built.
    #[error("set up the embedder: {0}")]
    Setup(&'static str),
    /// Not reachable: no connection, or it broke.
    #[error("the embedder can't be reached: {0}")]
    Unreachable(&'static str),
    /// No answer in time.
    #[error("the embedder did not answer within {0:?}")]
    Unanswered(Duration),
    /// It can't serve the request now: 408, 429 or 5xx.
    #[error("the embedder is overloaded or out of order: it answered {status}{}", code_text(.code.as_deref()))]
    Unavailable {
        /// HTTP status.
        status: u16,
        /// The server's own name for it.
        code: Option<String>,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// It won't serve this request: another key, model or input is needed.
    #[error("the embedder refused the request with {status}{}", code_text(.code.as_deref()))]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's own name for it, e.g. `invalid_api_key`.
        code: Option<String>,
    },
    /// The model's vectors aren't of the size that Vespa's schema has.
    #[error("the embedder gives vectors of {given} dimensions, but EMBEDDER_DIMENSIONS is {expected}")]
    WrongDimensions {
        /// Of the vectors.
        given: usize,
        /// Of the settings.
        expected: usize,
    },
    /// The answer isn't what an OpenAI-compatible server answers.
    #[error("the embedder's answer is malformed: {0}")]
    Malformed(&'static str),
}

impl EmbedderError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Unanswered(_) | Self::Unavailable { .. } => true,
            Self::Setup(_) | Self::Refused { .. } | Self::WrongDimensions { .. } | Self::Malformed(_) => false,
        }
    }

    /// A short stable name for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Setup(_) => "embedder_setup",
            Self::Unreachable(_) => "embedder_unreachable",
            Self::Unanswered(_) => "embedder_unanswered",
            Self::Unavailable { .. } => "embedder_unavailable",
            Self::Refused { .. } => "embedder_refused",
            Self::WrongDimensions { .. } => "embedder_dimensions",
            Self::Malformed(_) => "embedder_malformed",
        }
    }

    /// Whether another input might have been taken.
    pub(super) const fn may_be_the_input(&self) -> bool {
        matches!(self, Self::Refused { status: 400 | 413 | 422, .. })
    }

    /// How long the server wants to be left alone.
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            Self::Setup(_)
            | Self::Unreachable(_)
            | Self::Unanswered(_)
            | Self::Refused { .. }
            | Self::WrongDimensions { .. }
            | Self::Malformed(_) => None,
        }
    }

    /// What a failed exchange means.
    pub(super) fn from_transport(error: &reqwest::Error, timeout: Duration) -> Self {
        if error.is_timeout() {
            return Self::Unanswered(timeout);
        }
        Self::Unreachable(if error.is_connect() { "no connection" } else { "the connection broke" })
    }

    /// What a status other than 200 means.
    pub(super) fn from_status(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let code = code_of(body);
        match status {
            408 | 429 | 500..=599 => Self::Unavailable { status, code, retry_after },
            _ => Self::Refused { status, code },
        }
    }
}

fn code_text(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}

/// `error.code` or `error.type`, if it is a name and no sentence.
fn code_of(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let name = |pointer| body.pointer(pointer)?.as_str();
    let is_name = |text: &&str| {
        !text.is_empty() && text.len() <= MAX_CODE && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    name("/error/code").filter(is_name).or_else(|| name("/error/type").filter(is_name)).map(str::to_owned)
}

/// The header in its usual form, seconds; at most [`LONGEST_RETRY_AFTER`], however large the number is.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds.clamp(f64::NEG_INFINITY, LONGEST_RETRY_AFTER.as_secs_f64())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_shown_and_a_sentence_is_not() {
        let shown = |body: &str| EmbedderError::from_status(401, None, body.as_bytes()).to_string();
        let coded = r#"{"error": {"message": "Incorrect API key provided: sk-hunter2", "code": "invalid_api_key"}}"#;
        assert_eq!(shown(coded), "the embedder refused the request with 401 (invalid_api_key)");
        for secret in [
            r#"{"error": {"code": "sk-hunter2"}}"#,
            r#"{"error": {"message": "hunter2", "code": 401}}"#,
            r#"{"message": "hunter2"}"#,
            "hunter2",
        ] {
            assert_eq!(shown(secret), "the embedder refused the request with 401", "{secret}");
        }
    }

    #[test]
    fn a_time_to_wait_is_bounded_whatever_the_server_says() {
        let read = |value: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            retry_after(&headers).map(|wait| wait.as_secs_f64())
        };
        assert_eq!(read(" 1.5 "), Some(1.5));
        for endless in ["1e19", "1e300", "inf", "99999999999999999999999"] {
            assert_eq!(read(endless), Some(86_400.0), "{endless}");
        }
        for nothing in ["-1", "-inf", "nan", "soon", "", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn only_what_may_pass_is_asked_again() {
        for (status, is_retryable) in [(400, false), (401, false), (404, false), (408, true), (429, true), (503, true)]
        {
            assert_eq!(EmbedderError::from_status(status, None, b"").is_retryable(), is_retryable, "{status}");
        }
    }
}
