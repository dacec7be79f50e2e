//! Blobs in S3, Google Cloud Storage or Azure.
//!
//! A write is one request: repeated by its client it would be a new write outside its lease (DEL-2). Listings and
//! purges change nothing that they aren't to change, so their client repeats what the store refuses for the moment.
//! S3 is listed and purged by requests of our own, the others by those of `object_store`.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _};
use object_store::path::{DELIMITER, Path};
use object_store::{ObjectStore, ObjectStoreExt, ObjectStoreScheme};
use shared_models::SyncId;
use tokio::time::Instant;
use url::Url;

use super::{ArfCensus, ArfError, BlobCounts, PurgeStep, name};
use crate::object_stores::clients::{self, Clients, Use};
use crate::object_stores::failure::is_blob_missing;
use current::Current;
use listing::Listing;
use object::Page;
use objects::Objects;
use purge::Purge;
use s3::{Options, S3};
use versions::Versions;
use walk::Walk;

mod current;
mod listing;
mod object;
mod objects;
mod purge;
mod s3;
mod versions;
mod walk;

type Result<T> = std::result::Result<T, ArfError>;

/// A bucket, and the prefix in it below which everything is.
#[derive(Clone)]
pub(super) struct Bucket {
    /// For writes, which are never repeated.
    writes: Arc<dyn ObjectStore>,
    listing: Listing,
    /// What a bucket shows without versions.
    plain: Listing,
    /// The other way to list, if the store has one.
    versions: Option<Versions>,
    root: Path,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").field("store", &self.writes).field("root", &self.root).finish_non_exhaustive()
    }
}

impl Bucket {
    /// Opens the bucket that the URL names. Settings override the environment variables of the same names.
    pub(super) fn open(url: &Url, settings: &[(&str, &str)]) -> Result<Self> {
        let is_s3 = matches!(ObjectStoreScheme::parse(url), Ok((ObjectStoreScheme::AmazonS3, _)));
        let options = if is_s3 { Some(Options::read(url, settings)?) } else { None };
        let opened = clients::open(url, settings, Use::Arf).map_err(ArfError::cannot_open)?;
        let Clients { once: writes, patient, pages, s3, root } = opened;
        let (plain, versions) = match (options, s3.and_then(S3::of)) {
            (Some(options), Some(s3)) => {
                let s3 = s3.with(options);
                (Listing::Objects(Objects(s3.clone())), Some(Versions(s3)))
            }
            // Never by what looks less closely at the answers.
            (Some(_), None) => return Err(ArfError::Setup("there is no client for lists and removals".to_owned())),
            (None, _) => (Listing::Current(Current { store: patient, pages }), None),
        };
        Ok(Self { writes, listing: plain.clone(), plain, versions, root })
    }

    /// The same bucket, whose objects are all versions of them, and delete markers.
    pub(super) fn with_all_versions(mut self) -> Result<Self> {
        let Some(versions) = self.versions.take() else {
            let text = "only S3 lets its versions be removed: ARF_PURGE_VERSIONS can't be set for this ARF_URL";
            return Err(ArfError::Setup(text.to_owned()));
        };
        self.listing = Listing::Versions(versions);
        Ok(self)
    }

    /// Whether its objects are all versions of them.
    pub(super) const fn has_all_versions(&self) -> bool {
        matches!(self.listing, Listing::Versions(_))
    }

    pub(super) async fn check(&self) -> Result<()> {
        self.listing.page(&self.raw()?, None, None).await.map(drop)
    }

    pub(super) async fn put(&self, sync: SyncId, relative: &str, content: bytes::Bytes) -> Result<()> {
        let location = self.blob(sync, relative)?;
        self.writes.put(&location, content.into()).await.map(drop).map_err(ArfError::store("write blob"))
    }

    pub(super) async fn delete(&self, sync: SyncId, relative: &str) -> Result<()> {
        let location = self.blob(sync, relative)?;
        match self.writes.delete(&location).await {
            Ok(()) => Ok(()),
            Err(error) if is_blob_missing(&error) => Ok(()),
            Err(error) => Err(ArfError::store("remove blob")(error)),
        }
    }

