//! What a sync's prefix holds, whatever the backend.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use shared_models::{EntityKey, SyncId};

use super::ArfError;
use super::name::{self, BlobKind};

/// A blob to be written: an entity's capture, or its raw file. Made by [`super::BlobForm`].
#[derive(Clone)]
pub struct Blob {
    /// Whose it is.
    pub(super) key: EntityKey,
    pub(super) kind: BlobKind,
    /// How large its content is.
    pub(super) content_bytes: u64,
    /// What is written.
    pub(super) stored: Bytes,
}

impl Blob {
    /// Whose it is.
    #[must_use]
    pub const fn key(&self) -> EntityKey {
        self.key
    }

    /// Its name, relative to the sync's prefix.
    pub(super) fn name(&self) -> String {
        name::blob(self.key, self.kind)
    }
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blob").field("key", &self.key).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The raw file that an entity may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawFileBlob {
    /// None.
    None,
    /// Named by the entity's key.
    Keyed,
    /// Of a version before blob keys, which named it by the entity's key and its own name.
    Named(String),
}

/// All blobs of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityBlobs {
    /// Whose they are.
    pub key: EntityKey,
    /// The raw file besides the capture.
    pub file: RawFileBlob,
}

impl EntityBlobs {
    /// Their names, relative to the sync's prefix.
    pub(super) fn names(&self) -> Vec<String> {
        let file = match &self.file {
            RawFileBlob::None => None,
            RawFileBlob::Keyed => Some(name::blob(self.key, BlobKind::File)),
            RawFileBlob::Named(name) => Some(name::named_file(self.key, name)),
        };
        [name::blob(self.key, BlobKind::Capture)].into_iter().chain(file).collect()
    }
}

/// How many blobs of each kind a sync has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlobCounts {
    /// 1 if the manifest is there.
    pub manifest: u64,
    /// Entities.
    pub entities: u64,
    /// Files.
    pub files: u64,
    /// Remains of writes that were killed half-way.
    pub staging: u64,
    /// Anything else, e.g. of another system.
    pub other: u64,
}

impl BlobCounts {
    /// None at all.
    pub(super) const NONE: Self = Self { manifest: 0, entities: 0, files: 0, staging: 0, other: 0 };

    /// All blobs.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.manifest + self.entities + self.files + self.staging + self.other
    }

    /// The counts that aren't zero, by kind.
    #[must_use]
    pub fn by_kind(&self) -> BTreeMap<String, u64> {
        let Self { manifest, entities, files, staging, other } = *self;
        let kinds =
            [("manifest", manifest), ("entities", entities), ("files", files), ("staging", staging), ("other", other)];
        kinds.into_iter().filter(|(_, count)| *count > 0).map(|(kind, count)| (kind.to_owned(), count)).collect()
    }

    /// Counts a blob by its name, relative to the sync's prefix.
    pub(super) fn add(&mut self, relative: &str) {
        let slot = if name::is_staging(relative) {
            &mut self.staging
        } else if relative == name::MANIFEST {
            &mut self.manifest
        } else if relative.starts_with("entities/") {
            &mut self.entities
        } else if relative.starts_with("files/") {
            &mut self.files
        } else {
            &mut self.other
        };
        *slot += 1;
    }
}

/// One slice of a purge.
#[derive(Debug)]
#[must_use = "it may have failed"]
pub struct PurgeStep {
    /// Blobs removed in this slice, however it ended.
    pub removed: BlobCounts,
    /// Why it ended.
    pub end: PurgeEnd,
}

/// Why a slice of a purge ended.
#[derive(Debug)]
pub enum PurgeEnd {
    /// Nothing more was offered to be removed. Proves nothing: verify by listing.
    Exhausted,
    /// Its time was over.
    TimeOver,
    /// The store failed, or refused to remove something.
    Failed(ArfError),
}

impl PurgeStep {
    pub(super) const fn failed(error: ArfError) -> Self {
        Self { removed: BlobCounts::NONE, end: PurgeEnd::Failed(error) }
    }

    /// Whether nothing more was offered to be removed.
    ///
    /// # Errors
    /// What the slice failed with.
    pub fn is_exhausted(self) -> Result<bool, ArfError> {
        match self.end {
            PurgeEnd::Exhausted => Ok(true),
            PurgeEnd::TimeOver => Ok(false),
            PurgeEnd::Failed(error) => Err(error),
        }
    }
}

/// Which syncs hold blobs: all, or a page of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArfCensus {
    /// Syncs with at least one blob; an empty folder isn't data.
    pub syncs: BTreeSet<SyncId>,
    /// Entries under `raw/` that hold something but aren't named by a UUID in its usual form.
    pub unreadable: u64,
}
