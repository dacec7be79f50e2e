//! The ledger store's face: the same calls for a local folder and for a bucket.

use std::time::Duration;

use bytes::Bytes;
use url::Url;

use super::bucket::Bucket;
use super::local::Folder;
use super::object::{MAX_CHECKPOINT_BYTES, MAX_OBJECT_BYTES, Put};
use super::place::Place;
use super::{LedgerStoreError, Result};

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The ledger store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LedgerStore {
    backend: Backend,
    timeout: Duration,
}

#[derive(Debug, Clone)]
enum Backend {
    Local(Folder),
    Cloud(Box<Bucket>),
}

impl LedgerStore {
    /// Opens `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix` for the one that
    /// writes. A local folder is made if it isn't there. Credentials come from the environment variables that are usual
    /// for each cloud. Blocks for as long as it takes to make a folder.
    ///
    /// # Errors
    /// `Setup` or `Store` for a URL or setting that can't be used, `Folder` if the folder can't be made.
    pub fn open(url: &Url) -> Result<Self> {
        Self::open_with(url, &[])
    }

    /// The same, with settings of the bucket's client that override the environment, by the names that `object_store`
    /// gives them (`aws_endpoint`, `aws_region`, `allow_http`, …). A local folder has none.
    ///
    /// # Errors
    /// As [`LedgerStore::open`].
    pub fn open_with(url: &Url, settings: &[(&str, &str)]) -> Result<Self> {
        let backend = match Folder::of(url)? {
            Some(folder) => {
                folder.make()?;
                Backend::Local(folder)
            }
            None => Backend::Cloud(Box::new(Bucket::open(url, settings)?)),
        };
        Ok(Self { backend, timeout: TIMEOUT })
    }

    /// Opens a store that is there already: no folder is made.
    ///
    /// # Errors
    /// As [`LedgerStore::open`], and `Setup` if the folder isn't there.
    pub fn open_existing(url: &Url) -> Result<Self> {
        match Folder::of(url)? {
            Some(folder) if folder.is_there() => Ok(Self { backend: Backend::Local(folder), timeout: TIMEOUT }),
            Some(_) => {
                let text = "the folder of LEDGER_URL isn't there; the cleanup-worker makes it when it starts";
                Err(LedgerStoreError::Setup(text.to_owned()))
            }
            None => Self::open(url),
        }
    }

    /// Opens a store for somebody who only reads it: no folder is made, and one that isn't there is an error of each
    /// read, until somebody makes it.
    ///
    /// # Errors
    /// As [`LedgerStore::open`].
    pub fn open_to_read(url: &Url) -> Result<Self> {
        match Folder::of(url)? {
            Some(folder) => Ok(Self { backend: Backend::Local(folder), timeout: TIMEOUT }),
            None => Self::open(url),
        }
    }

    /// The same store, each call of which may take so long. It is 30 s if nothing is said.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Writes an object below `log/`, unless it is there already with the same bytes. `name` is relative to that: say,
    /// `tile/0/x001/067`. Once it returns, the object outlives a crash of the machine, as far as the store's word
    /// can be trusted. After an error the same call may be repeated, and settles whether the object is there.
    ///
    /// # Errors
    /// `Different` if other bytes lie there: they stay. `Name`, `TooLarge` (above [`MAX_OBJECT_BYTES`]) and
    /// `Unsupported` before anything is written; else any storage error.
    pub async fn put_if_absent(&self, name: &str, content: Bytes) -> Result<Put> {
        let place = Place::in_log(name)?;
        fits(&place, &content, MAX_OBJECT_BYTES)?;
        self.create(place, content).await
    }

