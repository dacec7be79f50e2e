//! Blobs in S3, Google Cloud Storage or Azure.
//!
//! No client repeats a request by itself: a repeated write would be a new write outside its lease (DEL-2).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::{DELIMITER, Path};
use object_store::{ObjectStore, ObjectStoreExt, ObjectStoreScheme, RetryConfig};
use shared_models::SyncId;
use tokio::time::Instant;
use url::Url;

use super::{ArfCensus, ArfError, BlobCounts, PurgeStep, name};
use crate::tls;

type Result<T> = std::result::Result<T, ArfError>;

/// Blobs listed and removed at a time: S3 takes as many keys in one bulk request.
const BATCH: usize = 1000;

/// A bucket, and the prefix in it below which everything is.
#[derive(Clone)]
pub(super) struct Bucket {
    store: Arc<dyn ObjectStore>,
    /// The same store, listed page by page.
    pages: Arc<dyn PaginatedListStore>,
    root: Path,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").field("store", &self.store).field("root", &self.root).finish_non_exhaustive()
    }
}

impl Bucket {
    /// Opens the bucket that the URL names. Settings override the environment variables of the same names.
    pub(super) fn open(url: &Url, settings: &[(&str, &str)]) -> Result<Self> {
        if !tls::is_provider_installed() {
            return Err(ArfError::Setup(tls::MISSING_PROVIDER.to_owned()));
        }
        let (scheme, root) =
            ObjectStoreScheme::parse(url).map_err(|_| ArfError::Setup("unknown kind of ARF store URL".to_owned()))?;
        let (store, pages) = match scheme {
            ObjectStoreScheme::AmazonS3 => s3(url, settings)?,
            ObjectStoreScheme::GoogleCloudStorage => gcs(url, settings)?,
            ObjectStoreScheme::MicrosoftAzure => azure(url, settings)?,
            _ => return Err(ArfError::Setup("ARF store URLs start with file, s3, gs or az".to_owned())),
        };
        Ok(Self { store, pages, root })
    }

    /// The object store behind it, for tests with one in memory.
    #[cfg(test)]
    pub(super) fn over(store: Arc<dyn ObjectStore>, root: Path) -> Self {
        Self { store, pages: Arc::new(tests::Unlisted), root }
    }

