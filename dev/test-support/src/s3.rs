//! A small S3 server that looks at signatures, on a folder.

use std::path::{Path, PathBuf};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

/// The key that a [`TestS3`] takes.
pub const S3_KEY_ID: &str = "AKIATEST";
/// The key's secret.
pub const S3_SECRET: &str = "geheim-hunter2";

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
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(S3_KEY_ID, S3_SECRET));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                connections.spawn(async move {
                    let serving = auto::Builder::new(TokioExecutor::new());
                    let _closed = serving.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
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

    fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join("bucket").join(key)
    }
}
