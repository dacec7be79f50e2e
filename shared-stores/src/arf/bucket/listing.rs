//! What a bucket offers below a prefix, and its removal: objects as they are now, or all versions of them.

use std::borrow::Cow;
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{Error, ObjectStore};

use super::Result;
use super::is_blob_missing;
use super::versions::Versions;
use crate::arf::ArfError;
use crate::arf::error::{code_of_one, reason};

/// How objects are listed and removed.
#[derive(Clone)]
pub(super) enum Listing {
    /// As they are now.
    Current(Current),
    /// All versions, and delete markers.
    Versions(Versions),
}

/// A store's own listing and removal.
#[derive(Clone)]
pub(super) struct Current {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The same store, listed page by page.
    pub(super) pages: Arc<dyn PaginatedListStore>,
}

/// An object, or a version of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) version: Option<String>,
}

impl Object {
    /// Its name below the prefix that it was found by.
    pub(super) fn below<'a>(&'a self, prefix: &str) -> &'a str {
        self.key.strip_prefix(prefix).unwrap_or(&self.key)
    }
}

/// At most 1 000 objects, or 5 000 in Azure.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<Object>,
    /// What stands before the next delimiter, without it.
    pub(super) prefixes: Vec<String>,
    /// Where the next page begins; none is the last one.
    pub(super) next: Option<PageToken>,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageToken {
    pub(super) token: String,
    /// Of which version of that object on.
    pub(super) version: Option<String>,
}

/// What became of the objects of a page.
#[derive(Debug, Default)]
pub(super) struct Removal {
    pub(super) removed: Vec<Object>,
    pub(super) refusals: Refusals,
    /// Why nothing is known of the others.
    pub(super) failure: Option<ArfError>,
}

/// Objects that the store answered for, one by one, and didn't remove.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    pub(super) count: u64,
    /// Of the first.
    pub(super) reason: Option<String>,
}

impl Refusals {
    pub(super) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.reason = self.reason.take().or(other.reason);
    }

    pub(super) fn one(reason: String) -> Self {
        Self { count: 1, reason: Some(reason) }
    }
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

impl Current {
    async fn page(&self, prefix: &str, delimiter: Option<&'static str>, token: Option<PageToken>) -> Result<Page> {
        let (delimiter, page_token) = (delimiter.map(Cow::Borrowed), token.map(|token| token.token));
        let options = PaginatedListOptions { delimiter, page_token, ..PaginatedListOptions::default() };
        let found = self.pages.list_paginated(Some(prefix), options).await.map_err(ArfError::store("list blobs"))?;
        let objects = found.result.objects.into_iter();
        Ok(Page {
            objects: objects.map(|object| Object { key: object.location.into(), version: None }).collect(),
            prefixes: found.result.common_prefixes.into_iter().map(Into::into).collect(),
            next: found.page_token.map(|token| PageToken { token, version: None }),
        })
    }

    async fn remove(&self, objects: Vec<Object>) -> Removal {
        let asked = objects.len();
        let paths = objects.into_iter().map(|object| Path::parse(object.key).map_err(Error::from));
        let mut results = self.store.delete_stream(stream::iter(paths).boxed());
        let (mut removal, mut answered) = (Removal::default(), 0);
        while let Some(result) = results.next().await {
            answered += 1;
            match result {
                Ok(path) => removal.removed.push(Object { key: path.into(), version: None }),
                Err(error) if is_blob_missing(&error) => {}
                Err(error) if is_refusal(&error) => removal.refusals.add(Refusals::one(reason(&error))),
                Err(error) => removal.failure = Some(ArfError::store("remove blobs")(error)),
            }
            if removal.failure.is_some() {
                return removal;
            }
        }
        if answered < asked {
            // One answer to a request for many: it was the request that was refused.
            let reason = removal.refusals.reason.take().unwrap_or_else(|| "answers are missing".to_owned());
            removal.failure =
                Some(ArfError::Refused { count: u64::try_from(asked - answered).unwrap_or(u64::MAX), reason });
        }
        removal
    }
}

/// Whether the store answered, for one object, that it doesn't remove it; else a request failed.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::PermissionDenied { .. } | Error::Precondition { .. }) || code_of_one(error).is_some()
}
