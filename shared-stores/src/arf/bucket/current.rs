//! Objects as they are now, by what every store offers.

use std::borrow::Cow;
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{Error, ObjectStore};

use super::Result;
use super::object::{Object, Page, PageToken, Refusals, Removal};
use crate::arf::ArfError;
use crate::object_stores::failure::{code_of_one, is_blob_missing, reason};

/// A store's own listing and removal.
#[derive(Clone)]
pub(super) struct Current {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The same store, listed page by page.
    pub(super) pages: Arc<dyn PaginatedListStore>,
}

impl Current {
    pub(super) async fn page(
        &self,
        prefix: &str,
        delimiter: Option<&'static str>,
        token: Option<PageToken>,
    ) -> Result<Page> {
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

    pub(super) async fn remove(&self, objects: Vec<Object>) -> Removal {
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
