//! Vespa, slice by slice of a sync: ids by a range of the purge key, then removal by id over HTTP/2.
//!
//! Each document is examined when the look counts it and when it is listed, so the cost follows what is removed,
//! whatever the size of the sync or of the corpus. Documents without a purge key, of earlier versions and of other
//! systems, are listed at the end by the sync's id alone; a sync of less than a page is listed by that at once.
//! Acknowledged removals that are listed again are an error, not a reason to go round for ever.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU32;
use std::time::Duration;

use shared_models::{SlotRange, SyncId};
use shared_stores::vespa::{IdPage, MAX_PAGE, MOST_COUNTED, Part, RemoveLimits, StoredId};
use shared_stores::{VespaClient, VespaError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Holding, Position, Slice, SliceLimits, StoreError};
use crate::machine::{SliceEnd, Sliced};

/// So many syncs are looked at in one query.
pub(crate) const MOST_LOOKS: usize = MOST_COUNTED;
const QUERY_TIMEOUT: Duration = Duration::from_secs(8);
const REMOVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Documents in one range of the purge key, about.
const RANGE: u64 = 2_000;
/// Removals between two looks at the clock and the stop signal.
const BATCH: usize = 1_000;
/// What removing a page may take beyond the slice. It gets at least this long, or a slow Vespa would never be emptied.
const OVERRUN: Duration = Duration::from_secs(3);

/// What each of the syncs holds, in one query.
pub(super) async fn look(vespa: &VespaClient, syncs: &[SyncId]) -> Result<BTreeMap<SyncId, Holding>, VespaError> {
    let counts = vespa.counts(syncs, QUERY_TIMEOUT).await?;
    Ok(counts.into_iter().map(|(sync, count)| (sync, Holding::of(count.get()))).collect())
}

pub(super) async fn count(vespa: &VespaClient, sync: SyncId) -> Result<u64, VespaError> {
    Ok(vespa.count(sync, QUERY_TIMEOUT).await?.get())
}

pub(super) async fn purge(vespa: &VespaClient, sync: SyncId, position: Position, limits: SliceLimits<'_>) -> Slice {
    let ranges = Ranges::of(position, limits.capacity());
    let mut purge = Purge { vespa, sync, limits, began: Instant::now(), removed: BTreeMap::new(), ranges };
    let end = purge.run().await;
    let (end, error) = match end {
        Ok(end) => (end, None),
        Err(error) => (SliceEnd::HeldBack, Some(error)),
    };
    Slice { done: Sliced { removed: purge.removed, next_slot: purge.ranges.next, end }, error }
}

/// The ranges that are left of a round.
#[derive(Debug, Clone, Copy)]
struct Ranges {
    /// The lowest slot that isn't known to be empty.
    next: u32,
    width: NonZeroU32,
}

impl Ranges {
    /// Of about [`RANGE`] documents each, or of what a slice may remove if that is less: what is listed and not removed
    /// within the slice is listed again in the next. What fits into one slice and one page needs no ranges.
    fn of(position: Position, capacity: u64) -> Self {
        let fits_one_page = position.found <= capacity.min(u64::from(MAX_PAGE));
        let ranges = position.found.div_ceil(RANGE.min(capacity).max(1)).max(1);
        let width = u32::try_from(u64::from(SlotRange::SLOTS) / ranges).ok().and_then(NonZeroU32::new);
        let next = if fits_one_page { SlotRange::SLOTS } else { position.next_slot };
        Self { next, width: width.unwrap_or(NonZeroU32::MIN) }
    }

    fn first(self) -> Option<SlotRange> {
        SlotRange::starting_at(self.next, self.width)
    }

    fn after(self, range: SlotRange) -> Self {
        Self { next: range.end(), ..self }
    }
}

/// One slice. It ends between two ranges, unless Vespa is slow.
struct Purge<'a> {
    vespa: &'a VespaClient,
    sync: SyncId,
    limits: SliceLimits<'a>,
    began: Instant,
    removed: BTreeMap<String, u64>,
    ranges: Ranges,
}

/// A page, or none because of the signal to stop.
type Listed = Result<Option<IdPage>, VespaError>;

