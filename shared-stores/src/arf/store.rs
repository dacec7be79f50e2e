//! The ARF store's face: the same calls for a local folder and for a bucket.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use shared_models::{SyncId, Verification};
use tokio::sync::mpsc;
use url::Url;

use super::bucket::Bucket;
use super::local::Folder;
use super::{ArfCensus, ArfError, Blob, BlobCounts, EntityBlobs, Manifest, PurgeStep, PutHandle, name};

/// Largest content of a blob, in bytes: every blob is one PUT, so that no upload can be completed later. Larger files
/// keep their entity, without the raw file.
pub const MAX_BLOB_BYTES: u64 = 16 << 20;

/// Syncs in a page of a census of a local folder.
const CENSUS_PAGE: usize = 1_000;

/// A store of raw captures. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ArfStore {
    backend: Backend,
}

#[derive(Debug, Clone)]
enum Backend {
    Local { folder: Folder },
    Cloud(Box<Bucket>),
}

impl ArfStore {
    /// Opens `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`. A local folder is
    /// made if it isn't there. Credentials come from the environment variables that are usual for each cloud.
    ///
    /// # Errors
    /// `Setup` for a URL or setting that can't be used, `Folder` if the folder can't be made.
    pub fn from_url(url: &Url) -> Result<Self, ArfError> {
        Self::from_url_with(url, &[])
    }

    /// The same for a local folder that is there already; none is made.
    ///
    /// # Errors
    /// As [`ArfStore::from_url`], and `Setup` if the folder isn't there.
    pub fn open_existing(url: &Url) -> Result<Self, ArfError> {
        let folder = url.to_file_path().ok().filter(|_| url.scheme() == "file");
        match folder {
            Some(folder) if !folder.is_dir() => {
                let text = "the folder of ARF_URL isn't there; a worker makes it when it starts";
                Err(ArfError::Setup(text.to_owned()))
            }
            Some(_) | None => Self::from_url(url),
        }
    }

    /// The same, with settings of the bucket's client that override the environment, by the names that `object_store`
    /// gives them (`aws_endpoint`, `aws_region`, `allow_http`, …). A local folder has none.
    ///
    /// # Errors
    /// As [`ArfStore::from_url`].
    pub fn from_url_with(url: &Url, settings: &[(&str, &str)]) -> Result<Self, ArfError> {
        let backend = if url.scheme() == "file" {
            let root = url.to_file_path().map_err(|()| ArfError::Setup("not the URL of a local folder".to_owned()))?;
            Backend::Local { folder: Folder::open(&root)? }
        } else {
            Backend::Cloud(Box::new(Bucket::open(url, settings)?))
        };
        Ok(Self { backend })
    }

    /// The same store, which counts, lists and purges every version of a blob, and delete markers too: for a bucket
    /// with versioning, which would keep them. Writes and [`ArfStore::delete_entity`] stay as they are.
    ///
    /// # Errors
    /// `Setup` if the store isn't S3.
    pub fn with_all_versions(self) -> Result<Self, ArfError> {
        let Backend::Cloud(bucket) = self.backend else {
            let text = "a local folder keeps no versions: ARF_PURGE_VERSIONS can't be set for this ARF_URL";
            return Err(ArfError::Setup(text.to_owned()));
        };
        Ok(Self { backend: Backend::Cloud(Box::new(bucket.with_all_versions()?)) })
    }

    /// How an empty listing verifies that the store holds nothing of a sync.
    #[must_use]
    pub const fn verification(&self) -> Verification {
        match &self.backend {
            Backend::Cloud(bucket) if bucket.has_all_versions() => Verification::EmptyVersionListing,
            Backend::Cloud(_) | Backend::Local { .. } => Verification::EmptyListing,
        }
    }

    /// Writes the manifest: before anything else of its sync.
    pub fn put_manifest(&self, manifest: &Manifest, timeout: Duration) -> PutHandle {
        match serde_json::to_vec(manifest) {
            Ok(content) => self.put(manifest.sync_id, name::MANIFEST.to_owned(), content.into(), timeout),
            Err(error) => PutHandle::start(async move { Err(ArfError::Manifest(error)) }),
        }
    }

