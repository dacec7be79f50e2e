//! Where a ledger lies: a folder, or the URL of a store.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use shared_stores::LedgerStore;
use url::Url;

use crate::failure::Failure;

/// A folder or a store that somebody named.
#[derive(Debug, Clone)]
pub struct Place(Url);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            return text.parse().map(Self).map_err(|error| format!("not a URL: {error}"));
        }
        folder_url(Path::new(text)).map(Self).ok_or_else(|| "not the path of a folder".to_owned())
    }
}

impl Place {
    /// The ledger that is there.
    ///
    /// # Errors
    /// There is none, or the URL can't be used.
    pub fn open(&self) -> Result<LedgerStore, Failure> {
        if let Some(folder) = self.folder()
            && !folder.join("log").is_dir()
        {
            let text = format!("{} is no copy of a ledger: it has no folder `log`", folder.display());
            return Err(Failure::Unchecked(text));
        }
        Ok(LedgerStore::open_existing(&self.0)?)
    }

    fn folder(&self) -> Option<PathBuf> {
        (self.0.scheme() == "file").then(|| self.0.to_file_path().ok()).flatten()
    }
}

/// A folder that a ledger is copied to; made if it isn't there.
///
/// # Errors
/// It can't be made.
pub fn make(folder: &Path) -> Result<LedgerStore, Failure> {
    let url = folder_url(folder).ok_or_else(|| Failure::Usage(format!("{} is no folder", folder.display())))?;
    Ok(LedgerStore::open(&url)?)
}

fn folder_url(path: &Path) -> Option<Url> {
    Url::from_directory_path(std::path::absolute(path).ok()?).ok()
}