    pub(super) async fn check(&self) -> Result<()> {
        let prefix = self.at(name::RAW)?;
        match self.store.list(Some(&prefix)).next().await {
            Some(Err(error)) => Err(ArfError::store("list blobs")(error)),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    pub(super) async fn put(&self, sync: SyncId, relative: &str, content: bytes::Bytes) -> Result<()> {
        let location = self.at(&format!("{}/{relative}", name::prefix(sync)))?;
        self.store.put(&location, content.into()).await.map(drop).map_err(ArfError::store("write blob"))
    }

    pub(super) async fn delete(&self, sync: SyncId, relative: &str) -> Result<()> {
        let location = self.at(&format!("{}/{relative}", name::prefix(sync)))?;
        match self.store.delete(&location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(ArfError::store("remove blob")(error)),
        }
    }

    pub(super) async fn manifest(&self, sync: SyncId) -> Result<Option<Vec<u8>>> {
        let location = self.at(&format!("{}/{}", name::prefix(sync), name::MANIFEST))?;
        match self.store.get(&location).await {
            Ok(found) => {
                found.bytes().await.map(|content| Some(content.into())).map_err(ArfError::store("read manifest"))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(ArfError::store("read manifest")(error)),
        }
    }

    pub(super) async fn counts(&self, sync: SyncId) -> Result<BlobCounts> {
        let prefix = self.at(&name::prefix(sync))?;
        let mut counts = BlobCounts::default();
        let mut blobs = self.store.list(Some(&prefix));
        while let Some(blob) = blobs.try_next().await.map_err(ArfError::store("list blobs"))? {
            counts.add(&relative_to(&prefix, &blob.location));
        }
        Ok(counts)
    }

    /// How many blobs the sync has, if these are at most `most`.
    pub(super) async fn count_up_to(&self, sync: SyncId, most: u64) -> Result<Option<u64>> {
        let prefix = self.at(&name::prefix(sync))?;
        let mut count = 0;
        let mut blobs = self.store.list(Some(&prefix));
        while blobs.try_next().await.map_err(ArfError::store("list blobs"))?.is_some() {
            count += 1;
            if count > most {
                return Ok(None);
            }
        }
        Ok(Some(count))
    }

    pub(super) async fn is_empty(&self, sync: SyncId) -> Result<bool> {
        let prefix = self.at(&name::prefix(sync))?;
        let first = self.store.list(Some(&prefix)).try_next().await.map_err(ArfError::store("list blobs"))?;
        Ok(first.is_none())
    }

    /// A page of the syncs that have blobs, and the token of the next page.
    pub(super) async fn census_page(&self, token: Option<String>) -> Result<(ArfCensus, Option<String>)> {
        let raw = format!("{}/", self.at(name::RAW)?);
        let delimiter = Some(Cow::Borrowed(DELIMITER));
        let options = PaginatedListOptions { delimiter, page_token: token, ..PaginatedListOptions::default() };
        let page = self.pages.list_paginated(Some(&raw), options).await.map_err(ArfError::store("list blobs"))?;
        let loose = u64::try_from(page.result.objects.len()).unwrap_or(u64::MAX);
        let mut census = ArfCensus { unreadable: loose, ..ArfCensus::default() };
        for prefix in page.result.common_prefixes {
            match prefix.filename().and_then(name::sync_of) {
                Some(sync) => drop(census.syncs.insert(sync)),
                None => census.unreadable += 1,
            }
        }
        Ok((census, page.page_token))
    }

    /// Lists and removes blobs batch by batch, each time from the start, until none is left or the time is over. The
    /// manifest goes last. A batch begun before the deadline is finished,
    /// so the call overruns by a few requests at most.
    pub(super) async fn purge(&self, sync: SyncId, deadline: Instant) -> Result<PurgeStep> {
        let prefix = self.at(&name::prefix(sync))?;
        let manifest = self.at(&format!("{}/{}", name::prefix(sync), name::MANIFEST))?;
        let mut step = PurgeStep::default();
        loop {
            let listed: Vec<Path> = self
                .store
                .list(Some(&prefix))
                .map_ok(|blob| blob.location)
                .take(BATCH)
                .try_collect()
                .await
                .map_err(ArfError::store("list blobs"))?;
            if listed.is_empty() {
                step.finished = true;
                return Ok(step);
            }
            let is_last = listed.len() < BATCH;
            let others: Vec<Path> = listed.iter().filter(|path| **path != manifest).cloned().collect();
            self.remove_all(&prefix, others, &mut step.removed).await?;
            if is_last && listed.contains(&manifest) {
                self.remove_all(&prefix, vec![manifest.clone()], &mut step.removed).await?;
            }
            if Instant::now() >= deadline {
                return Ok(step);
            }
        }
    }

    /// Removes them, and counts what the store says it removed.
    async fn remove_all(&self, prefix: &Path, paths: Vec<Path>, removed: &mut BlobCounts) -> Result<()> {
        let mut results = self.store.delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
        while let Some(result) = results.next().await {
            match result {
                Ok(path) => removed.add(&relative_to(prefix, &path)),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(ArfError::store("remove blobs")(error)),
            }
        }
        Ok(())
    }

    fn at(&self, relative: &str) -> Result<Path> {
        let root = &self.root;
        Path::parse(if root.as_ref().is_empty() { relative.to_owned() } else { format!("{root}/{relative}") })
            .map_err(|_| ArfError::Setup("the prefix in the ARF store URL is unusable".to_owned()))
    }
}

fn s3(url: &Url, settings: &[(&str, &str)]) -> Result<Listed> {
    let mut builder = AmazonS3Builder::from_env().with_url(url.as_str()).with_retry(no_retry());
    for (key, value) in client_settings().iter().chain(settings) {
        builder = builder.with_config(key.parse().map_err(ArfError::store("set up"))?, *value);
    }
    Ok(both(builder.build().map_err(ArfError::store("set up"))?))
}

fn gcs(url: &Url, settings: &[(&str, &str)]) -> Result<Listed> {
    let mut builder = GoogleCloudStorageBuilder::from_env().with_url(url.as_str()).with_retry(no_retry());
    for (key, value) in client_settings().iter().chain(settings) {
        builder = builder.with_config(key.parse().map_err(ArfError::store("set up"))?, *value);
    }
    Ok(both(builder.build().map_err(ArfError::store("set up"))?))
}

fn azure(url: &Url, settings: &[(&str, &str)]) -> Result<Listed> {
    let mut builder = MicrosoftAzureBuilder::from_env().with_url(url.as_str()).with_retry(no_retry());
    for (key, value) in client_settings().iter().chain(settings) {
        builder = builder.with_config(key.parse().map_err(ArfError::store("set up"))?, *value);
    }
    Ok(both(builder.build().map_err(ArfError::store("set up"))?))
}

/// A store, and what lists it page by page.
type Listed = (Arc<dyn ObjectStore>, Arc<dyn PaginatedListStore>);

fn both<S: ObjectStore + PaginatedListStore>(store: S) -> Listed {
    let store = Arc::new(store);
    (store.clone(), store)
}

fn no_retry() -> RetryConfig {
    RetryConfig { max_retries: 0, retry_timeout: Duration::ZERO, ..RetryConfig::default() }
}

/// Longest time of one request, and of connecting.
const fn client_settings() -> [(&'static str, &'static str); 2] {
    [("timeout", "10 seconds"), ("connect_timeout", "2 seconds")]
}

fn relative_to(prefix: &Path, location: &Path) -> String {
    let parts: Vec<_> = location.prefix_match(prefix).into_iter().flatten().collect();
    parts.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("/")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use futures::future::BoxFuture;
    use object_store::list::PaginatedListResult;
    use object_store::memory::InMemory;

    use super::*;

    /// The store in memory has no pages.
    pub(super) struct Unlisted;

    impl PaginatedListStore for Unlisted {
        fn list_paginated<'store, 'prefix, 'call>(
            &'store self,
            _: Option<&'prefix str>,
            _: PaginatedListOptions,
        ) -> BoxFuture<'call, object_store::Result<PaginatedListResult>>
        where
            'store: 'call,
            'prefix: 'call,
            Self: 'call,
        {
            let (operation, implementer) = ("list pages".to_owned(), "memory".to_owned());
            Box::pin(async move { Err(object_store::Error::NotImplemented { operation, implementer }) })
        }
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    async fn filled(sync: SyncId, entities: usize) -> Bucket {
        let bucket = Bucket::over(Arc::new(InMemory::new()), Path::from("team/unweave"));
        bucket.put(sync, name::MANIFEST, "{}".into()).await.unwrap();
        for n in 0..entities {
            bucket.put(sync, &format!("entities/{n}.json"), "{}".into()).await.unwrap();
        }
        bucket.put(sync, "files/0_a.txt", "a".into()).await.unwrap();
        bucket
    }

    async fn contents(bucket: &Bucket, sync: SyncId) -> BTreeMap<Path, Bytes> {
        let prefix = bucket.at(&name::prefix(sync)).unwrap();
        let blobs: Vec<_> = bucket.store.list(Some(&prefix)).try_collect().await.unwrap();
        let mut contents = BTreeMap::new();
        for blob in blobs {
            let content = bucket.store.get(&blob.location).await.unwrap().bytes().await.unwrap();
            contents.insert(blob.location, content);
        }
        contents
    }

    #[tokio::test]
    async fn more_blobs_than_one_bulk_request_takes_are_purged_and_others_stay() {
        let (sync, other) = (SyncId::random(), SyncId::random());
        let bucket = filled(sync, 2500).await;
        bucket.put(other, name::MANIFEST, "{}".into()).await.unwrap();
        let before = contents(&bucket, other).await;
        let counts = bucket.counts(sync).await.unwrap();
        assert_eq!((counts.manifest, counts.entities, counts.files, counts.total()), (1, 2500, 1, 2502));

        let step = bucket.purge(sync, later()).await.unwrap();
        assert_eq!(step, PurgeStep { removed: counts, finished: true });
        assert!(bucket.is_empty(sync).await.unwrap());
        assert_eq!(contents(&bucket, other).await, before);
    }

    #[tokio::test]
    async fn a_purge_that_is_cut_short_keeps_the_manifest_and_is_resumed() {
        let sync = SyncId::random();
        let bucket = filled(sync, 1500).await;
        let step = bucket.purge(sync, Instant::now()).await.unwrap();
        assert!(step.removed.total() > 0 && !step.finished);
        assert!(bucket.manifest(sync).await.unwrap().is_some());
        assert!(bucket.purge(sync, later()).await.unwrap().finished);
        assert_eq!(bucket.manifest(sync).await.unwrap(), None);
    }

    #[tokio::test]
    async fn removing_what_is_not_there_is_no_error() {
        let sync = SyncId::random();
        let bucket = filled(sync, 1).await;
        for _ in 0..2 {
            bucket.delete(sync, "entities/0.json").await.unwrap();
        }
    }
}
