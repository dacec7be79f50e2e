//! The ledger in a local folder.
//!
//! An object is written and synced in `staging` first and then gets its name by a hard link, which fails if the name is
//! taken: so a reader never sees a part of it, a crash leaves the whole object or none, and of two writers one wins.
//! Everything here blocks and is called on the blocking pool.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use parking_lot::Mutex;
use url::Url;

use super::object::Put;
use super::place::{LOG, Place};
use super::{LedgerStoreError, Result};

const STAGING: &str = "staging";

/// What has been in staging for so long is a dead writer's.
const DEAD_AFTER: Duration = Duration::from_secs(60 * 60);

/// The store's folder. The one of the log exists from set-up on, so its absence is an error: a volume that isn't
/// mounted isn't an empty ledger.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
    /// One replacement after the other: an older one that hangs can't end after a newer one.
    replacing: Arc<Mutex<()>>,
    /// When staging was last tidied.
    tidied: Arc<Mutex<Option<Instant>>>,
}

impl Folder {
    /// The folder that the URL names, if it names one.
    pub(super) fn of(url: &Url) -> Result<Option<Self>> {
        if url.scheme() != "file" {
            return Ok(None);
        }
        let not_local = |()| LedgerStoreError::Setup("not the URL of a local folder".to_owned());
        let root = url.to_file_path().map_err(not_local)?;
        Ok(Some(Self { root, replacing: Arc::default(), tidied: Arc::default() }))
    }

    pub(super) fn make(&self) -> Result<()> {
        make_folder(&self.log()).map_err(LedgerStoreError::folder("create folder"))
    }

    pub(super) fn is_there(&self) -> bool {
        self.log().is_dir()
    }

    fn log(&self) -> PathBuf {
        self.root.join(LOG)
    }

    fn at(&self, place: &Place) -> PathBuf {
        self.root.join(place.as_str())
    }

    fn check(&self) -> Result<()> {
        fs::read_dir(self.log()).map(drop).map_err(LedgerStoreError::folder("read folder"))
    }

    /// Writes what is written once.
    pub(super) fn create(&self, place: &Place, content: &[u8]) -> Result<Put> {
        self.check()?;
        let path = self.at(place);
        let put = match self.holds(place, content)? {
            true => Put::Same,
            false => self.link(place, &path, content)?,
        };
        // Also what a writer made that was killed before it came to this.
        self.sync_folders_of(&path).map_err(LedgerStoreError::folder("sync folder"))?;
        Ok(put)
    }

