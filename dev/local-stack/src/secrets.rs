//! Passwords and keys: made once, kept in files that only their owner may read, never printed but for the API key.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

/// The secrets of one stack, one file each.
#[derive(Debug, Clone)]
pub struct Secrets {
    folder: PathBuf,
}

impl Secrets {
    /// Opens the folder, making it if need be.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("create {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// A password or API key: 32 random bytes that may stand in a URL.
    ///
    /// # Errors
    /// When the file can be neither read nor written.
    pub fn token(&self, name: &str) -> Result<String> {
        self.keep(name, || BASE64_URL_SAFE_NO_PAD.encode(random_bytes()))
    }

    /// A key with its id, as the services want it: `local-1:<base64 of 32 bytes>`.
    ///
    /// # Errors
    /// When the file can be neither read nor written.
    pub fn key(&self, name: &str) -> Result<String> {
        self.keep(name, || format!("local-1:{}", BASE64_STANDARD.encode(random_bytes())))
    }

    fn keep(&self, name: &str, make: impl FnOnce() -> String) -> Result<String> {
        let path = self.folder.join(name);
        if let Ok(text) = std::fs::read_to_string(&path) {
            return Ok(text.trim().to_owned());
        }
        let secret = make();
        write_private(&path, &secret)?;
        Ok(secret)
    }
}

/// Writes a file that only its owner may read; whoever looks sees it whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    let draft = path.with_extension("draft");
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::options().create(true).write(true).truncate(true).mode(0o600).open(&draft)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    write().with_context(|| format!("write {}", path.display()))
}

fn random_bytes() -> [u8; 32] {
    rand::random()
}
