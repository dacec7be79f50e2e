//! The ARF store: everything under the sync's prefix, the manifest last.
//!
//! Never by the manifest: blobs without one are found all the same. A storage error is an error, never "not there".

use std::collections::BTreeMap;
use std::time::Duration;

use shared_models::SyncId;
use shared_stores::{ArfError, ArfStore};
use tokio::time::{Instant, timeout};

use super::{Holding, Slice, SliceLimits};
use crate::machine::{SliceEnd, Sliced};

/// The first page of a listing, which decides about "nothing".
const LOOK_TIMEOUT: Duration = Duration::from_secs(20);
/// A whole listing: as many calls as the prefix has thousands of blobs, each with its own limit in the client.
const COUNT_TIMEOUT: Duration = Duration::from_mins(10);
/// What a call may take beyond its slice.
const SLICE_OVERRUN: Duration = Duration::from_secs(12);
/// So many blobs are counted by a look: no store lists more in one answer.
const MOST_COUNTED: u64 = 1_000;

pub(super) async fn look(arf: &ArfStore, sync: SyncId) -> Result<Holding, ArfError> {
    let counted = within(LOOK_TIMEOUT, arf.count_up_to(sync, MOST_COUNTED)).await?;
    Ok(counted.map_or(Holding::Uncounted, Holding::of))
}

pub(super) async fn count(arf: &ArfStore, sync: SyncId) -> Result<u64, ArfError> {
    Ok(within(COUNT_TIMEOUT, arf.list_counts(sync)).await?.total())
}

pub(super) async fn purge(arf: &ArfStore, sync: SyncId, limits: SliceLimits<'_>) -> Slice {
    let slice = limits.deadline.saturating_duration_since(Instant::now());
    let (removed, end, error) = match within(slice + SLICE_OVERRUN, arf.purge(sync, slice)).await {
        Ok(step) if step.finished => (step.removed.by_kind(), SliceEnd::Exhausted, None),
        Ok(step) => (step.removed.by_kind(), SliceEnd::TimeOver, None),
        Err(error) => (BTreeMap::new(), SliceEnd::HeldBack, Some(error.into())),
    };
    Slice { done: Sliced { removed, next_slot: 0, end }, error }
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, ArfError>>) -> Result<T, ArfError> {
    timeout(limit, call).await.unwrap_or(Err(ArfError::Unanswered(limit)))
}
