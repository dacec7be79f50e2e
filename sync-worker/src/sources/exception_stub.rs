//! `exception_stub`: a container, some entities, and a failure of a chosen kind. For tests of failing syncs.
//!
//! What fails and what it says is in [`shared_models::source::exception_stub`]; here it becomes an error of the source.
//! `cancelled` fails the job as well: nobody has asked it to stop, so it must not look as if somebody had.

use shared_models::source::exception_stub::{ExceptionStub, ExceptionType};

use super::stub::Plain;
use super::{EntitySink, ReadSummary, SourceError};

/// Yields the container and up to `entity_count` - 1 entities, unless it fails before.
pub(super) async fn read(config: &ExceptionStub, sink: &EntitySink) -> Result<ReadSummary, SourceError> {
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

fn failure(config: &ExceptionStub) -> SourceError {
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
