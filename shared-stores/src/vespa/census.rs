//! Which syncs hold documents, page by page: never more of them in memory than a page has.
//!
//! A page is a range of the purge key, which begins with the sync's id; what has none is the last page. Vespa's own
//! paging of groups groups everything again for each page.

use std::collections::BTreeMap;
use std::time::Duration;

use shared_models::{PrefixRange, SyncId};

use super::groups::{Groups, is_too_many};
use super::page::PURGE_KEY;
use super::{VespaClient, VespaError};

/// Syncs in a page; Vespa's own limit is 10 000.
const PAGE: u64 = 5_000;
/// A page that is cut is asked for again, so many times smaller; one that is almost empty is followed by a larger one.
const STEP: u64 = 8;
/// Syncs without a purge key in the last page.
const LAST_PAGE: u64 = 100_000;
/// What Vespa makes where nobody has raised the limit.
const USUAL_MAX_GROUPS: u64 = 10_000;

/// Where a census goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CensusPlace {
    /// The keys that are next; none are left where documents without one are next.
    range: Option<PrefixRange>,
    /// Syncs in a page.
    size: u64,
}

impl CensusPlace {
    /// At its beginning; a page has fewer than `size` syncs.
    #[must_use]
    pub const fn beginning(size: u64) -> Self {
        Self { range: Some(PrefixRange::whole()), size }
    }
}

impl Default for CensusPlace {
    fn default() -> Self {
        Self::beginning(PAGE)
    }
}

/// A page of a census.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CensusPage {
    /// Documents by sync: of this page, for a sync may have documents with a purge key and documents without.
    pub syncs: BTreeMap<SyncId, u64>,
    /// Documents whose sync id isn't a UUID in its usual form: no deletion can concern them.
    pub unreadable: u64,
    /// Whether there are more syncs here than were listed; those that are listed are right.
    pub is_cut: bool,
    /// Where to go on, if there is more.
    pub next: Option<CensusPlace>,
}

impl VespaClient {
    /// The next page.
    ///
    /// # Errors
    /// `Untrustworthy` if an answer didn't cover everything, else as any call.
    pub async fn census_page(&self, place: CensusPlace, timeout: Duration) -> Result<CensusPage, VespaError> {
        let Some(mut range) = place.range else { return self.last_page(timeout).await };
        loop {
            let (first, last) = range.keys();
            let groups = self.groups(&format!("range({PURGE_KEY}, {first}L, {last}L)"), place.size, timeout).await?;
            let is_cut = groups.count >= place.size;
            if is_cut && let Some(smaller) = range.narrowed(STEP) {
                range = smaller;
                continue;
            }
            let range = range.after(if groups.count < place.size / STEP { STEP } else { 1 });
            return page(groups, is_cut, Some(CensusPlace { range, ..place }));
        }
    }

    /// What has no purge key: documents of earlier versions, and of other systems. Vespa looks at every document.
    async fn last_page(&self, timeout: Duration) -> Result<CensusPage, VespaError> {
        let condition = format!("true and !(range({PURGE_KEY}, 0L, {}L))", i64::MAX);
        let (groups, max) = match self.groups(&condition, LAST_PAGE, timeout).await {
            // Another application package, whose query profile doesn't raise the limit.
            Err(error) if is_too_many(&error) => {
                (self.groups(&condition, USUAL_MAX_GROUPS, timeout).await?, USUAL_MAX_GROUPS)
            }
            groups => (groups?, LAST_PAGE),
        };
        let is_cut = groups.count >= max;
        page(groups, is_cut, None)
    }
}

fn page(groups: Groups, is_cut: bool, next: Option<CensusPlace>) -> Result<CensusPage, VespaError> {
    if !is_cut {
        groups.check_sum()?;
    }
    let Groups { syncs, unreadable, .. } = groups;
    Ok(CensusPage { syncs, unreadable, is_cut, next })
}
