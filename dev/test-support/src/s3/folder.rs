//! A bucket that is a folder.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::task::JoinSet;
use url::Url;

use super::serve;

/// One bucket, `bucket`, whose objects are the files of a folder.
pub struct TestS3 {
    /// Its endpoint.
    pub url: Url,
    folder: TempDir,
    _tasks: JoinSet<()>,
}

impl TestS3 {
    /// An empty bucket.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("bucket")).unwrap();
        let (url, tasks) = serve(s3s_fs::FileSystem::new(folder.path()).unwrap()).await;
        Self { url, folder, _tasks: tasks }
    }

    /// Puts an object.
    pub fn write(&self, key: &str, content: impl AsRef<[u8]>) {
        let path = self.path(key);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Takes an object away.
    pub fn remove(&self, key: &str) {
        std::fs::remove_file(self.path(key)).unwrap();
    }

    /// The file of an object, or the folder of a prefix.
    #[must_use]
    pub fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join("bucket").join(key)
    }
}
