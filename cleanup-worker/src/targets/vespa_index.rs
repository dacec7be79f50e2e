//! Vespa by way of its index on sync_id: ids by query, always from offset 0, then removal by id over HTTP/2.
//!
//! The cost follows what is deleted, not the corpus, and ids of any form are found. Acknowledged removals that are
//! listed again are an error, not a reason to go round for ever.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use shared_models::SyncId;
use shared_stores::vespa::{RemoveLimits, StoredId};
use shared_stores::{VespaClient, VespaError};
use tokio::time::Instant;

use super::{Holding, Slice, SliceLimits};
use crate::machine::SliceEnd;
use crate::schedule::Pace;

const QUERY_TIMEOUT: Duration = Duration::from_secs(8);
const REMOVE_TIMEOUT: Duration = Duration::from_secs(5);
const PAGE: u32 = 4_000;
/// Removals between two looks at the clock and the stop signal.
const BATCH: usize = 1_000;
/// Removing gets at least this long after a slow query, or a slow Vespa would never be emptied.
const LEAST_REMOVAL_TIME: Duration = Duration::from_secs(1);

/// One query decides about "nothing"; the numbers by type, which take five more, are for the receipt.
pub(super) async fn look(vespa: &VespaClient, sync: SyncId) -> Result<Holding, VespaError> {
    if vespa.count(sync, QUERY_TIMEOUT).await?.is_zero() {
        return Ok(Holding::Nothing);
    }
    let by_type = vespa.counts_by_type(sync, QUERY_TIMEOUT).await?;
    let held: BTreeMap<String, u64> =
        by_type.into_iter().filter(|(_, count)| *count > 0).map(|(kind, count)| (kind.to_string(), count)).collect();
    Ok(Holding::Some(held))
}

pub(super) async fn purge(vespa: &VespaClient, pace: &Pace, sync: SyncId, limits: SliceLimits<'_>) -> Slice {
    let mut removed = 0;
    let end = purge_pages(vespa, pace, sync, limits, &mut removed).await;
    Slice { removed, end: end.map_err(Into::into) }
}

async fn purge_pages(
    vespa: &VespaClient,
    pace: &Pace,
    sync: SyncId,
    limits: SliceLimits<'_>,
    removed: &mut u64,
) -> Result<SliceEnd, VespaError> {
    let mut gone: HashSet<StoredId> = HashSet::new();
    loop {
        let query = vespa.page_of_ids(sync, page_size(pace), QUERY_TIMEOUT);
        let Some(page) = limits.stop.run_until_cancelled(query).await else { return Ok(SliceEnd::TimeOver) };
        let page = page?;
        if page.is_empty() {
            return Ok(SliceEnd::Exhausted);
        }
        if page.iter().all(|id| gone.contains(id)) {
            return Err(VespaError::Untrustworthy("documents are listed whose removal was acknowledged".to_owned()));
        }
        gone.clear();
        for batch in page.chunks(BATCH.min(pace.batch())) {
            if !pace.wait(batch.len(), limits.deadline, limits.stop).await {
                return Ok(if limits.stop.is_cancelled() { SliceEnd::TimeOver } else { SliceEnd::HeldBack });
            }
            let outcome = vespa.remove_many(batch, remove_limits(limits.deadline)).await;
            *removed += outcome.removed;
            match outcome.first_error {
                Some(error) if outcome.removed == 0 => return Err(error),
                // What failed is listed again in the next slice.
                Some(_) => return Ok(SliceEnd::TimeOver),
                None => gone.extend(batch.iter().cloned()),
            }
            if limits.stop.is_cancelled() || Instant::now() >= limits.deadline {
                return Ok(SliceEnd::TimeOver);
            }
        }
    }
}

/// No more than about a slice's worth under the limit on documents per second.
fn page_size(pace: &Pace) -> u32 {
    u32::try_from(pace.batch().saturating_mul(50)).unwrap_or(PAGE).min(PAGE)
}

fn remove_limits(deadline: Instant) -> RemoveLimits {
    let left = deadline.saturating_duration_since(Instant::now());
    let total = left.max(LEAST_REMOVAL_TIME);
    RemoveLimits { request_timeout: REMOVE_TIMEOUT, total, ..RemoveLimits::default() }
}
