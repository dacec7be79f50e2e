//! The ledger in S3, Google Cloud Storage or Azure.
//!
//! Every write says what it expects to find, and the store refuses it otherwise. So a request may be repeated, by its
//! client or by a caller, and one that lands late changes nothing.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error, GetResult, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};
use shared_service::Backoff;
use tokio::sync::OnceCell;
use url::Url;

use super::object::{MAX_CHECKPOINT_BYTES, Put, WRITTEN_ONCE};
use super::place::Place;
use super::{LedgerStoreError, Result};
use crate::object_stores::clients::{self, Use};
use crate::object_stores::failure::{is_said_missing, is_unsupported};
use crate::object_stores::patience::{FIRST_PAUSE, LONGEST_PAUSE, RETRIES};

/// A bucket, and the prefix in it below which everything is.
#[derive(Clone)]
pub(super) struct Bucket {
    store: Arc<dyn ObjectStore>,
    root: Path,
    /// Set once the store has refused to overwrite an object.
    keeps_what_is_there: Arc<OnceCell<()>>,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").field("root", &self.root).finish_non_exhaustive()
    }
}

/// What a conditional write ended with.
enum Written {
    Done,
    /// What the store holds isn't what the write expected.
    Refused,
}

impl Bucket {
    /// Opens the bucket that the URL names. Settings override the environment variables of the same names.
    pub(super) fn open(url: &Url, settings: &[(&str, &str)]) -> Result<Self> {
        let opened = clients::open(url, settings, Use::Ledger).map_err(LedgerStoreError::cannot_open)?;
        Ok(Self { store: opened.patient, root: opened.root, keeps_what_is_there: Arc::default() })
    }

    /// Writes what is written once.
    pub(super) async fn create(&self, place: &Place, content: Bytes) -> Result<Put> {
        self.keeps_what_is_there.get_or_try_init(|| self.prove_that_it_keeps()).await?;
        let mut pauses = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE).pauses().take(RETRIES);
        loop {
            match self.write(place, content.clone(), PutMode::Create).await? {
                Written::Done => return Ok(Put::New),
                Written::Refused if self.holds(place, &content).await? => return Ok(Put::Same),
                // S3 also refuses it while another write of the same object isn't done.
                Written::Refused => {}
            }
            let Some(pause) = pauses.next() else { return Err(LedgerStoreError::Contended { name: place.name() }) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Some stores that speak S3 ignore the condition and overwrite. Writing the same bytes twice finds them out, and
    /// harms nothing.
    async fn prove_that_it_keeps(&self) -> Result<()> {
        let place = Place::log_check();
        for _ in 0..2 {
            if let Written::Refused = self.write(&place, WRITTEN_ONCE, PutMode::Create).await? {
                return Ok(());
            }
        }
        Err(LedgerStoreError::Unsupported("it overwrites what it is asked to keep (If-None-Match is ignored)"))
    }

    /// Whether exactly that is there, or nothing yet.
    async fn holds(&self, place: &Place, content: &Bytes) -> Result<bool> {
        let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
        match self.find(place, bytes).await {
            Ok(Some(found)) if found == *content => Ok(true),
            Ok(None) => Ok(false),
            Ok(Some(_)) | Err(LedgerStoreError::TooLarge { .. }) => {
                Err(LedgerStoreError::Different { name: place.name() })
            }
            Err(error) => Err(error),
        }
    }

    /// Replaces what is there now, or nothing.
    pub(super) async fn replace(&self, place: &Place, content: Bytes) -> Result<()> {
        let mode = match self.get(place).await? {
            None => PutMode::Create,
            // What is too large to be read is none of ours.
            Some(found) if found.meta.size > MAX_CHECKPOINT_BYTES => PutMode::Update(version(&found)),
            Some(found) => {
                let version = version(&found);
                if found.bytes().await.map_err(LedgerStoreError::store("read"))? == content {
                    return Ok(());
                }
                PutMode::Update(version)
            }
        };
        if let Written::Done = self.write(place, content.clone(), mode).await? {
            return Ok(());
        }
        // It may have been refused because an earlier attempt of the same client came through.
        match self.find(place, MAX_CHECKPOINT_BYTES).await? {
            Some(found) if found == content => Ok(()),
            Some(_) | None => Err(LedgerStoreError::Contended { name: place.name() }),
        }
    }

    async fn write(&self, place: &Place, content: Bytes, mode: PutMode) -> Result<Written> {
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(&self.at(place)?, content.into(), options).await {
            Ok(_) => Ok(Written::Done),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Written::Refused),
            Err(error) if is_unsupported(&error) => {
                Err(LedgerStoreError::Unsupported("it knows no conditional writes (If-None-Match, If-Match)"))
            }
            Err(error) => Err(LedgerStoreError::store("write")(error)),
        }
    }

    pub(super) async fn read(&self, place: &Place, max: u64) -> Result<Option<Bytes>> {
        self.find(place, max).await
    }

    pub(super) async fn has(&self, place: &Place) -> Result<bool> {
        // No HEAD: its answer doesn't say what isn't there, the object or the bucket. No range: some stores know none.
        Ok(self.get(place).await?.is_some())
    }

    pub(super) async fn names_in(&self, place: &Place) -> Result<Vec<String>> {
        let found = self.store.list_with_delimiter(Some(&self.at(place)?)).await;
        let found = found.map_err(LedgerStoreError::store("list"))?;
        Ok(found.objects.iter().filter_map(|object| object.location.filename().map(str::to_owned)).collect())
    }

    async fn find(&self, place: &Place, max: u64) -> Result<Option<Bytes>> {
        let Some(found) = self.get(place).await? else { return Ok(None) };
        let bytes = found.meta.size;
        if bytes > max {
            return Err(LedgerStoreError::TooLarge { name: place.name(), bytes, max });
        }
        found.bytes().await.map(Some).map_err(LedgerStoreError::store("read"))
    }

    /// Nothing if the store says that it isn't there.
    async fn get(&self, place: &Place) -> Result<Option<GetResult>> {
        match self.store.get(&self.at(place)?).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_said_missing(&error) => Ok(None),
            Err(error) => Err(LedgerStoreError::store("read")(error)),
        }
    }

    fn at(&self, place: &Place) -> Result<Path> {
        let (root, place) = (&self.root, place.as_str());
        Path::parse(if root.as_ref().is_empty() { place.to_owned() } else { format!("{root}/{place}") })
            .map_err(|_| LedgerStoreError::Setup("the prefix in the ledger store URL is unusable".to_owned()))
    }
}

/// Which object it is, as it is now.
fn version(found: &GetResult) -> UpdateVersion {
    UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() }
}
