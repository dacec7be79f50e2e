//! All versions of a bucket's objects, and its delete markers: a bucket with versioning keeps them when an object is
//! overwritten or removed. Facts: Amazon S3 API Reference, "ListObjectVersions".

use super::Result;
use super::object::{Object, Page, PageToken, Removal};
use super::s3::{Kind, S3};

pub(super) const LIST: &str = "list versions";
const REMOVE: &str = "remove versions";

/// Lists and removes versions.
#[derive(Clone)]
pub(super) struct Versions(pub(super) S3);

impl Versions {
    pub(super) async fn page(&self, prefix: &str, delimiter: Option<&str>, token: Option<&PageToken>) -> Result<Page> {
        let mut query = vec![("versions", ""), ("prefix", prefix), ("encoding-type", "url")];
        query.extend(delimiter.map(|delimiter| ("delimiter", delimiter)));
        if let Some(token) = token {
            query.push(("key-marker", &token.token));
            query.extend(token.version.as_deref().map(|version| ("version-id-marker", version)));
        }
        self.0.page(LIST, Kind::Versions, prefix, &query).await
    }

    pub(super) async fn remove(&self, versions: Vec<Object>) -> Removal {
        self.0.remove(REMOVE, versions).await
    }
}
