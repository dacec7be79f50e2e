//! What a bucket offers below a prefix, and its removal: objects as they are now, or all versions of them.
//!
//! Keeps DEL-4: a page that names anything that doesn't begin with the prefix is an error as a whole, so that nothing
//! of it is removed, whatever made the store answer so.

use super::current::Current;
use super::object::{NOT_ASKED_FOR, Object, Page, PageToken, Removal, failure};
use super::objects::Objects;
use super::versions::Versions;
use super::{Result, objects, versions};

/// How objects are listed and removed.
#[derive(Clone)]
pub(super) enum Listing {
    /// As they are now, by the store's own client: Google Cloud Storage and Azure.
    Current(Current),
    /// As they are now, in S3.
    Objects(Objects),
    /// All versions, and delete markers, in S3.
    Versions(Versions),
}

impl Listing {
    /// What is below `prefix`, from `token` on. With a delimiter: only down to the next one.
    pub(super) async fn page(
        &self,
        prefix: &str,
        delimiter: Option<&'static str>,
        token: Option<&PageToken>,
    ) -> Result<Page> {
        let page = match self {
            Self::Current(current) => current.page(prefix, delimiter, token.cloned()).await?,
            Self::Objects(objects) => objects.page(prefix, delimiter, token).await?,
            Self::Versions(versions) => versions.page(prefix, delimiter, token).await?,
        };
        if page.is_below(prefix, delimiter) { Ok(page) } else { Err(failure(self.action(), NOT_ASKED_FOR)) }
    }

    /// Removes objects of a page. What isn't there is as good as removed, and isn't counted.
    pub(super) async fn remove(&self, objects: Vec<Object>) -> Removal {
        match self {
            _ if objects.is_empty() => Removal::default(),
            Self::Current(current) => current.remove(objects).await,
            Self::Objects(current) => current.remove(objects).await,
            Self::Versions(versions) => versions.remove(objects).await,
        }
    }

    /// What a list is called where it fails.
    pub(super) const fn action(&self) -> &'static str {
        match self {
            Self::Current(_) | Self::Objects(_) => objects::LIST,
            Self::Versions(_) => versions::LIST,
        }
    }
}
