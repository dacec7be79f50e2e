//! The stand-in for Vespa, one per test, ended with the test; or the real Vespa that `TEST_VESPA_URL` names.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use shared_stores::VespaClient;
use tempfile::TempDir;
use url::Url;

use crate::support::{TIMEOUT, client};

pub struct Standin {
    pub client: VespaClient,
    pub url: Url,
    /// `None` with a real Vespa, which goes on.
    process: Option<(Child, TempDir)>,
}

impl Standin {
    pub async fn start() -> Self {
        Self::with_dimensions(1536).await
    }

    /// One whose schema has vectors of this size.
    pub async fn with_dimensions(dimensions: u32) -> Self {
        if let Some(url) = std::env::var_os("TEST_VESPA_URL") {
            let url: Url = url.to_str().unwrap().parse().unwrap();
            let vespa = Self { client: client(&url), url, process: None };
            vespa.client.ready(TIMEOUT).await.unwrap();
            return vespa;
        }
        let data = tempfile::tempdir().unwrap();
        let port_file = data.path().join("port");
        let mut process = Command::new(binary())
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(data.path().join("data"))
            .arg("--port-file")
            .arg(&port_file)
            .args(["--embedding-dimensions", &dimensions.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = wait_for_port(&mut process, &port_file).await;
        let url: Url = format!("http://127.0.0.1:{port}").parse().unwrap();
        let standin = Self { client: client(&url), url, process: Some((process, data)) };
        standin.client.ready(TIMEOUT).await.unwrap();
        standin
    }
}

async fn wait_for_port(process: &mut Child, file: &Path) -> u16 {
    let started = Instant::now();
    loop {
        if let Some(port) = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()) {
            return port;
        }
        assert!(process.try_wait().unwrap().is_none(), "the stand-in ended");
        assert!(started.elapsed() < Duration::from_secs(20), "the stand-in gave no port");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        if let Some((process, _)) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The binary beside the tests; built here if it isn't there, since testing one package doesn't build another's.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        // target/debug/deps/main-… → target/debug
        let binary = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("vespa-standin");
        if !binary.exists() {
            let build = ["build", "--quiet", "--package", "vespa-standin"];
            assert!(Command::new(env!("CARGO")).args(build).status().unwrap().success(), "cannot build the stand-in");
        }
        binary
    })
}
