//! Blobs in a local folder, written and read without `object_store`.
//!
//! That crate lists a folder without the files `x#1` that a killed write leaves, and follows symbolic links: a purge
//! and its verification must see every entry and follow no link. It also writes a blob with more calls and changes of
//! thread than the writing takes, and makes every folder that is missing, even on the mount point of a volume that went
//! away.
//!
//! Everything here blocks and is called on the blocking pool.

use std::fs::{self, DirEntry, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use shared_models::SyncId;

use super::{ArfCensus, ArfError, BlobCounts, PurgeEnd, PurgeStep, name};

type Result<T> = std::result::Result<T, ArfError>;

/// The folder of all syncs. It exists from set-up on, so its absence is an error: a volume that isn't mounted isn't
/// an empty store.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    raw: PathBuf,
}

/// One entry that isn't a folder, by its name relative to the sync's prefix (empty for the prefix itself).
struct Blob {
    path: PathBuf,
    relative: String,
}

impl Folder {
    pub(super) fn open(root: &Path) -> Result<Self> {
        let raw = root.join(name::RAW);
        fs::create_dir_all(&raw).map_err(ArfError::folder("create folder"))?;
        Ok(Self { raw })
    }

    pub(super) fn check(&self) -> Result<()> {
        fs::read_dir(&self.raw).map(drop).map_err(ArfError::folder("read folder"))
    }

    pub(super) fn counts(&self, sync: SyncId) -> Result<BlobCounts> {
        let mut counts = BlobCounts::default();
        self.walk(sync, &mut |blob| {
            counts.add(&blob.relative);
            Ok(true)
        })?;
        Ok(counts)
    }

    /// How many blobs the sync has, if these are at most `most`.
    pub(super) fn count_up_to(&self, sync: SyncId, most: u64) -> Result<Option<u64>> {
        let mut count = 0;
        let reached_end = self.walk(sync, &mut |_| {
            count += 1;
            Ok(count <= most)
        })?;
        Ok(reached_end.then_some(count))
    }

    pub(super) fn is_empty(&self, sync: SyncId) -> Result<bool> {
        self.walk(sync, &mut |_| Ok(false))
    }

    /// Shows the syncs that have blobs to `show`, page by page, until it returns `false`.
    pub(super) fn census(&self, page: usize, mut show: impl FnMut(ArfCensus) -> bool) -> Result<()> {
        let mut census = ArfCensus::default();
        for entry in fs::read_dir(&self.raw).map_err(ArfError::folder("read folder"))? {
            let entry = entry.map_err(ArfError::folder("read folder"))?;
            if walk_entry(&entry.path(), "", &mut |_| Ok(false))? {
                continue;
            }
            match entry.file_name().to_str().and_then(name::sync_of) {
                Some(sync) => drop(census.syncs.insert(sync)),
                None => census.unreadable += 1,
            }
            if census.syncs.len() >= page && !show(std::mem::take(&mut census)) {
                return Ok(());
            }
        }
        show(census);
        Ok(())
    }

    /// Removes blobs until none is left or the time is over; the manifest last, then the empty folders.
    pub(super) fn purge(&self, sync: SyncId, deadline: Instant) -> PurgeStep {
        let mut removed = BlobCounts::default();
        let end = self.purge_until(sync, deadline, &mut removed).unwrap_or_else(PurgeEnd::Failed);
        PurgeStep { removed, end }
    }

