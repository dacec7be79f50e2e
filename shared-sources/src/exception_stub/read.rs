//! Yields entities, and fails.

use super::config::{Config, ExceptionType};

use crate::testing::Plain;
use crate::{EntitySink, ReadSummary, SourceError};

/// Yields the container and up to `entity_count` - 1 entities, unless it fails before.
pub(super) async fn read(config: &Config, sink: &EntitySink) -> Result<ReadSummary, SourceError> {
    let family = Plain { prefix: "exception-stub", title: "Exception stub container", seed: config.seed };
    sink.send(family.container(config.entity_count)).await?;
    let entities = config.entity_count.saturating_sub(1);
    for index in 0..config.fails_after().unwrap_or(entities) {
        sink.send(family.entity(index)).await?;
    }
    match config.fails_after() {
        Some(_) => Err(failure(config)),
        None => Ok(ReadSummary::everything()),
    }
}

fn failure(config: &Config) -> SourceError {
    let message = config.message();
    if let Some(category) = config.category() {
        return SourceError::Refused { message, category };
    }
    match config.exception_type {
        ExceptionType::SourceServerError
        | ExceptionType::SourceRateLimitError
        | ExceptionType::TokenProviderServerError
        | ExceptionType::Timeout => SourceError::Unreachable(message),
        ExceptionType::TokenProviderConfigError => SourceError::Misconfigured(message),
        ExceptionType::RuntimeError
        | ExceptionType::SourceEntityNotFound
        | ExceptionType::SourceEntityForbidden
        | ExceptionType::Cancelled
        | ExceptionType::SourceAuthError
        | ExceptionType::SourceTokenRefreshError
        | ExceptionType::TokenExpired
        | ExceptionType::TokenCredentialsInvalid => SourceError::Failed(message),
    }
}
