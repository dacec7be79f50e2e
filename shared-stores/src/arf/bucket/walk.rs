//! All pages below a prefix, one after the other.
//!
//! A store that sends back to a place where the list has been would be asked for ever: that is an error at once.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use super::Result;
use super::listing::Listing;
use super::object::{Page, PageToken, failure};

const CIRCLE: &str = "its list goes in a circle";

/// The pages that are left of a list.
pub(super) struct Walk {
    listing: Listing,
    prefix: String,
    delimiter: Option<&'static str>,
    place: Place,
    /// Where it has been: hashes, for a large list has many long tokens.
    been: HashSet<u64>,
    hasher: RandomState,
}

/// Which page is next.
enum Place {
    First,
    From(PageToken),
    End,
}

impl Walk {
    pub(super) fn new(listing: Listing, prefix: String, delimiter: Option<&'static str>) -> Self {
        let (been, hasher) = (HashSet::new(), RandomState::new());
        Self { listing, prefix, delimiter, place: Place::First, been, hasher }
    }

    /// Whether the next page is the first.
    pub(super) const fn is_at_its_beginning(&self) -> bool {
        matches!(self.place, Place::First)
    }

    /// Whether there is no next page.
    pub(super) const fn is_at_its_end(&self) -> bool {
        matches!(self.place, Place::End)
    }

    /// The next page; none is left after the last, or after an error.
    pub(super) async fn next(&mut self) -> Result<Option<Page>> {
        let token = match std::mem::replace(&mut self.place, Place::End) {
            Place::First => None,
            Place::From(token) => Some(token),
            Place::End => return Ok(None),
        };
        let page = self.listing.page(&self.prefix, self.delimiter, token.as_ref()).await?;
        if let Some(next) = &page.next {
            if !self.been.insert(self.hasher.hash_one(next)) {
                return Err(failure(self.listing.action(), CIRCLE));
            }
            self.place = Place::From(next.clone());
        }
        Ok(Some(page))
    }
}
