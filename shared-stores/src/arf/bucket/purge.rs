//! A slice of the purge of one sync's blobs.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::{Stream, StreamExt as _, stream};
use tokio::time::Instant;

use super::Result;
use super::listing::Listing;
use super::object::{Page, Refusals, Removal};
use super::walk::Walk;
use crate::arf::{ArfError, BlobCounts, PurgeEnd, PurgeStep, name};

/// Pages that are removed at the same time. S3 takes 3 500 removals a second below a prefix.
const PAGES_AT_ONCE: usize = 3;

/// Removes what is below a prefix, page by page, some at the same time. Pages begun before the deadline are finished,
/// so it overruns by a few requests. What the store refuses to remove keeps nothing else in place but the manifest.
pub(super) struct Purge<'a> {
    listing: &'a Listing,
    prefix: String,
    deadline: Instant,
    removed: BlobCounts,
    refusals: Refusals,
}

impl<'a> Purge<'a> {
    pub(super) fn new(listing: &'a Listing, prefix: String, deadline: Instant) -> Self {
        Self { listing, prefix, deadline, removed: BlobCounts::default(), refusals: Refusals::default() }
    }

    pub(super) async fn run(mut self) -> PurgeStep {
        let end = self.until_its_end().await.unwrap_or_else(PurgeEnd::Failed);
        PurgeStep { removed: self.removed, end }
    }

    async fn until_its_end(&mut self) -> Result<PurgeEnd> {
        let manifest = format!("{}{}", self.prefix, name::MANIFEST);
        // The manifest is listed like all else, by the whole prefix: Azure's client leaves out what equals the prefix.
        for kept in [Some(manifest.as_str()), None] {
            let reached_end = self.remove_all_but(kept).await?;
            let is_in_vain = self.removed.total() == 0;
            if let Some(reason) = self.refusals.reason.take().filter(|_| reached_end || is_in_vain) {
                return Err(ArfError::Refused { count: self.refusals.count, reason });
            }
            if !reached_end {
                return Ok(PurgeEnd::TimeOver);
            }
        }
        Ok(PurgeEnd::Exhausted)
    }

    /// Whether it reached the end in time. After a failure no further page is begun, and those that were are waited
    /// for: what they removed counts.
    async fn remove_all_but(&mut self, kept: Option<&str>) -> Result<bool> {
        let (listing, prefix, deadline, is_over) =
            (self.listing, self.prefix.clone(), self.deadline, AtomicBool::new(false));
        let walk = Walk::new(listing.clone(), prefix.clone(), None);
        let removals = pages(walk, deadline, &is_over)
            .map(|page| remove_page(listing, page, kept))
            .buffer_unordered(PAGES_AT_ONCE);
        let mut removals = std::pin::pin!(removals);
        let mut failure = None;
        while let Some(removal) = removals.next().await {
            removal.removed.iter().for_each(|object| self.removed.add(object.below(&prefix)));
            self.refusals.add(removal.refusals);
            if removal.failure.is_some() {
                is_over.store(true, Ordering::Relaxed);
            }
            failure = failure.or(removal.failure);
        }
        failure.map_or(Ok(!is_over.load(Ordering::Relaxed)), Err)
    }
}

/// All pages, one after the other, until `is_over`; after the deadline, which sets that, none is begun but the first.
fn pages(walk: Walk, deadline: Instant, is_over: &AtomicBool) -> impl Stream<Item = Result<Page>> + '_ {
    stream::unfold(walk, move |mut walk| async move {
        if !walk.is_at_its_beginning() && Instant::now() >= deadline && !walk.is_at_its_end() {
            is_over.store(true, Ordering::Relaxed);
        }
        if is_over.load(Ordering::Relaxed) {
            return None;
        }
        Some((walk.next().await.transpose()?, walk))
    })
}

async fn remove_page(listing: &Listing, page: Result<Page>, kept: Option<&str>) -> Removal {
    match page {
        Ok(page) => {
            let objects = page.objects.into_iter().filter(|object| kept != Some(object.key.as_str())).collect();
            listing.remove(objects).await
        }
        Err(failure) => Removal::failed(failure),
    }
}
