//! Small S3 servers that look at signatures: one on a folder, and one in memory that fails on demand.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::S3;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

mod bucket;
mod folder;
mod versioned;

pub use bucket::{BucketRequests, Conditions, TestBucket};
pub use folder::TestS3;
pub use versioned::{ObjectVersion, TestVersionedBucket};

/// The key that the servers take.
pub const S3_KEY_ID: &str = "AKIATEST";
/// The key's secret.
pub const S3_SECRET: &str = "geheim-hunter2";

/// Settings of `object_store` with which a server's bucket is opened.
#[must_use]
pub fn s3_settings(endpoint: &Url) -> [(&'static str, String); 5] {
    [
        ("aws_endpoint", endpoint.as_str().trim_end_matches('/').to_owned()),
        ("aws_access_key_id", S3_KEY_ID.to_owned()),
        ("aws_secret_access_key", S3_SECRET.to_owned()),
        ("aws_region", "eu-central-1".to_owned()),
        ("allow_http", "true".to_owned()),
    ]
}

/// Serves it until the tasks are dropped; returns its endpoint.
async fn serve(store: impl S3) -> (Url, JoinSet<()>) {
    let mut builder = S3ServiceBuilder::new(store);
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
    (url, tasks)
}
