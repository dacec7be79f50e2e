//! What can go wrong in a call to Vespa, and what may be concluded from it.

use std::time::Duration;

/// Longest text taken over from one of Vespa's messages, in characters.
const MAX_MESSAGE: usize = 200;

/// In which way Vespa couldn't be reached or couldn't serve the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// No connection: the request was never sent.
    Connect,
    /// The connection broke while the request or its answer was under way.
    Io,
    /// Vespa, or a proxy before it, answered with this status (5xx or 408).
    Status(u16),
}

/// A call to Vespa failed.
#[derive(Debug, thiserror::Error)]
pub enum VespaError {
    /// The client can't be built: bad URL, no TLS provider.
    #[error("set up Vespa client: {0}")]
    Setup(String),
    /// 429: too much is queued; back off and try again, without limit.
    #[error("Vespa is overloaded")]
    Overloaded,
    /// Not reachable, shutting down, out of time on its side, or the connection broke.
    #[error("Vespa is unavailable ({how:?}): {message}")]
    Unavailable {
        /// In which way.
        how: Unreachable,
        /// Shortened text without document content.
        message: String,
    },
    /// No answer within the deadline. A write may have been applied, or may yet be.
    #[error("Vespa did not answer within {0:?}")]
    Unanswered(Duration),
    /// 507: the cluster is full and refuses writes. Removals still work.
    #[error("Vespa refuses writes, its disk or memory limit is reached")]
    FeedBlocked,
    /// The request itself is wrong: repeating it can't help.
    #[error("Vespa rejected the request with {status}: {message}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// Shortened text without document content.
        message: String,
    },
    /// The answer isn't what Vespa is documented to answer.
    #[error("Vespa's answer is malformed: {0}")]
    Malformed(String),
    /// The answer is longer than so many bytes, and was let go of.
    #[error("Vespa's answer has more than {0} bytes")]
    TooLarge(usize),
    /// A complete-looking answer that doesn't cover every document asked for. It is never turned into a number.
    #[error("Vespa's answer cannot be trusted: {0}")]
    Untrustworthy(String),
}

impl VespaError {
    /// Whether the same call may succeed later. For a write, repeating it is a new write with a start rule of its own.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Overloaded
            | Self::Unavailable { .. }
            | Self::Unanswered(_)
            | Self::FeedBlocked
            | Self::Malformed(_)
            | Self::Untrustworthy(_) => true,
            Self::Setup(_) | Self::TooLarge(_) | Self::Rejected { .. } => false,
        }
    }

    /// Whether a write that ended with this error may have been applied, or may yet be: it counts as open until
    /// its bound. `false` only where Vespa said no, or never saw the request.
    #[must_use]
    pub const fn may_still_apply(&self) -> bool {
        match self {
            Self::Setup(_) | Self::Overloaded | Self::FeedBlocked | Self::Rejected { .. } => false,
            Self::Unavailable { how, .. } => !matches!(how, Unreachable::Connect),
            Self::Unanswered(_) | Self::Malformed(_) | Self::TooLarge(_) | Self::Untrustworthy(_) => true,
        }
    }

    /// A short stable name for rows, metrics and logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Setup(_) => "vespa_setup",
            Self::Overloaded => "vespa_overloaded",
            Self::Unavailable { .. } => "vespa_unavailable",
            Self::Unanswered(_) => "vespa_unanswered",
            Self::FeedBlocked => "vespa_feed_blocked",
            Self::Rejected { .. } => "vespa_rejected",
            Self::Malformed(_) => "vespa_malformed",
            Self::TooLarge(_) => "vespa_too_large",
            Self::Untrustworthy(_) => "vespa_untrustworthy",
        }
    }

    /// What a failed exchange means. `timeout` is the time that the caller gave.
    pub(super) fn from_transport(error: &reqwest::Error, timeout: Duration) -> Self {
        if error.is_connect() {
            return Self::Unavailable { how: Unreachable::Connect, message: "cannot connect".to_owned() };
        }
        if error.is_timeout() {
            return Self::Unanswered(timeout);
        }
        if error.is_builder() {
            return Self::Setup("cannot build request".to_owned());
        }
        Self::Unavailable { how: Unreachable::Io, message: "connection broke".to_owned() }
    }

    /// What a status other than 200 means.
    pub(super) fn from_status(status: u16, body: &[u8]) -> Self {
        let message = message_of(body);
        match status {
            429 => Self::Overloaded,
            507 => Self::FeedBlocked,
            // A selection or type that the content nodes refuse comes back as 500, and always will.
            500 if message.contains("ILLEGAL_PARAMETERS") => Self::Rejected { status, message },
            408 | 500..=599 => Self::Unavailable { how: Unreachable::Status(status), message },
            _ => Self::Rejected { status, message },
        }
    }
}

/// Vespa's own text: `message` of the document API, or the first error of the query API.
fn message_of(body: &[u8]) -> String {
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) else {
        return "no message".to_owned();
    };
    let query_error = json.pointer("/root/errors/0/message").or_else(|| json.pointer("/root/errors/0/summary"));
    let text = json.get("message").or(query_error).and_then(serde_json::Value::as_str);
    text.map_or_else(|| "no message".to_owned(), scrub)
}

/// The first line of `text`, shortened, with everything in quotes left out: Vespa quotes field values and query words.
pub(super) fn scrub(text: &str) -> String {
    let mut scrubbed = String::new();
    let mut open: Option<char> = None;
    for c in text.lines().next().unwrap_or_default().chars().take(MAX_MESSAGE) {
        match open {
            Some(quote) if c == quote => {
                open = None;
                scrubbed.push('…');
                scrubbed.push(c);
            }
            Some(_) => {}
            None => {
                if matches!(c, '\'' | '"' | '`') {
                    open = Some(c);
                }
                scrubbed.push(c);
            }
        }
    }
    scrubbed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_content_never_reaches_an_error_text() {
        let body = br#"{"message":"Could not set field 'name': \"Jane Doe's salary\" is illegal\nat line 3"}"#;
        let VespaError::Rejected { status, message } = VespaError::from_status(400, body) else { panic!() };
        assert_eq!(status, 400);
        assert_eq!(message, "Could not set field '…': \"…\" is illegal");
    }

    #[test]
    fn an_unclosed_quote_hides_the_rest() {
        assert_eq!(scrub("failed at 'secret"), "failed at '");
    }

    #[test]
    fn only_a_clear_no_ends_a_write_at_once() {
        for status in [400, 412, 413, 429, 507] {
            assert!(!VespaError::from_status(status, b"").may_still_apply(), "{status}");
        }
        for status in [408, 500, 502, 503, 504] {
            assert!(VespaError::from_status(status, b"").may_still_apply(), "{status}");
        }
    }

    #[test]
    fn illegal_parameters_are_permanent_although_they_come_as_500() {
        let body = br#"{"message":"ILLEGAL_PARAMETERS: ReturnCode(ILLEGAL_PARAMETERS, ...)"}"#;
        assert!(!VespaError::from_status(500, body).is_retryable());
        assert!(VespaError::from_status(500, b"{}").is_retryable());
    }
}