    /// Writes one blob. The write starts now, inside a tokio runtime, awaited or not.
    ///
    /// A bucket is given up on after `timeout` (`Unanswered`). A local write can't be: it takes as long as it takes,
    /// and the handle says when it has ended. Either way one PUT, never repeated here.
    pub fn put_blob(&self, sync: SyncId, blob: Blob, timeout: Duration) -> PutHandle {
        match too_large(&blob) {
            Some(error) => PutHandle::start(async move { Err(error) }),
            None => self.put(sync, blob.name(), blob.stored, timeout),
        }
    }

    /// Removes an entity's capture, and its file if it may have one. What isn't there is as good as removed.
    pub fn delete_entity(&self, sync: SyncId, blobs: &EntityBlobs, timeout: Duration) -> PutHandle {
        let names = blobs.names();
        match self.backend.clone() {
            Backend::Local { folder } => {
                PutHandle::start_blocking(move || names.iter().try_for_each(|name| folder.delete(sync, name)))
            }
            Backend::Cloud(bucket) => PutHandle::start(async move {
                let remove_all = async {
                    for name in &names {
                        bucket.delete(sync, name).await?;
                    }
                    Ok(())
                };
                tokio::time::timeout(timeout, remove_all).await.unwrap_or(Err(ArfError::Unanswered(timeout)))
            }),
        }
    }

    /// Writes blobs one after the other on one thread, and returns those that it didn't write: after a failure, or
    /// because `start` said no, which is asked before each and whose answer is held until that write has ended. This is
    /// for a local folder, where a thread for each blob costs more than the blob: for a bucket it writes nothing, and
    /// returns all.
    ///
    /// # Errors
    /// `Aborted` if the thread ended early: any of the blobs may have been written, and none is under way.
    pub async fn put_each<T, F>(&self, sync: SyncId, blobs: Vec<Blob>, start: F) -> Result<Vec<Blob>, ArfError>
    where
        T: Send,
        F: FnMut() -> Option<T> + Send + 'static,
    {
        let Backend::Local { folder } = self.backend.clone() else { return Ok(blobs) };
        let write = move || blobs_left(&folder, sync, blobs, start);
        tokio::task::spawn_blocking(write).await.map_err(|_| ArfError::Aborted("write blobs"))
    }

    fn put(&self, sync: SyncId, relative: String, content: Bytes, timeout: Duration) -> PutHandle {
        match self.backend.clone() {
            Backend::Local { folder } => PutHandle::start_blocking(move || folder.put(sync, &relative, &content)),
            Backend::Cloud(bucket) => PutHandle::start(async move {
                let put = bucket.put(sync, &relative, content);
                tokio::time::timeout(timeout, put).await.unwrap_or(Err(ArfError::Unanswered(timeout)))
            }),
        }
    }

    /// The sync's manifest, if it has one.
    ///
    /// # Errors
    /// `Manifest` if it can't be read as one, else as any call.
    pub async fn manifest(&self, sync: SyncId) -> Result<Option<Manifest>, ArfError> {
        let content = match &self.backend {
            Backend::Local { folder } => in_folder(folder, "read manifest", move |f| f.manifest(sync)).await?,
            Backend::Cloud(bucket) => bucket.manifest(sync).await?,
        };
        content.map(|content| serde_json::from_slice(&content)).transpose().map_err(ArfError::Manifest)
    }

    /// How many blobs of each kind the sync has.
    ///
    /// # Errors
    /// Any storage error: never a count of a part.
    pub async fn list_counts(&self, sync: SyncId) -> Result<BlobCounts, ArfError> {
        match &self.backend {
            Backend::Local { folder } => in_folder(folder, "list blobs", move |f| f.counts(sync)).await,
            Backend::Cloud(bucket) => bucket.counts(sync).await,
        }
    }

    /// How many blobs the sync has, if these are at most `most`; `None` if there are more. A zero is verified by
    /// listing (DEL-7).
    ///
    /// # Errors
    /// Any storage error: an unreadable or missing store isn't an empty one.
    pub async fn count_up_to(&self, sync: SyncId, most: u64) -> Result<Option<u64>, ArfError> {
        match &self.backend {
            Backend::Local { folder } => in_folder(folder, "list blobs", move |f| f.count_up_to(sync, most)).await,
            Backend::Cloud(bucket) => bucket.count_up_to(sync, most).await,
        }
    }

