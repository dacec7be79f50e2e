//! Why work on a cleanup stops before its end.

use std::sync::Arc;

use shared_database::DatabaseError;
use shared_database::cleanups::ClaimError;
use shared_models::PurgeTarget;
use shared_models::receipt::ReceiptError;

use crate::machine::NoHeadway;
use crate::targets::StoreError;

/// Why an attempt failed. Texts name no entity and no content.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// A store failed, or its answer can't be trusted.
    #[error("{0}")]
    Store(#[from] Arc<StoreError>),
    /// Going on would be a loop.
    #[error(transparent)]
    NoHeadway(#[from] NoHeadway),
    /// PostgreSQL failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The receipt can't be signed.
    #[error("sign receipt: {0}")]
    Receipt(#[from] ReceiptError),
    /// The row names a target that was never looked at.
    #[error("a target was never verified")]
    Unverified,
    /// It panicked: a fault of ours, which the log tells.
    #[error("the worker has a fault: its log says which")]
    Internal,
    /// The claim is somebody else's.
    #[error("claim on the cleanup is lost")]
    Lost,
}

/// Why work on one target stopped. Cheap to clone: one answer may be that of many cleanups.
#[derive(Debug, Clone)]
pub(crate) enum TargetFailure {
    /// The store failed, or its answer can't be trusted.
    Store(Arc<StoreError>),
    /// Going on would be a loop.
    NoHeadway(NoHeadway),
    /// It panicked.
    Internal,
}

impl AttemptError {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::NoHeadway(NoHeadway(PurgeTarget::Vespa)) => "vespa_no_headway",
            Self::NoHeadway(NoHeadway(PurgeTarget::Arf)) => "arf_no_headway",
            Self::Database(_) => "database",
            Self::Receipt(_) => "receipt",
            Self::Unverified => "unverified",
            Self::Internal => "internal",
            Self::Lost => "claim_lost",
        }
    }
}

impl AttemptError {
    /// The text that is stored in the row, which its organization may read: no servers, no paths.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Database(_) => "PostgreSQL failed".to_owned(),
            Self::Store(error) if matches!(**error, StoreError::Pace(_)) => "PostgreSQL failed".to_owned(),
            Self::Store(_) | Self::NoHeadway(_) | Self::Receipt(_) | Self::Unverified | Self::Internal | Self::Lost => {
                self.to_string()
            }
        }
    }
}

impl From<StoreError> for AttemptError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<StoreError> for TargetFailure {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<NoHeadway> for TargetFailure {
    fn from(stuck: NoHeadway) -> Self {
        Self::NoHeadway(stuck)
    }
}

impl From<TargetFailure> for AttemptError {
    fn from(failure: TargetFailure) -> Self {
        match failure {
            TargetFailure::Store(error) => Self::Store(error),
            TargetFailure::NoHeadway(stuck) => Self::NoHeadway(stuck),
            TargetFailure::Internal => Self::Internal,
        }
    }
}

impl From<ClaimError> for AttemptError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Lost(_) => Self::Lost,
            ClaimError::Database(error) => Self::Database(error),
        }
    }
}