impl Purge<'_> {
    async fn run(&mut self) -> Result<SliceEnd, StoreError> {
        let mut listed: Option<Listed> = None;
        while let Some(range) = self.ranges.first() {
            if self.limits.is_over() {
                return Ok(SliceEnd::TimeOver);
            }
            let page = match listed.take() {
                Some(page) => page?,
                None => self.list(Part::Slots(range)).await?,
            };
            let Some(page) = page else { return Ok(SliceEnd::TimeOver) };
            let next = self.ranges.after(range);
            let ahead = next.first().filter(|_| page.is_complete && self.has_time_for(page.ids.len()));
            let ahead = list_ahead(self.vespa, self.sync, ahead, self.limits.stop);
            let (end, ahead) = futures::join!(self.empty(Part::Slots(range), page), ahead);
            if let Some(end) = end? {
                return Ok(end);
            }
            (self.ranges, listed) = (next, ahead);
        }
        if self.limits.is_over() {
            return Ok(SliceEnd::TimeOver);
        }
        let Some(page) = self.list(Part::Whole).await? else { return Ok(SliceEnd::TimeOver) };
        Ok(self.empty(Part::Whole, page).await?.unwrap_or(SliceEnd::Exhausted))
    }

    /// Whether so many more will be removed before the slice's time is over, going by those of this slice: what is
    /// listed ahead in vain is listed again.
    fn has_time_for(&self, documents: usize) -> bool {
        let removed = u32::try_from(self.removed.values().sum::<u64>()).unwrap_or(u32::MAX);
        let documents = u32::try_from(documents).unwrap_or(u32::MAX);
        let each = self.began.elapsed().checked_div(removed);
        each.is_some_and(|each| Instant::now() + each.saturating_mul(documents) < self.limits.deadline)
    }

    async fn list(&self, part: Part) -> Listed {
        self.limits.stop.run_until_cancelled(list(self.vespa, self.sync, part)).await.transpose()
    }

    /// Removes what is listed, and lists again, until a complete page has been removed. `Some` if the slice ends
    /// before.
    async fn empty(&mut self, part: Part, mut page: IdPage) -> Result<Option<SliceEnd>, StoreError> {
        loop {
            if let Some(end) = self.remove(&page.ids).await? {
                return Ok(Some(end));
            }
            if page.is_complete {
                return Ok(None);
            }
            if self.limits.is_over() {
                return Ok(Some(SliceEnd::TimeOver));
            }
            let gone: HashSet<StoredId> = page.ids.into_iter().collect();
            let Some(next) = self.list(part).await? else { return Ok(Some(SliceEnd::TimeOver)) };
            page = next;
            if !page.is_complete && page.ids.is_empty() {
                return Err(untrustworthy("an empty page that doesn't cover everything"));
            }
            if !page.ids.is_empty() && page.ids.iter().all(|id| gone.contains(id)) {
                return Err(untrustworthy("documents are listed whose removal was acknowledged"));
            }
        }
    }

    /// Removes them all, or says why the slice ends.
    async fn remove(&mut self, ids: &[StoredId]) -> Result<Option<SliceEnd>, StoreError> {
        // What was listed is removed, though the slice's time is over, or it would have to be listed again.
        let deadline = self.limits.deadline + OVERRUN;
        for batch in ids.chunks(BATCH.min(self.limits.pace.batch())) {
            if self.limits.stop.is_cancelled() {
                return Ok(Some(SliceEnd::TimeOver));
            }
            if !self.limits.pace.wait(batch.len(), deadline, self.limits.stop).await? {
                return Ok(Some(if self.limits.stop.is_cancelled() { SliceEnd::TimeOver } else { SliceEnd::HeldBack }));
            }
            let outcome = self.vespa.remove_many(batch, remove_limits(deadline)).await;
            for (kind, count) in outcome.removed_by_type {
                *self.removed.entry(kind.to_string()).or_default() += count;
            }
            match outcome.first_error {
                Some(error) if outcome.removed == 0 => return Err(error.into()),
                // What failed is listed again in the next slice.
                Some(_) => return Ok(Some(SliceEnd::TimeOver)),
                None if outcome.not_started > 0 => return Ok(Some(SliceEnd::TimeOver)),
                None => {}
            }
        }
        Ok(None)
    }
}

fn untrustworthy(why: &str) -> StoreError {
    VespaError::Untrustworthy(why.to_owned()).into()
}

/// Lists a range while another one is being removed.
async fn list_ahead(
    vespa: &VespaClient,
    sync: SyncId,
    range: Option<SlotRange>,
    stop: &CancellationToken,
) -> Option<Listed> {
    let listed = list(vespa, sync, Part::Slots(range?));
    Some(stop.run_until_cancelled(listed).await.transpose())
}

async fn list(vespa: &VespaClient, sync: SyncId, part: Part) -> Result<IdPage, VespaError> {
    vespa.page_of_ids(sync, part, MAX_PAGE, QUERY_TIMEOUT).await
}

fn remove_limits(deadline: Instant) -> RemoveLimits {
    let total = deadline.saturating_duration_since(Instant::now());
    RemoveLimits { request_timeout: REMOVE_TIMEOUT, total, ..RemoveLimits::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_about_as_many_documents_whatever_the_size_of_the_sync() {
        let of = |found, capacity| Ranges::of(Position { found, next_slot: 7 }, capacity);
        assert_eq!(of(0, u64::MAX).next, SlotRange::SLOTS);
        assert_eq!(of(10_000, u64::MAX).next, SlotRange::SLOTS, "one page");
        assert_eq!(of(10_001, u64::MAX).next, 7);
        assert_eq!(of(501, 500).next, 7, "more than a slice may remove");
        for (found, capacity, width) in [
            (0, u64::MAX, 32_768),
            (2_000, u64::MAX, 32_768),
            (2_001, u64::MAX, 16_384),
            (1_000_000, u64::MAX, 65),
            (u64::MAX, u64::MAX, 1),
            (2_000, 500, 8_192),
            (2_000, 0, 16),
        ] {
            assert_eq!(of(found, capacity).width.get(), width, "{found} {capacity}");
        }
    }
}
