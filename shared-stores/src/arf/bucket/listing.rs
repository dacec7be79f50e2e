//! What a bucket offers below a prefix, and its removal: objects as they are now, or all versions of them.

use super::Result;
use super::current::Current;
use super::object::{Object, Page, PageToken, Removal};
use super::versions::Versions;

/// How objects are listed and removed.
#[derive(Clone)]
pub(super) enum Listing {
    /// As they are now.
    Current(Current),
    /// All versions, and delete markers.
    Versions(Versions),
}

impl Listing {
    /// What is below `prefix`, from `token` on. With a delimiter: only down to the next one.
    pub(super) async fn page(
        &self,
        prefix: &str,
        delimiter: Option<&'static str>,
        token: Option<PageToken>,
    ) -> Result<Page> {
        match self {
            Self::Current(current) => current.page(prefix, delimiter, token).await,
            Self::Versions(versions) => versions.page(prefix, delimiter, token).await,
        }
    }

    /// Removes objects of a page. What isn't there is as good as removed, and isn't counted.
    pub(super) async fn remove(&self, objects: Vec<Object>) -> Removal {
        match self {
            _ if objects.is_empty() => Removal::default(),
            Self::Current(current) => current.remove(objects).await,
            Self::Versions(versions) => versions.remove(&objects).await,
        }
    }
}
