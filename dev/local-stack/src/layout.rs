//! Where things lie: everything the stack writes is below one folder, `.local` at the repository root.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The folders of one stack: `home` is shared by all stacks of a clone, `data` and `logs` are this stack's own.
#[derive(Debug, Clone)]
pub struct Layout {
    /// `.local`: unpacked packages and locks.
    pub home: PathBuf,
    /// Databases, queues, secrets of this stack.
    pub data: PathBuf,
    /// One log per process.
    pub logs: PathBuf,
}

impl Layout {
    /// The folders of the stack that `up` starts: kept until `clean`.
    #[must_use]
    pub fn lasting(home: &Path) -> Self {
        Self { home: home.to_owned(), data: home.to_owned(), logs: home.join("logs") }
    }

    /// The folders of a stack for one test run. Its data is thrown away; the lock keeps two runs apart.
    ///
    /// # Errors
    /// When the folder cannot be made, or 64 runs are under way.
    pub fn throwaway(home: &Path) -> Result<(Self, File)> {
        for slot in 0..64 {
            let data = home.join("test").join(slot.to_string());
            std::fs::create_dir_all(&data).with_context(|| format!("create {}", data.display()))?;
            let Some(lock) = try_lock(&home.join("test").join(format!("{slot}.lock")))? else { continue };
            // What an earlier, killed run left.
            std::fs::remove_dir_all(&data).with_context(|| format!("remove {}", data.display()))?;
            std::fs::create_dir_all(&data).with_context(|| format!("create {}", data.display()))?;
            let logs = data.join("logs");
            return Ok((Self { home: home.to_owned(), data, logs }, lock));
        }
        bail!("64 test runs hold every folder below {}", home.join("test").display())
    }

    /// Removes the data of a throwaway stack; the logs stay until the next one.
    pub fn discard(&self) {
        for part in ["postgres", "rabbitmq", "secrets"] {
            let _absent = std::fs::remove_dir_all(self.data.join(part));
        }
    }

    /// The file that says how to reach the stack.
    #[must_use]
    pub fn env_file(&self) -> PathBuf {
        self.data.join("stack.env")
    }

    /// The broker's policies as they are deployed.
    #[must_use]
    pub fn definitions(&self) -> PathBuf {
        self.home.with_file_name("deploy").join("rabbitmq/definitions.json")
    }

    /// Where the log of a process goes.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }
}

/// `.local` in the nearest folder above `start` that holds a `Cargo.lock`, else in `start` itself.
#[must_use]
pub fn find_home(start: &Path) -> PathBuf {
    start.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).unwrap_or(start).join(".local")
}

/// Takes the lock in `path`, or nothing when another process has it. The kernel frees it when its owner dies.
///
/// # Errors
/// When the file cannot be opened or locked.
pub fn try_lock(path: &Path) -> Result<Option<File>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .with_context(|| format!("open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("lock {}", path.display())),
    }
}