    /// An object below `log/` of at most [`MAX_OBJECT_BYTES`]. `None` if the store says that it isn't there.
    ///
    /// # Errors
    /// As [`LedgerStore::get_at_most`].
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        self.get_at_most(name, MAX_OBJECT_BYTES).await
    }

    /// An object below `log/` of at most so many bytes. `None` if the store says that it isn't there.
    ///
    /// # Errors
    /// `Name`; `TooLarge` if it is larger, without reading it; else any storage error: a bucket or folder that is gone
    /// isn't an object that isn't there.
    pub async fn get_at_most(&self, name: &str, max_bytes: u64) -> Result<Option<Bytes>> {
        self.read(Place::in_log(name)?, max_bytes).await
    }

    /// Whether there is such an object below `log/`. Its content isn't read.
    ///
    /// # Errors
    /// `Name`, else any storage error.
    pub async fn has(&self, name: &str) -> Result<bool> {
        let place = Place::in_log(name)?;
        let call = async {
            match &self.backend {
                Backend::Local(folder) => in_folder(folder, "read", move |f| f.has(&place)).await,
                Backend::Cloud(bucket) => bucket.has(&place).await,
            }
        };
        self.within_time(call).await
    }

    /// The names of the objects in a folder below `log/`, not of those in folders within it; in no order. None if
    /// nothing was ever written there.
    ///
    /// # Errors
    /// `Name`, else any storage error. A name that isn't text is left out.
    pub async fn names_in(&self, folder: &str) -> Result<Vec<String>> {
        let place = Place::in_log(folder)?;
        let call = async {
            match &self.backend {
                Backend::Local(folder) => in_folder(folder, "list", move |f| f.names_in(&place)).await,
                Backend::Cloud(bucket) => bucket.names_in(&place).await,
            }
        };
        self.within_time(call).await
    }

    /// Replaces the newest checkpoint, whole. A call that wasn't answered and lands late can't undo a later one.
    ///
    /// # Errors
    /// `Contended` if somebody else replaced it at the same time, `TooLarge` above [`MAX_CHECKPOINT_BYTES`], else any
    /// storage error.
    pub async fn put_checkpoint(&self, note: &str) -> Result<()> {
        self.replace(Place::checkpoint(), Bytes::copy_from_slice(note.as_bytes())).await
    }

    /// The newest checkpoint. `None` if the store says that there is none yet.
    ///
    /// # Errors
    /// `NotText`; `TooLarge` above [`MAX_CHECKPOINT_BYTES`]; else any storage error.
    pub async fn get_checkpoint(&self) -> Result<Option<String>> {
        let place = Place::checkpoint();
        let name = place.name();
        let Some(content) = self.read(place, MAX_CHECKPOINT_BYTES).await? else { return Ok(None) };
        String::from_utf8(content.into()).map(Some).map_err(|_| LedgerStoreError::NotText { name })
    }

    pub(super) async fn create(&self, place: Place, content: Bytes) -> Result<Put> {
        let call = async {
            match &self.backend {
                Backend::Local(folder) => in_folder(folder, "write", move |f| f.create(&place, &content)).await,
                Backend::Cloud(bucket) => bucket.create(&place, content).await,
            }
        };
        self.within_time(call).await
    }

    pub(super) async fn replace(&self, place: Place, content: Bytes) -> Result<()> {
        fits(&place, &content, MAX_CHECKPOINT_BYTES)?;
        let call = async {
            match &self.backend {
                Backend::Local(folder) => in_folder(folder, "write", move |f| f.replace(&place, &content)).await,
                Backend::Cloud(bucket) => bucket.replace(&place, content).await,
            }
        };
        self.within_time(call).await
    }

    pub(super) async fn read(&self, place: Place, max_bytes: u64) -> Result<Option<Bytes>> {
        let call = async {
            match &self.backend {
                Backend::Local(folder) => in_folder(folder, "read", move |f| f.read(&place, max_bytes)).await,
                Backend::Cloud(bucket) => bucket.read(&place, max_bytes).await,
            }
        };
        self.within_time(call).await
    }

    async fn within_time<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(self.timeout, call).await.unwrap_or(Err(LedgerStoreError::Unanswered(self.timeout)))
    }
}

fn fits(place: &Place, content: &Bytes, max: u64) -> Result<()> {
    let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
    if bytes > max { Err(LedgerStoreError::TooLarge { name: place.name(), bytes, max }) } else { Ok(()) }
}

/// Files are read and written on a thread that may block. Once begun it ends, whether or not somebody waits for it.
async fn in_folder<T, F>(folder: &Folder, action: &'static str, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(&Folder) -> Result<T> + Send + 'static,
{
    let folder = folder.clone();
    tokio::task::spawn_blocking(move || work(&folder)).await.unwrap_or(Err(LedgerStoreError::Aborted(action)))
}
