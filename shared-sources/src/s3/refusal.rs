//! What an answer other than a success means.

use std::fmt;

use reqwest::StatusCode;
use serde::Deserialize;
use shared_models::job::ErrorCategory;

use crate::SourceError;

/// Longest code of S3 that is shown.
const MAX_CODE_CHARS: usize = 60;

/// Codes that say that the key is no good.
const BAD_KEYS: [&str; 7] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "InvalidSecurity",
    "AuthorizationHeaderMalformed",
];
/// Why an object in an archive isn't read, whether its list or its refusal says so.
pub(super) const ARCHIVED: &str = "it is archived";
/// Codes that pass.
const PASSING: [&str; 4] = ["SlowDown", "RequestTimeout", "Throttling", "RequestTimeTooSkewed"];

/// Why there is no content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It may work in a moment.
    Passing(String),
    /// The key is refused, whatever is asked with it.
    Key(String),
    /// Whatever was asked for isn't there.
    Missing(String),
    /// Whatever was asked for may not be read, or not now; with S3's code.
    Forbidden(String),
    /// Anything else; other objects would meet the same.
    Final(String),
}

/// What it means for a run.
#[derive(Debug)]
pub(super) enum Failure {
    /// It concerns what was asked for alone.
    Object(Refusal),
    /// The run can't go on.
    Source(SourceError),
}

/// The body of a refusal.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RefusalBody {
    code: String,
    region: String,
}

impl Refusal {
    /// What `status` with `body` means, of S3 at `host`. What S3 says beside its code isn't shown: it quotes keys.
    pub(super) fn of(host: &str, status: StatusCode, body: &[u8]) -> Self {
        let read: RefusalBody = quick_xml::de::from_str(&String::from_utf8_lossy(body)).unwrap_or_default();
        let code: String = read.code.chars().filter(char::is_ascii_alphanumeric).take(MAX_CODE_CHARS).collect();
        let said = if code.is_empty() { status.to_string() } else { format!("{status}, {code}") };
        if BAD_KEYS.contains(&code.as_str()) {
            return Self::Key(format!("S3 at {host} refused the access key: {code}"));
        }
        if code == "InvalidObjectState" {
            return Self::Forbidden(ARCHIVED.to_owned());
        }
        if PASSING.contains(&code.as_str()) {
            return Self::Passing(format!("S3 at {host} answered {said}"));
        }
        match status.as_u16() {
            401 => Self::Key(format!("S3 at {host} refused the access key: {said}")),
            404 | 410 => Self::Missing(said),
            408 | 429 | 500..=599 => Self::Passing(format!("S3 at {host} answered {said}")),
            300..=399 => {
                let region: String = read.region.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                Self::Final(
                    format!("S3 at {host} says that the bucket is elsewhere ({said}) {region}").trim().to_owned(),
                )
            }
            _ => Self::Forbidden(said),
        }
    }

    /// Of a key that no URL means.
    pub(super) fn unspeakable() -> Self {
        Self::Forbidden("its key has '.' or '..' as a part of its path and can't be asked for".to_owned())
    }

    pub(super) fn into_failure(self, host: &str) -> Failure {
        match self {
            Self::Passing(text) => Failure::Source(SourceError::Unreachable(text)),
            Self::Key(message) => {
                Failure::Source(SourceError::Refused { message, category: ErrorCategory::ApiKeyInvalid })
            }
            Self::Final(text) => Failure::Source(SourceError::Failed(text)),
            Self::Missing(said) if said.contains("NoSuchBucket") => {
                Failure::Source(SourceError::Misconfigured(format!("S3 at {host} has no such bucket")))
            }
            object @ (Self::Missing(_) | Self::Forbidden(_)) => Failure::Object(object),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passing(text) | Self::Key(text) | Self::Missing(text) | Self::Forbidden(text) | Self::Final(text) => {
                f.write_str(text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, code: &str) -> Refusal {
        let body =
            format!("<Error><Code>{code}</Code><Message>AKIA geheim</Message><Region>eu-west-1</Region></Error>");
        Refusal::of("h", StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn a_refusal_concerns_the_object_the_key_or_the_moment() {
        assert!(matches!(of(403, "AccessDenied"), Refusal::Forbidden(_)));
        assert!(matches!(of(403, "InvalidObjectState"), Refusal::Forbidden(_)));
        assert!(matches!(of(412, "PreconditionFailed"), Refusal::Forbidden(_)));
        assert!(matches!(of(404, "NoSuchKey"), Refusal::Missing(_)));
        assert!(matches!(of(403, "SignatureDoesNotMatch"), Refusal::Key(_)));
        assert!(matches!(of(503, "SlowDown"), Refusal::Passing(_)));
        assert!(matches!(of(500, ""), Refusal::Passing(_)));
        let moved = of(301, "PermanentRedirect");
        assert!(matches!(&moved, Refusal::Final(text) if text.contains("eu-west-1")), "{moved}");
    }

    #[test]
    fn only_the_code_is_shown() {
        for status in [301, 400, 401, 403, 404, 500] {
            let text = of(status, "Some<b>Code\n!").to_string();
            assert!(!text.contains("geheim") && !text.contains('<'), "{text}");
        }
        assert!(matches!(of(404, "NoSuchBucket").into_failure("h"), Failure::Source(SourceError::Misconfigured(_))));
    }
}
