//! The ARF store: everything under the sync's prefix, the manifest last.
//!
//! Never by the manifest: blobs without one are found all the same. A storage error is an error, never "not there".

use std::time::Duration;

use shared_models::SyncId;
use shared_stores::{ArfError, ArfStore};
use tokio::time::{Instant, timeout};

use super::{Holding, Slice, SliceLimits};
use crate::machine::SliceEnd;

/// One page of a listing.
const LOOK_TIMEOUT: Duration = Duration::from_secs(20);
/// A whole listing: as many calls as the prefix has thousands of blobs, each with its own limit in the client.
const COUNT_TIMEOUT: Duration = Duration::from_mins(10);
/// What a call may take beyond its slice.
const SLICE_OVERRUN: Duration = Duration::from_secs(12);

pub(super) async fn look(arf: &ArfStore, sync: SyncId) -> Result<Holding, ArfError> {
    if within(LOOK_TIMEOUT, arf.is_empty(sync)).await? {
        return Ok(Holding::Nothing);
    }
    let counts = within(COUNT_TIMEOUT, arf.list_counts(sync)).await?;
    Ok(Holding::Some(counts.by_kind()))
}

pub(super) async fn purge(arf: &ArfStore, sync: SyncId, limits: SliceLimits<'_>) -> Slice {
    let slice = limits.deadline.saturating_duration_since(Instant::now());
    match within(slice + SLICE_OVERRUN, arf.purge(sync, slice)).await {
        Ok(step) if step.finished => Slice { removed: step.removed, end: Ok(SliceEnd::Exhausted) },
        Ok(step) => Slice { removed: step.removed, end: Ok(SliceEnd::TimeOver) },
        Err(error) => Slice { removed: 0, end: Err(error.into()) },
    }
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, ArfError>>) -> Result<T, ArfError> {
    timeout(limit, call).await.unwrap_or(Err(ArfError::Unanswered(limit)))
}
