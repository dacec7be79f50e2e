//! What a sync's prefix holds, whatever the backend.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use shared_models::{EntityKey, SyncId};

use super::name;

/// A blob to be written: an entity's capture, or its raw file.
#[derive(Debug, Clone)]
pub struct Blob {
    /// Whose it is.
    pub key: EntityKey,
    /// The raw file's name; `None` for the capture.
    pub file_name: Option<String>,
    /// What is written.
    pub content: Bytes,
}

impl Blob {
    /// An entity's capture.
    #[must_use]
    pub const fn capture(key: EntityKey, content: Bytes) -> Self {
        Self { key, file_name: None, content }
    }

    /// An entity's raw file. Its blob has a safe form of its name.
    #[must_use]
    pub const fn file(key: EntityKey, name: String, content: Bytes) -> Self {
        Self { key, file_name: Some(name), content }
    }

    /// Its name, relative to the sync's prefix.
    pub(super) fn name(&self) -> String {
        self.file_name.as_deref().map_or_else(|| name::entity(self.key), |file| name::file(self.key, file))
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

/// Progress of one slice of a purge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PurgeStep {
    /// Blobs removed in this slice.
    pub removed: BlobCounts,
    /// Whether the end was reached; `false` if the time was over before. Proves nothing: verify by listing.
    pub finished: bool,
}

/// Which syncs hold blobs: all, or a page of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArfCensus {
    /// Syncs with at least one blob; an empty folder isn't data.
    pub syncs: BTreeSet<SyncId>,
    /// Entries under `raw/` that hold something but aren't named by a UUID in its usual form.
    pub unreadable: u64,
}