    /// Whether the sync has no blob at all, verified by listing (DEL-7). Empty folders don't count.
    ///
    /// # Errors
    /// Any storage error: an unreadable or missing store isn't an empty one.
    pub async fn is_empty(&self, sync: SyncId) -> Result<bool, ArfError> {
        match &self.backend {
            Backend::Local { folder } => in_folder(folder, "list blobs", move |f| f.is_empty(sync)).await,
            Backend::Cloud(bucket) => bucket.is_empty(sync).await,
        }
    }

    /// Removes what writes of a killed process left half-way; returns how many. Call it before the sync's first write:
    /// it would take away what a write of this process has just begun. Only a local folder keeps such files.
    ///
    /// # Errors
    /// Any storage error.
    pub async fn remove_staging(&self, sync: SyncId) -> Result<u64, ArfError> {
        match &self.backend {
            Backend::Local { folder } => in_folder(folder, "remove blobs", move |f| f.remove_staging(sync)).await,
            Backend::Cloud(_) => Ok(0),
        }
    }

    /// Removes the sync's blobs for about `slice`; call it until it is exhausted, then verify. Running it twice, or by
    /// two workers at once, has the effect of one (DEL-6). What was removed before a failure stays removed, and counts.
    pub async fn purge(&self, sync: SyncId, slice: Duration) -> PurgeStep {
        match &self.backend {
            Backend::Local { folder } => {
                let (folder, deadline) = (folder.clone(), Instant::now() + slice);
                let purge = tokio::task::spawn_blocking(move || folder.purge(sync, deadline));
                purge.await.unwrap_or_else(|_| PurgeStep::failed(ArfError::Aborted("remove blobs")))
            }
            Backend::Cloud(bucket) => bucket.purge(sync, tokio::time::Instant::now() + slice).await,
        }
    }

    /// Which syncs have at least one blob, page by page: never more of them in memory than a few pages. An error ends
    /// it; what was listed before is right.
    pub fn census(&self) -> BoxStream<'static, Result<ArfCensus, ArfError>> {
        match self.backend.clone() {
            Backend::Local { folder } => {
                let (page, pages) = mpsc::channel(1);
                let walk = move || {
                    let shown = folder.census(CENSUS_PAGE, |census| page.blocking_send(Ok(census)).is_ok());
                    if let Err(error) = shown {
                        drop(page.blocking_send(Err(error)));
                    }
                };
                tokio::task::spawn_blocking(walk);
                stream::unfold(pages, |mut pages| async { pages.recv().await.map(|page| (page, pages)) }).boxed()
            }
            Backend::Cloud(bucket) => bucket.census(),
        }
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// `Unanswered` after `timeout`, else any storage error.
    pub async fn ready(&self, timeout: Duration) -> Result<(), ArfError> {
        let check = async {
            match &self.backend {
                Backend::Local { folder } => in_folder(folder, "read folder", Folder::check).await,
                Backend::Cloud(bucket) => bucket.check().await,
            }
        };
        tokio::time::timeout(timeout, check).await.unwrap_or(Err(ArfError::Unanswered(timeout)))
    }
}

/// Why the blob can't be written, if it is larger than one PUT may be.
fn too_large(blob: &Blob) -> Option<ArfError> {
    let bytes = blob.content_bytes;
    (bytes > MAX_BLOB_BYTES).then_some(ArfError::TooLarge { bytes, max: MAX_BLOB_BYTES })
}

fn blobs_left<T>(folder: &Folder, sync: SyncId, blobs: Vec<Blob>, mut start: impl FnMut() -> Option<T>) -> Vec<Blob> {
    let mut left = Vec::new();
    let mut blobs = blobs.into_iter();
    for blob in blobs.by_ref() {
        let Some(_started) = start() else {
            left.push(blob);
            break;
        };
        if too_large(&blob).is_some() || folder.put(sync, &blob.name(), &blob.stored).is_err() {
            left.push(blob);
        }
    }
    left.extend(blobs);
    left
}

async fn in_folder<T, F>(folder: &Folder, action: &'static str, work: F) -> Result<T, ArfError>
where
    T: Send + 'static,
    F: FnOnce(&Folder) -> Result<T, ArfError> + Send + 'static,
{
    let folder = folder.clone();
    blocking(action, move || work(&folder)).await
}

async fn blocking<T, F>(action: &'static str, work: F) -> Result<T, ArfError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, ArfError> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(ArfError::Aborted(action)))
}
