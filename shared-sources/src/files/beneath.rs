//! Opens below a folder's handle that can't lead out of it.
//!
//! The kernel itself resolves each path below the handle (`openat2`), so no check can be overtaken by a rename. Where
//! it lacks `openat2`, each component is opened by itself without following links.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, open, openat, openat2, statat};
use rustix::io::Errno;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Opening a pipe or a terminal by mistake must neither wait nor change anything.
const FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const NO_LINKS: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);
/// Names are sorted, so all of a folder's are in memory at once.
pub(super) const MAX_NAMES: usize = 1_000_000;

/// Why a configured path can't be used.
#[derive(Debug)]
pub(super) enum PathProblem {
    /// It leads out of the root.
    Outside,
    /// It leads over a link, wherever that points to.
    Link,
    /// It isn't there, isn't a folder or may not be read.
    Other(io::Error),
}

/// What a name in a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    Folder,
    File,
    /// Links, pipes, devices, sockets: never read.
    Other,
    /// It is there, but what it is could not be told.
    Untold,
}

impl NameKind {
    const fn of(file_type: FileType) -> Self {
        match file_type {
            FileType::Directory => Self::Folder,
            FileType::RegularFile => Self::File,
            _ => Self::Other,
        }
    }
}

/// The handle of a folder.
#[derive(Debug)]
pub(super) struct Beneath {
    handle: OwnedFd,
    has_openat2: bool,
}

impl Beneath {
    /// The folder that the operator named; the operator may use links.
    pub(super) fn open_root(folder: &Path) -> io::Result<Self> {
        Ok(Self { handle: open(folder, FOLDER, Mode::empty())?, has_openat2: true })
    }

    /// The same without `openat2`, as on an old kernel.
    #[cfg(test)]
    pub(super) fn without_openat2(self) -> Self {
        Self { has_openat2: false, ..self }
    }

    /// The folder `path` below this one, and its path in normal form.
    pub(super) fn descend(self, path: &str) -> Result<(Self, PathBuf), PathProblem> {
        let mut normal = PathBuf::new();
        for component in Path::new(path).components() {
            match component {
                Component::Normal(name) => normal.push(name),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(PathProblem::Outside),
            }
        }
        if normal.as_os_str().is_empty() {
            return Ok((self, normal));
        }
        match self.open(&normal, FOLDER, NO_LINKS) {
            Ok(handle) => Ok((Self { handle, has_openat2: self.has_openat2 }, normal)),
            Err(Errno::XDEV) => Err(PathProblem::Outside),
            Err(Errno::LOOP) => Err(PathProblem::Link),
            Err(error) => Err(PathProblem::Other(error.into())),
        }
    }

    /// The names in the folder `path`, sorted by their bytes.
    ///
    /// # Errors
    /// As the system says; also if there are more than [`MAX_NAMES`].
    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<(OsString, NameKind)>> {
        let handle = self.open(if path.as_os_str().is_empty() { Path::new(".") } else { path }, FOLDER, NO_LINKS)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&handle)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                // Some file systems don't say.
                FileType::Unknown => match statat(&handle, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => NameKind::of(FileType::from_raw_mode(stat.st_mode)),
                    Err(Errno::NOENT) => continue,
                    Err(_) => NameKind::Untold,
                },
                known => NameKind::of(known),
            };
            if names.len() >= MAX_NAMES {
                return Err(io::Error::other(format!("the folder holds more than {MAX_NAMES} names")));
            }
            names.push((OsString::from_vec(name.to_bytes().to_vec()), kind));
        }
        names.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(names)
    }

    /// The file `path`; `None` if it is no regular file, is a link or is gone.
    pub(super) fn open_file(&self, path: &Path) -> io::Result<Option<File>> {
        let file = match self.open(path, FILE, NO_LINKS) {
            Ok(handle) => File::from(handle),
            Err(Errno::LOOP | Errno::XDEV | Errno::NOENT | Errno::NXIO) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(file.metadata()?.is_file().then_some(file))
    }

    fn open(&self, path: &Path, flags: OFlags, resolve: ResolveFlags) -> rustix::io::Result<OwnedFd> {
        if self.has_openat2 {
            match openat2(&self.handle, path, flags, Mode::empty(), resolve) {
                // Old kernels, and sandboxes that know no such call.
                Err(Errno::NOSYS | Errno::PERM) => {}
                outcome => return outcome,
            }
        }
        self.open_by_component(path, flags)
    }

    fn open_by_component(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let mut folder: Option<OwnedFd> = None;
        let mut components = path.components().peekable();
        while let Some(component) = components.next() {
            let name = match component {
                Component::Normal(name) => Path::new(name),
                Component::CurDir => Path::new("."),
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(Errno::XDEV),
            };
            let at = folder.as_ref().map_or_else(|| self.handle.as_fd(), AsFd::as_fd);
            let flags = if components.peek().is_some() { FOLDER } else { flags };
            match openat(at, name, flags.union(OFlags::NOFOLLOW), Mode::empty()) {
                // A link opened as a folder is "not a directory": tell it apart.
                Err(Errno::NOTDIR) if is_link(at, name) => return Err(Errno::LOOP),
                outcome => folder = Some(outcome?),
            }
        }
        folder.ok_or(Errno::INVAL)
    }
}

fn is_link(at: impl AsFd, name: &Path) -> bool {
    statat(at, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_symlink())
}