    fn link(&self, place: &Place, path: &Path, content: &[u8]) -> Result<Put> {
        self.make_folders_of(path).map_err(LedgerStoreError::folder("create folder"))?;
        let staged = self.stage(place, content)?;
        let linked = fs::hard_link(&staged, path);
        remove(&staged)?;
        match linked {
            Ok(()) => Ok(Put::New),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if self.holds(place, content)? {
                    return Ok(Put::Same);
                }
                Err(LedgerStoreError::Contended { name: place.name() })
            }
            Err(error) if has_no_links(&error) => {
                Err(LedgerStoreError::Unsupported("the folder's file system has no hard links"))
            }
            Err(error) => Err(LedgerStoreError::folder("write")(error)),
        }
    }

    /// Whether exactly that is there, or nothing yet.
    fn holds(&self, place: &Place, content: &[u8]) -> Result<bool> {
        let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
        match self.read(place, bytes) {
            Ok(Some(there)) if there == content => Ok(true),
            Ok(None) => Ok(false),
            Ok(Some(_)) | Err(LedgerStoreError::TooLarge { .. }) => {
                Err(LedgerStoreError::Different { name: place.name() })
            }
            Err(error) => Err(error),
        }
    }

    /// Replaces what is there, or nothing.
    pub(super) fn replace(&self, place: &Place, content: &[u8]) -> Result<()> {
        let _one_at_a_time = self.replacing.lock();
        self.check()?;
        let path = self.at(place);
        let staged = self.stage(place, content)?;
        if let Err(error) = fs::rename(&staged, &path) {
            remove(&staged)?;
            return Err(LedgerStoreError::folder("write")(error));
        }
        sync(&self.root).map_err(LedgerStoreError::folder("sync folder"))
    }

    pub(super) fn read(&self, place: &Place, max: u64) -> Result<Option<Bytes>> {
        let failed = LedgerStoreError::folder("read");
        let file = match File::open(self.at(place)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return self.check().map(|()| None),
            Err(error) => return Err(failed(error)),
        };
        let too_large = |bytes| Err(LedgerStoreError::TooLarge { name: place.name(), bytes, max });
        let bytes = file.metadata().map_err(&failed)?.len();
        if bytes > max {
            return too_large(bytes);
        }
        let mut content = Vec::new();
        let read = file.take(max.saturating_add(1)).read_to_end(&mut content).map_err(failed)?;
        let bytes = u64::try_from(read).unwrap_or(u64::MAX);
        if bytes > max { too_large(bytes) } else { Ok(Some(content.into())) }
    }

    pub(super) fn has(&self, place: &Place) -> Result<bool> {
        match fs::metadata(self.at(place)) {
            Ok(there) => Ok(there.is_file()),
            Err(error) if error.kind() == ErrorKind::NotFound => self.check().map(|()| false),
            Err(error) => Err(LedgerStoreError::folder("read")(error)),
        }
    }

    pub(super) fn names_in(&self, place: &Place) -> Result<Vec<String>> {
        let failed = LedgerStoreError::folder("read folder");
        let entries = match fs::read_dir(self.at(place)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return self.check().map(|()| Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(&failed)?;
            if entry.file_type().map_err(&failed)?.is_file() {
                names.extend(entry.file_name().into_string());
            }
        }
        Ok(names)
    }

    /// A new file in staging with that content, which outlives a crash.
    fn stage(&self, place: &Place, content: &[u8]) -> Result<PathBuf> {
        let failed = LedgerStoreError::folder("write");
        let folder = self.root.join(STAGING);
        make_folder(&folder).map_err(&failed)?;
        self.tidy(&folder)?;
        let (mut file, staged) = new_file(&folder, place).map_err(&failed)?;
        if let Err(error) = file.write_all(content).and_then(|()| file.sync_all()) {
            remove(&staged)?;
            return Err(failed(error));
        }
        Ok(staged)
    }

    /// Removes what dead writers left, once in a while. What it was to become isn't touched: a link to it stays.
    fn tidy(&self, staging: &Path) -> Result<()> {
        let mut tidied = self.tidied.lock();
        if tidied.is_some_and(|last| last.elapsed() < DEAD_AFTER) {
            return Ok(());
        }
        let now = SystemTime::now();
        for entry in fs::read_dir(staging).map_err(LedgerStoreError::folder("read folder"))? {
            let entry = entry.map_err(LedgerStoreError::folder("read folder"))?;
            // Another writer may tidy up, too, or have ended.
            let changed = entry.metadata().and_then(|metadata| metadata.modified());
            let age = changed.ok().and_then(|changed| now.duration_since(changed).ok());
            if age.is_some_and(|age| age >= DEAD_AFTER) {
                remove(&entry.path())?;
            }
        }
        *tidied = Some(Instant::now());
        Ok(())
    }

    /// Makes the folders between that of the log, which must be there, and the object.
    fn make_folders_of(&self, path: &Path) -> io::Result<()> {
        let log = self.log();
        let below = path.ancestors().skip(1).take_while(|folder| *folder != log);
        let mut below: Vec<_> = below.collect();
        below.reverse();
        below.into_iter().try_for_each(create_dir)
    }

    /// Everything that leads to the object outlives a crash, too.
    fn sync_folders_of(&self, path: &Path) -> io::Result<()> {
        path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root)).try_for_each(sync)
    }
}

/// A new file in staging, with a name that nobody uses and that tells what it is to become.
fn new_file(staging: &Path, place: &Place) -> io::Result<(File, PathBuf)> {
    let name = place.as_str().replace('/', "-");
    let mut number = 1_u32;
    loop {
        let path = staging.join(format!("{name}#{number}"));
        match File::options().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number = number.saturating_add(1),
            Err(error) => return Err(error),
        }
    }
}

/// Makes a folder and those above it that are missing; what is new outlives a crash.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(above) = folder.parent() else { return Ok(()) };
    make_folder(above)?;
    create_dir(folder)?;
    sync(above)
}

fn create_dir(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn remove(staged: &Path) -> Result<()> {
    match fs::remove_file(staged) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(LedgerStoreError::folder("remove")(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether the file system says that it knows no hard links, by one of the codes for that.
fn has_no_links(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::PERM, Errno::OPNOTSUPP, Errno::NOSYS].map(|code| Some(code.raw_os_error())).contains(&error.raw_os_error())
}
