//! Objects of a bucket of S3 as they are now, asked for and looked at closely (DEL-7). Facts: Amazon S3 API Reference,
//! "ListObjectsV2".

use super::Result;
use super::object::{Object, Page, PageToken, Removal};
use super::s3::{Kind, S3};

pub(super) const LIST: &str = "list blobs";
const REMOVE: &str = "remove blobs";

/// Lists and removes objects.
#[derive(Clone)]
pub(super) struct Objects(pub(super) S3);

impl Objects {
    pub(super) async fn page(&self, prefix: &str, delimiter: Option<&str>, token: Option<&PageToken>) -> Result<Page> {
        let mut query = vec![("list-type", "2"), ("prefix", prefix), ("encoding-type", "url")];
        query.extend(delimiter.map(|delimiter| ("delimiter", delimiter)));
        query.extend(token.map(|token| ("continuation-token", token.token.as_str())));
        self.0.page(LIST, Kind::Objects, prefix, &query).await
    }

    pub(super) async fn remove(&self, objects: Vec<Object>) -> Removal {
        self.0.remove(REMOVE, objects).await
    }
}
