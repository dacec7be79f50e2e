//! The ARF store: everything under the sync's prefix, the manifest last.
//!
//! Never by the manifest: blobs without one are found all the same. A storage error is an error, never "not there".

use std::collections::BTreeMap;
use std::time::Duration;

use shared_models::SyncId;
use shared_stores::arf::PurgeEnd;
use shared_stores::{ArfError, ArfStore};
use tokio::time::{Instant, timeout};

use super::{Holding, Slice, SliceLimits};
use crate::machine::{SliceEnd, Sliced};

/// The first page of a listing, which decides about "nothing".
const LOOK_TIMEOUT: Duration = Duration::from_secs(20);
/// A whole listing: as many calls as the prefix has thousands of blobs, each with its own limit in the client.
const COUNT_TIMEOUT: Duration = Duration::from_mins(10);
/// What a call may take beyond its slice: a page that was begun, with what is repeated of it.
const SLICE_OVERRUN: Duration = Duration::from_secs(15);
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
    let limit = slice + SLICE_OVERRUN;
    let Ok(step) = timeout(limit, arf.purge(sync, slice)).await else {
        return held_back(BTreeMap::new(), ArfError::Unanswered(limit));
    };
    let removed = step.removed.by_kind();
    match step.end {
        PurgeEnd::Exhausted => done(removed, SliceEnd::Exhausted),
        PurgeEnd::TimeOver => done(removed, SliceEnd::TimeOver),
        PurgeEnd::Failed(error) => held_back(removed, error),
    }
}

const fn done(removed: BTreeMap<String, u64>, end: SliceEnd) -> Slice {
    Slice { done: Sliced { removed, next_slot: 0, end }, error: None }
}

fn held_back(removed: BTreeMap<String, u64>, error: ArfError) -> Slice {
    Slice { error: Some(error.into()), ..done(removed, SliceEnd::HeldBack) }
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, ArfError>>) -> Result<T, ArfError> {
    timeout(limit, call).await.unwrap_or(Err(ArfError::Unanswered(limit)))
}
