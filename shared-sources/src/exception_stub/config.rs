//! How it fails: when the connection is made, or when it runs.

use serde::Deserialize;
use shared_models::job::ErrorCategory;

/// Defines an enum whose variants have one name in config and texts.
macro_rules! named {
    ($(#[doc = $doc:literal])+ $name:ident, { $($(#[doc = $vdoc:literal])+ $variant:ident = $text:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, Deserialize)]
        pub(crate) enum $name {
            $($(#[doc = $vdoc])+ #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// The names of all of them.
            pub(super) const NAMES: &'static [&'static str] = &[$($text,)+];

            /// Its name.
            pub(super) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

named! {
    /// What goes wrong.
    ExceptionType, {
        /// The source is at fault.
        RuntimeError = "runtime_error",
        /// The provider refuses the credentials.
        SourceAuthError = "source_auth_error",
        /// An access token can't be renewed.
        SourceTokenRefreshError = "source_token_refresh_error",
        /// The provider is at fault.
        SourceServerError = "source_server_error",
        /// The provider is asked too often.
        SourceRateLimitError = "source_rate_limit_error",
        /// An entity isn't there any more.
        SourceEntityNotFound = "source_entity_not_found",
        /// An entity may not be read.
        SourceEntityForbidden = "source_entity_forbidden",
        /// A token ran out.
        TokenExpired = "token_expired",
        /// The token's provider refuses what a token is asked with.
        TokenCredentialsInvalid = "token_credentials_invalid",
        /// The token's provider is set up wrongly.
        TokenProviderConfigError = "token_provider_config_error",
        /// The token's provider is at fault.
        TokenProviderServerError = "token_provider_server_error",
        /// The provider doesn't answer in time.
        Timeout = "timeout",
        /// The source breaks off by itself; nobody asked the job to stop, so it fails.
        Cancelled = "cancelled",
    }
}

named! {
    /// Where the credentials that are refused come from.
    AuthProviderKind, {
        /// OAuth.
        Oauth = "oauth",
        /// A fixed token.
        Static = "static",
        /// Another service that keeps them.
        AuthProvider = "auth_provider",
        /// Credentials given to us.
        Credential = "credential",
    }
}

/// The config of `exception_stub`, as the catalogue validated it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Config {
    /// Entities, the container included.
    pub(super) entity_count: u32,
    /// Everything that is made up follows from it.
    pub(super) seed: i64,
    /// What goes wrong.
    pub(super) exception_type: ExceptionType,
    /// Decides the error category, where the credentials are at fault.
    pub(super) auth_provider_kind: AuthProviderKind,
    trigger_after: i64,
    error_message: Option<String>,
    /// Whether it goes wrong at create already.
    pub(super) fail_on_validate: bool,
}

impl Config {
    /// After how many entities, the container not counted, it goes wrong; `None` if never.
    #[must_use]
    pub(super) fn fails_after(&self) -> Option<u32> {
        let entities = self.entity_count.saturating_sub(1);
        if self.trigger_after < 0 {
            return Some(entities);
        }
        u32::try_from(self.trigger_after).ok().filter(|after| *after <= entities)
    }

    /// What the failure says.
    #[must_use]
    pub(super) fn message(&self) -> String {
        let after = if self.trigger_after < 0 { i64::from(self.entity_count) - 1 } else { self.trigger_after };
        match self.error_message.as_deref() {
            None | Some("") => {
                format!(
                    "[ExceptionStub] {} triggered after {after} entities (simulated failure)",
                    self.exception_type.as_str()
                )
            }
            Some(given) => given.to_owned(),
        }
    }

    /// What the owner of the credentials must mend, if anything.
    #[must_use]
    pub(super) const fn category(&self) -> Option<ErrorCategory> {
        match self.exception_type {
            ExceptionType::SourceTokenRefreshError | ExceptionType::TokenExpired => {
                Some(ErrorCategory::OauthCredentialsExpired)
            }
            ExceptionType::SourceAuthError | ExceptionType::TokenCredentialsInvalid => {
                Some(match self.auth_provider_kind {
                    AuthProviderKind::Oauth => ErrorCategory::OauthCredentialsExpired,
                    AuthProviderKind::Static | AuthProviderKind::Credential => ErrorCategory::ApiKeyInvalid,
                    AuthProviderKind::AuthProvider => ErrorCategory::AuthProviderCredentialsInvalid,
                })
            }
            ExceptionType::RuntimeError
            | ExceptionType::SourceServerError
            | ExceptionType::SourceRateLimitError
            | ExceptionType::SourceEntityNotFound
            | ExceptionType::SourceEntityForbidden
            | ExceptionType::TokenProviderConfigError
            | ExceptionType::TokenProviderServerError
            | ExceptionType::Timeout
            | ExceptionType::Cancelled => None,
        }
    }

    /// What its own validation says, if it was asked to fail there.
    pub(super) fn rejection(&self) -> Option<String> {
        self.fail_on_validate.then(|| match self.exception_type {
            // The provider's own words might tell of credentials.
            ExceptionType::SourceAuthError => "Invalid or revoked OAuth access token for source 'exception_stub'. \
                                               Verify the token with the provider and try again."
                .to_owned(),
            ExceptionType::RuntimeError | ExceptionType::Timeout | ExceptionType::Cancelled => {
                format!("Validation failed for exception_stub: {}", self.message())
            }
            ExceptionType::SourceTokenRefreshError
            | ExceptionType::SourceServerError
            | ExceptionType::SourceRateLimitError
            | ExceptionType::SourceEntityNotFound
            | ExceptionType::SourceEntityForbidden
            | ExceptionType::TokenExpired
            | ExceptionType::TokenCredentialsInvalid
            | ExceptionType::TokenProviderConfigError
            | ExceptionType::TokenProviderServerError => self.message(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Source, ValidatedFields};

    fn config(given: Value) -> ValidatedFields {
        Source::ExceptionStub.check_config(given.as_object().unwrap(), None).unwrap()
    }

    fn stub(given: Value) -> Config {
        Config::deserialize(&Value::Object(config(given))).unwrap()
    }

    #[test]
    fn it_fails_where_it_was_asked_to() {
        for (count, trigger, after) in
            [(10, 5, Some(5)), (10, 0, Some(0)), (10, -1, Some(9)), (10, 9, Some(9)), (10, 10, None), (1, -1, Some(0))]
        {
            let stub = stub(json!({"entity_count": count, "trigger_after": trigger}));
            assert_eq!(stub.fails_after(), after, "{count} {trigger}");
        }
        let text = "[ExceptionStub] timeout triggered after 9 entities (simulated failure)";
        assert_eq!(stub(json!({"exception_type": "timeout", "trigger_after": -1})).message(), text);
        assert_eq!(stub(json!({"error_message": "own words"})).message(), "own words");
        assert!(stub(json!({"error_message": ""})).message().starts_with("[ExceptionStub] runtime_error"));
    }

    #[test]
    fn only_failures_of_credentials_have_a_category() {
        let category = |kind: &str, provider: &str| {
            stub(json!({"exception_type": kind, "auth_provider_kind": provider})).category()
        };
        for kind in ["source_auth_error", "token_credentials_invalid"] {
            assert_eq!(category(kind, "oauth"), Some(ErrorCategory::OauthCredentialsExpired));
            assert_eq!(category(kind, "static"), Some(ErrorCategory::ApiKeyInvalid));
            assert_eq!(category(kind, "credential"), Some(ErrorCategory::ApiKeyInvalid));
            assert_eq!(category(kind, "auth_provider"), Some(ErrorCategory::AuthProviderCredentialsInvalid));
        }
        for kind in ["source_token_refresh_error", "token_expired"] {
            assert_eq!(category(kind, "static"), Some(ErrorCategory::OauthCredentialsExpired));
        }
        let others = ExceptionType::NAMES.iter().filter(|kind| category(kind, "oauth").is_none());
        assert_eq!(others.count(), 9);
    }

    #[test]
    fn its_own_validation_fails_only_on_request() {
        let of = |given: Value| Source::ExceptionStub.refuse_config(&config(given));
        assert_eq!(of(json!({"exception_type": "source_auth_error"})), None);
        let asked =
            |kind: &str| json!({"fail_on_validate": true, "exception_type": kind, "error_message": "own words"});
        let refused = of(asked("source_auth_error")).unwrap();
        assert!(refused.starts_with("Invalid or revoked OAuth access token for source 'exception_stub'."), "{refused}");
        assert_eq!(of(asked("token_expired")).unwrap(), "own words");
        let text = "Validation failed for exception_stub: own words";
        assert_eq!(of(asked("timeout")).unwrap(), text);
    }
}