    pub(super) async fn manifest(&self, sync: SyncId) -> Result<Option<Vec<u8>>> {
        let location = self.blob(sync, name::MANIFEST)?;
        match self.writes.get(&location).await {
            Ok(found) => {
                found.bytes().await.map(|content| Some(content.into())).map_err(ArfError::store("read manifest"))
            }
            Err(error) if is_blob_missing(&error) => Ok(None),
            Err(error) => Err(ArfError::store("read manifest")(error)),
        }
    }

    pub(super) async fn counts(&self, sync: SyncId) -> Result<BlobCounts> {
        let prefix = self.prefix(sync)?;
        let mut counts = BlobCounts::default();
        let mut pages = Walk::new(self.listing.clone(), prefix.clone(), None);
        while let Some(page) = pages.next().await? {
            page.objects.iter().for_each(|object| counts.add(object.below(&prefix)));
        }
        Ok(counts)
    }

    /// How many blobs the sync has, if these are at most `most`.
    pub(super) async fn count_up_to(&self, sync: SyncId, most: u64) -> Result<Option<u64>> {
        let mut count = self.count_in(&self.listing, sync, most).await?;
        if count == 0 && self.has_all_versions() {
            // Never "nothing" by a list of versions alone: not every store that answers such a request knows versions.
            count = self.count_in(&self.plain, sync, most).await?;
        }
        Ok((count <= most).then_some(count))
    }

    /// How many there are; more than `most` may be any number.
    async fn count_in(&self, listing: &Listing, sync: SyncId, most: u64) -> Result<u64> {
        let (mut pages, mut count) = (Walk::new(listing.clone(), self.prefix(sync)?, None), 0);
        while count <= most {
            let Some(page) = pages.next().await? else { break };
            count += count_of(&page);
        }
        Ok(count)
    }

    pub(super) async fn is_empty(&self, sync: SyncId) -> Result<bool> {
        Ok(self.count_up_to(sync, 0).await?.is_some())
    }

    /// The syncs that have blobs, page by page.
    pub(super) fn census(self) -> BoxStream<'static, Result<ArfCensus>> {
        let raw = match self.raw() {
            Ok(raw) => raw,
            Err(error) => return stream::once(async { Err(error) }).boxed(),
        };
        let pages = Walk::new(self.listing, raw.clone(), Some(DELIMITER));
        let censuses = stream::try_unfold((pages, raw), |(mut pages, raw)| async {
            Ok(pages.next().await?.map(|page| (census_of(&page, &raw), (pages, raw))))
        });
        censuses.boxed()
    }

    /// Removes blobs until all are gone or the time is over; the manifest goes last.
    pub(super) async fn purge(&self, sync: SyncId, deadline: Instant) -> PurgeStep {
        match self.prefix(sync) {
            Ok(prefix) => Purge::new(&self.listing, prefix, deadline).run().await,
            Err(error) => PurgeStep::failed(error),
        }
    }

    /// What the names of all blobs begin with.
    fn raw(&self) -> Result<String> {
        Ok(format!("{}/", self.at(name::RAW)?))
    }

    /// What the names of all blobs of the sync begin with.
    fn prefix(&self, sync: SyncId) -> Result<String> {
        Ok(format!("{}/", self.at(&name::prefix(sync))?))
    }

    fn blob(&self, sync: SyncId, relative: &str) -> Result<Path> {
        self.at(&format!("{}/{relative}", name::prefix(sync)))
    }

    fn at(&self, relative: &str) -> Result<Path> {
        let root = &self.root;
        Path::parse(if root.as_ref().is_empty() { relative.to_owned() } else { format!("{root}/{relative}") })
            .map_err(|_| ArfError::Setup("the prefix in the ARF store URL is unusable".to_owned()))
    }
}

/// What a page of the folder of all syncs shows.
fn census_of(page: &Page, raw: &str) -> ArfCensus {
    // Some programs put an empty object for the folder itself.
    let loose = page.objects.iter().filter(|object| object.key != raw).count();
    let mut census = ArfCensus { unreadable: u64::try_from(loose).unwrap_or(u64::MAX), ..ArfCensus::default() };
    for prefix in &page.prefixes {
        match prefix.strip_prefix(raw).and_then(name::sync_of) {
            Some(sync) => drop(census.syncs.insert(sync)),
            None => census.unreadable += 1,
        }
    }
    census
}

fn count_of(page: &Page) -> u64 {
    u64::try_from(page.objects.len()).unwrap_or(u64::MAX)
}
