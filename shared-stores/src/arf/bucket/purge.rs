//! A slice of the purge of one sync's blobs.

use tokio::time::Instant;

use super::Result;
use super::listing::Listing;
use super::object::Refusals;
use crate::arf::{ArfError, BlobCounts, PurgeEnd, PurgeStep, name};

/// Removes what is below a prefix, page by page: while one page is removed the next is listed. A page begun before the
/// deadline is finished, so it overruns by a few requests. What the store refuses to remove keeps nothing else in place
/// but the manifest.
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

    /// Whether it reached the end in time.
    async fn remove_all_but(&mut self, kept: Option<&str>) -> Result<bool> {
        let mut page = self.listing.page(&self.prefix, None, None).await?;
        loop {
            let objects = page.objects.into_iter().filter(|object| kept != Some(object.key.as_str())).collect();
            let next = async {
                match page.next {
                    Some(token) => self.listing.page(&self.prefix, None, Some(token)).await.map(Some),
                    None => Ok(None),
                }
            };
            let (removal, next) = futures::join!(self.listing.remove(objects), next);
            removal.removed.iter().for_each(|object| self.removed.add(object.below(&self.prefix)));
            self.refusals.add(removal.refusals);
            removal.failure.map_or(Ok(()), Err)?;
            let Some(next) = next? else { return Ok(true) };
            if Instant::now() >= self.deadline {
                return Ok(false);
            }
            page = next;
        }
    }
}
