//! All versions of a bucket's objects, and its delete markers: a bucket with versioning keeps them when an object is
//! overwritten or removed. Facts: Amazon S3 API Reference, "ListObjectVersions".

use std::sync::Arc;

use object_store::ClientOptions;
use object_store::aws::AmazonS3;
use object_store::client::{HttpClient, HttpConnector, ReqwestConnector};
use parking_lot::Mutex;

use super::Result;
use super::object::{Object, Page, PageToken, Removal};
use super::s3::{Kind, S3};

pub(super) const LIST: &str = "list versions";
const REMOVE: &str = "remove versions";

/// Lists and removes versions.
#[derive(Clone)]
pub(super) struct Versions(pub(super) S3);

/// Remembers the HTTP client that a store was given, with all of its options.
#[derive(Debug, Clone, Default)]
pub(super) struct Connector {
    made: Arc<Mutex<Option<HttpClient>>>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        // Clients that fetch credentials are made before the store's own.
        *self.made.lock() = Some(client.clone());
        Ok(client)
    }
}

impl Versions {
    /// Of the store that was built with this connector.
    pub(super) fn new(store: Arc<AmazonS3>, region: Option<String>, connector: &Connector) -> Option<Self> {
        let http = connector.made.lock().clone()?;
        Some(Self(S3::new(store, http, region)))
    }

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
