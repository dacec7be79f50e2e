//! The walk over a folder, chunk by chunk, in the order of the paths. Blocking.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::beneath::{Beneath, NameKind};
use super::entity::{self, ReadFile, id_of};
use crate::left_out::LeftOut;
use crate::tools::memory::Reserved;
use crate::tools::patterns::Patterns;
use crate::tools::text::MAX_TEXT_BYTES;
use crate::{ReadSummary, SourceEntity, SourceError};

/// Bounds of a chunk: what is in memory at once, and how long a stop may have to wait.
const CHUNK_FILES: usize = 16;
const CHUNK_BYTES: usize = 8 * 1024 * 1024;
const CHUNK_TIME: Duration = Duration::from_millis(200);

/// A folder whose names are being worked off.
#[derive(Debug)]
struct OpenFolder {
    /// Below the start of the walk.
    path: PathBuf,
    names: std::vec::IntoIter<(OsString, NameKind)>,
}

/// A walk in progress.
#[derive(Debug)]
pub(super) struct Walk {
    start: Beneath,
    /// Path of the start below its root.
    prefix: PathBuf,
    root: String,
    patterns: Patterns,
    max_blob_bytes: u64,
    /// `None` before the first chunk.
    open: Option<Vec<OpenFolder>>,
    left_out: LeftOut,
}

/// What could not be read.
#[derive(Debug, Clone, Copy)]
enum Gap {
    File,
    /// A folder, or what may be one.
    Folder,
}

impl Walk {
    /// A walk over `start`, which is `prefix` below the root named `root`.
    pub(super) fn new(start: Beneath, prefix: PathBuf, root: String, patterns: Patterns, max_blob_bytes: u64) -> Self {
        Self { start, prefix, root, patterns, max_blob_bytes, open: None, left_out: LeftOut::default() }
    }

    /// Whether everything was seen.
    pub(super) fn is_done(&self) -> bool {
        self.open.as_ref().is_some_and(Vec::is_empty)
    }

    /// What to say at the end: how many files and folders were left out, and which couldn't be read.
    pub(super) fn into_summary(self) -> ReadSummary {
        self.left_out.unmatched(&self.patterns);
        self.left_out.into_summary()
    }

    /// Largest number of bytes that a chunk reads.
    pub(super) fn chunk_bytes(&self) -> usize {
        CHUNK_BYTES.saturating_add(usize::try_from(self.max_blob_bytes).unwrap_or(usize::MAX).max(MAX_TEXT_BYTES))
    }

    /// The next few files, which take their room from `room`; may be none although the walk isn't done.
    ///
    /// # Errors
    /// [`SourceError::Misconfigured`] if the folder itself can't be read.
    pub(super) fn next_chunk(&mut self, room: &mut Reserved) -> Result<Vec<SourceEntity>, SourceError> {
        let begun = Instant::now();
        let mut chunk = Vec::new();
        let mut bytes = 0_usize;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => vec![self.open_start()?],
        };
        while chunk.len() < CHUNK_FILES && bytes < CHUNK_BYTES && begun.elapsed() < CHUNK_TIME {
            let Some(folder) = open.last_mut() else { break };
            let Some((name, kind)) = folder.names.next() else {
                open.pop();
                continue;
            };
            let path = folder.path.join(name);
            match kind {
                NameKind::Folder if self.patterns.enters(&path) => match self.start.list(&path) {
                    Ok(names) => open.push(OpenFolder { path, names: names.into_iter() }),
                    Err(error) => self.skip(Gap::Folder, &path, &error),
                },
                NameKind::File if self.patterns.takes(&path) => match self.read(&path, room) {
                    Ok(Some(file)) => {
                        bytes = bytes.saturating_add(file.bytes.len());
                        match entity::from_file(&self.root, &self.prefix.join(&path), file, self.max_blob_bytes) {
                            Some(entity) => chunk.push(entity),
                            // Nothing to search in. What was a text before and is none any more is gone.
                            None => self.left_out.unusable(&id_of(&self.prefix.join(&path)), "it holds no text"),
                        }
                    }
                    Ok(None) => {}
                    Err(error) => self.skip(Gap::File, &path, &error),
                },
                NameKind::Untold if self.patterns.enters(&path) => {
                    self.skip(Gap::Folder, &path, &io::Error::other("what it is could not be told"));
                }
                NameKind::Folder | NameKind::File | NameKind::Other | NameKind::Untold => {}
            }
        }
        self.open = Some(open);
        Ok(chunk)
    }

    fn open_start(&self) -> Result<OpenFolder, SourceError> {
        let path = PathBuf::new();
        let names = self.start.list(&path).map_err(|error| {
            SourceError::Misconfigured(format!("folder '{}' cannot be read: {error}", self.prefix.display()))
        })?;
        Ok(OpenFolder { path, names: names.into_iter() })
    }

    fn read(&self, path: &Path, room: &mut Reserved) -> io::Result<Option<ReadFile>> {
        let Some(file) = self.start.open_file(path)? else { return Ok(None) };
        let metadata = file.metadata()?;
        let for_text = u64::try_from(MAX_TEXT_BYTES).unwrap_or(u64::MAX);
        let whole = self.max_blob_bytes.max(for_text);
        let limit = if metadata.len() <= whole { whole } else { for_text };
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(limit)).unwrap_or(0));
        // One byte more tells whether it grew beyond the limit.
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(Some(ReadFile {
            is_whole: read <= limit,
            size: metadata.len().max(read),
            modified: metadata.modified().ok(),
            bytes: room.hold(bytes),
        }))
    }

    /// Counts what couldn't be read, and keeps it from being taken for gone. What has vanished meanwhile is gone.
    fn skip(&self, gap: Gap, path: &Path, error: &io::Error) {
        if error.kind() == io::ErrorKind::NotFound {
            return;
        }
        let id = id_of(&self.prefix.join(path));
        match gap {
            Gap::File => self.left_out.gap(&id, &error.to_string()),
            Gap::Folder => self.left_out.gap_with_all_below(&id, &error.to_string()),
        }
    }
}
