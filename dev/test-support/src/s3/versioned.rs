//! A bucket that keeps versions: moto's server, a Python implementation of S3 that isn't ours.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use url::Url;

use crate::service::free_port;
use crate::wait::wait_until;

/// Python has to load a lot.
const START: Duration = Duration::from_secs(60);

/// A bucket, `bucket`, with versioning. Its server ends with this value.
pub struct TestVersionedBucket {
    /// Its endpoint.
    pub url: Url,
    http: reqwest::Client,
    server: Child,
}

/// A version of an object, or a delete marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// Of which object.
    pub key: String,
    /// Its id.
    pub id: String,
    /// Whether it only says that the object was removed.
    pub is_marker: bool,
}

impl TestVersionedBucket {
    /// An empty bucket that keeps versions.
    ///
    /// # Panics
    /// If the Python tools aren't installed (`make python-tools`).
    pub async fn start() -> Self {
        let port = free_port().to_string();
        let mut command = Command::new(python());
        command.args(["-m", "moto.server", "--host", "127.0.0.1", "--port", &port]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = command.spawn().expect("start moto's server: `make python-tools` installs it");
        crate::install_tls_provider();
        let url = format!("http://127.0.0.1:{port}").parse().unwrap();
        let bucket = Self { url, http: reqwest::Client::new(), server };
        wait_until("moto's server has a bucket", START, async || bucket.put("", "").await.is_ok()).await;
        let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        bucket.put("?versioning=", versioning).await.expect("versions are switched on");
        bucket
    }

    /// Puts small objects.
    pub async fn fill(&self, keys: impl IntoIterator<Item = String>) {
        for key in keys {
            self.put(&format!("/{key}"), "{}").await.unwrap();
        }
    }

    async fn put(&self, below: &str, body: &'static str) -> reqwest::Result<()> {
        let url = self.url.join(&format!("/bucket{below}")).unwrap();
        // It looks at whether somebody signs, not at who.
        self.http
            .put(url)
            .header("authorization", "AWS test:test")
            .body(body)
            .send()
            .await?
            .error_for_status()
            .map(drop)
    }

    /// All versions and delete markers below a prefix, at most 1 000.
    pub async fn versions(&self, prefix: &str) -> Vec<ObjectVersion> {
        let answer = self.get("/bucket", &[("versions", ""), ("prefix", prefix)]).await;
        let text = String::from_utf8(answer).unwrap();
        let (versions, markers) = (all_in(&text, "Version"), all_in(&text, "DeleteMarker"));
        let of = |part: &str, is_marker| ObjectVersion {
            key: inside(part, "Key"),
            id: inside(part, "VersionId"),
            is_marker,
        };
        versions.map(|part| of(part, false)).chain(markers.map(|part| of(part, true))).collect()
    }

    /// What a version holds.
    pub async fn content(&self, version: &ObjectVersion) -> Vec<u8> {
        self.get(&format!("/bucket/{}", version.key), &[("versionId", &version.id)]).await
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Vec<u8> {
        let mut url = self.url.join(path).unwrap();
        url.query_pairs_mut().extend_pairs(query);
        let answer = self.http.get(url).send().await.unwrap().error_for_status().unwrap();
        answer.bytes().await.unwrap().to_vec()
    }
}

impl Drop for TestVersionedBucket {
    fn drop(&mut self) {
        let _gone_already = self.server.kill();
        let _status = self.server.wait();
    }
}

fn all_in<'a>(text: &'a str, element: &str) -> impl Iterator<Item = &'a str> {
    text.split(&format!("<{element}>")).skip(1).collect::<Vec<_>>().into_iter()
}

fn inside(text: &str, element: &str) -> String {
    let (_, rest) = text.split_once(&format!("<{element}>")).unwrap();
    rest.split_once("</").unwrap().0.to_owned()
}

/// The Python that has the tests' tools: `CLIENTS_PYTHON`, or the one that `make python-tools` installs.
fn python() -> std::ffi::OsString {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.local/venv/bin/python");
    std::env::var_os("CLIENTS_PYTHON").unwrap_or_else(|| installed.into())
}
