//! The Vespa stand-in as a process.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::service::Service;
use crate::wait::wait_until;

const START: Duration = Duration::from_secs(10);

/// A stand-in with a data folder of its own; killed with this value.
#[derive(Debug)]
pub struct StandIn {
    /// Its address: `VESPA_URL`.
    pub url: String,
    service: Service,
    port: u16,
    folder: TempDir,
}

impl StandIn {
    /// Starts one on a free port.
    pub async fn spawn() -> Self {
        Self::spawn_in(TempDir::new().expect("a temporary folder")).await
    }

    /// Starts one on a free port with a copy of the documents in `corpus`, a data folder that no other one uses.
    pub async fn over(corpus: &Path) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::create_dir_all(data(folder.path())).expect("a data folder");
        for entry in corpus.read_dir().expect("the corpus") {
            let entry = entry.expect("an entry of the corpus");
            std::fs::copy(entry.path(), data(folder.path()).join(entry.file_name())).expect("a copy of the corpus");
        }
        Self::spawn_in(folder).await
    }

    async fn spawn_in(folder: TempDir) -> Self {
        let (service, port) = start(folder.path(), 0).await;
        Self { url: format!("http://127.0.0.1:{port}"), service, port, folder }
    }

    /// The process: to freeze, kill or read its log.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// Where its data is.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        data(self.folder.path())
    }

    /// Kills it, gives it the data in `copy` instead of its own, and starts it again on the same port.
    pub async fn go_back(&mut self, copy: &Path) {
        self.service.kill();
        std::fs::remove_dir_all(self.data()).expect("the data goes");
        copy_folder(copy, &self.data());
        (self.service, _) = start(self.folder.path(), self.port).await;
    }

    /// Kills it and starts it again with the same data on the same port.
    pub async fn restart(&mut self) {
        self.service.kill();
        (self.service, _) = start(self.folder.path(), self.port).await;
    }
}

/// Copies a folder with everything in it; what is there already stays.
///
/// # Panics
/// If it can't be copied.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in from.read_dir().expect("the folder") {
        let entry = entry.expect("an entry of the folder");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy of a file");
        }
    }
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

async fn start(folder: &Path, port: u16) -> (Service, u16) {
    let port_file = folder.join("port");
    let _none_yet = std::fs::remove_file(&port_file);
    std::fs::create_dir_all(data(folder)).expect("a data folder");
    let listen = format!("127.0.0.1:{port}");
    let (data, file) = (data(folder), port_file.clone());
    let arguments = [
        "--listen",
        &listen,
        "--data",
        data.to_str().expect("a UTF-8 path"),
        "--port-file",
        file.to_str().expect("a UTF-8 path"),
    ];
    let service = Service::spawn_with::<&str, &str>("vespa-standin", &arguments, []);
    let read = || std::fs::read_to_string(&port_file).ok().and_then(|text| text.trim().parse::<u16>().ok());
    wait_until("the stand-in writes its port file", START, async || read().is_some()).await;
    (service, read().expect("a port"))
}