    fn purge_until(&self, sync: SyncId, deadline: Instant, removed: &mut BlobCounts) -> Result<PurgeEnd> {
        let mut manifest = None;
        let reached_end = self.walk(sync, &mut |blob| {
            if blob.relative == name::MANIFEST {
                manifest = Some(blob.path);
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            if remove_file(&blob.path)? > 0 {
                removed.add(&blob.relative);
            }
            Ok(true)
        })?;
        if !reached_end {
            return Ok(PurgeEnd::TimeOver);
        }
        if let Some(manifest) = manifest {
            removed.manifest += remove_file(&manifest)?;
        }
        let are_gone = remove_folders(&self.prefix(sync))?;
        Ok(if are_gone { PurgeEnd::Exhausted } else { PurgeEnd::TimeOver })
    }

    /// Removes what writes that were killed half-way left; returns how many.
    pub(super) fn remove_staging(&self, sync: SyncId) -> Result<u64> {
        let mut removed = 0;
        self.walk(sync, &mut |blob| {
            if name::is_staging(&blob.relative) {
                removed += remove_file(&blob.path)?;
            }
            Ok(true)
        })?;
        Ok(removed)
    }

    /// Writes one blob: beside its place first, so that nobody ever reads a part of it.
    pub(super) fn put(&self, sync: SyncId, relative: &str, content: &[u8]) -> Result<()> {
        let place = self.prefix(sync).join(relative);
        let (mut file, staging) = self.stage(sync, &place).map_err(ArfError::folder("write blob"))?;
        let written = file.write_all(content).and_then(|()| fs::rename(&staging, &place));
        if written.is_err() {
            remove_file(&staging)?;
        }
        written.map_err(ArfError::folder("write blob"))
    }

    /// A new file beside `place`, with a name that nobody uses.
    fn stage(&self, sync: SyncId, place: &Path) -> io::Result<(File, PathBuf)> {
        let mut has_folders = false;
        let mut number = 1_u32;
        loop {
            let mut staging = place.as_os_str().to_owned();
            staging.push(format!("#{number}"));
            match File::options().write(true).create_new(true).open(&staging) {
                Ok(file) => return Ok((file, staging.into())),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number = number.saturating_add(1),
                Err(error) if error.kind() == ErrorKind::NotFound && !has_folders => {
                    self.make_folders(sync, place)?;
                    has_folders = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes the folders between the folder of all syncs, which must be there, and `place`.
    fn make_folders(&self, sync: SyncId, place: &Path) -> io::Result<()> {
        let prefix = self.prefix(sync);
        let below = place.parent().filter(|parent| *parent != prefix);
        for folder in [Some(prefix.as_path()), below].into_iter().flatten() {
            match fs::create_dir(folder) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Removes one blob, if it is there.
    pub(super) fn delete(&self, sync: SyncId, relative: &str) -> Result<()> {
        remove_file(&self.prefix(sync).join(relative)).map(drop)
    }

    /// The manifest's content, if there is one.
    pub(super) fn manifest(&self, sync: SyncId) -> Result<Option<Vec<u8>>> {
        match fs::read(self.prefix(sync).join(name::MANIFEST)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::NotFound => self.check().map(|()| None),
            Err(error) => Err(ArfError::folder("read manifest")(error)),
        }
    }

    /// Shows every blob of the sync to `visit` until it returns `false`; returns whether the end was reached.
    fn walk(&self, sync: SyncId, visit: &mut dyn FnMut(Blob) -> Result<bool>) -> Result<bool> {
        self.check()?;
        walk_entry(&self.prefix(sync), "", visit)
    }

    fn prefix(&self, sync: SyncId) -> PathBuf {
        self.raw.join(sync.to_string())
    }
}

/// Walks what is at `path`. Symbolic links are blobs, never ways. What vanishes on the way is simply gone; every other
/// error ends the walk.
fn walk_entry(path: &Path, relative: &str, visit: &mut dyn FnMut(Blob) -> Result<bool>) -> Result<bool> {
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(ArfError::folder("read entry")(error)),
    };
    if !kind.is_dir() {
        return visit(Blob { path: path.to_owned(), relative: relative.to_owned() });
    }
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(ArfError::folder("read folder")(error)),
    };
    for entry in entries {
        let entry = entry.map_err(ArfError::folder("read folder"))?;
        if !walk_entry(&entry.path(), &join(relative, &entry), visit)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn join(relative: &str, entry: &DirEntry) -> String {
    let file_name = entry.file_name();
    let file_name = file_name.to_string_lossy();
    if relative.is_empty() { file_name.into_owned() } else { format!("{relative}/{file_name}") }
}

/// Removes a file or link; returns how many were there.
fn remove_file(path: &Path) -> Result<u64> {
    match fs::remove_file(path) {
        Ok(()) => Ok(1),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(ArfError::folder("remove blob")(error)),
    }
}

/// Removes empty folders, innermost first; returns whether all went. One that isn't empty was written to meanwhile.
fn remove_folders(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(ArfError::folder("read entry")(error)),
    }
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(ArfError::folder("read folder")(error)),
    };
    let mut is_empty = true;
    for entry in entries {
        let entry = entry.map_err(ArfError::folder("read folder"))?;
        is_empty &= remove_folders(&entry.path())?;
    }
    if !is_empty {
        return Ok(false);
    }
    match fs::remove_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(error) => Err(ArfError::folder("remove folder")(error)),
    }
}
