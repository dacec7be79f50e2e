//! A folder in which things can be made to go wrong.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use super::access_to;
use crate::Source;
use crate::conformance::{Asked, Silence, Stand};

/// Files of one folder of the many: a file can't have more names than a file system allows.
const FILES_OF_A_FOLDER: usize = 1_000;

pub(crate) struct FilesStand {
    base: TempDir,
}

impl FilesStand {
    fn root(&self) -> PathBuf {
        self.base.path().join("root")
    }

    fn write(&self, path: impl AsRef<Path>, content: &[u8]) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn clear(&self) {
        fs::remove_dir_all(self.root()).unwrap();
        fs::create_dir(self.root()).unwrap();
    }
}

impl Stand for FilesStand {
    const SOURCE: Source = Source::Files;

    async fn start() -> Self {
        let stand = Self { base: tempfile::tempdir().unwrap() };
        stand.write("a.txt", b"one");
        stand.write("b/c.rs", b"fn two() {}");
        stand.write("b/d/e.md", b"three");
        stand
    }

    fn asked(&self) -> Asked {
        Asked {
            config: json!({"path": null, "include": [], "exclude": []}),
            credentials: json!({"root": "docs"}),
            access: access_to("docs", &self.root()),
        }
    }

    /// The name of a root is no secret.
    fn secret(&self) -> Option<String> {
        None
    }

    async fn empty(&mut self) -> Option<usize> {
        self.clear();
        Some(0)
    }

    /// A path that is too long for the system when it is read from the root, but not from a folder on the way.
    async fn hide(&mut self) -> Option<String> {
        let name = "d".repeat(250);
        let folder = [name.as_str(); 8].join("/");
        fs::create_dir_all(self.root().join(&folder)).unwrap();
        let handle = fs::File::open(self.root().join(&folder)).unwrap();
        // Relative to the handle, so that the whole path never has to be said.
        let below = format!("/proc/self/fd/{}/{}", handle.as_raw_fd(), [name.as_str(); 8].join("/"));
        fs::create_dir_all(&below).unwrap();
        let handle = fs::File::open(&below).unwrap();
        let file = "f".repeat(100);
        fs::write(format!("/proc/self/fd/{}/{file}", handle.as_raw_fd()), "far away").unwrap();
        Some(format!("{folder}/{folder}/{file}"))
    }

    async fn add_odd(&mut self) -> Option<String> {
        self.write("b/odd-17.bin", b"\0\x01\x02");
        Some("b/odd-17.bin".to_owned())
    }

    async fn fail(&mut self) -> Option<&'static str> {
        fs::remove_dir_all(self.root()).unwrap();
        Some("root 'docs' cannot be opened")
    }

    async fn fall_silent(&mut self, _step: usize) -> Option<Silence> {
        None
    }

    async fn fill(&mut self, entities: usize) -> bool {
        self.clear();
        for folder in 0..entities.div_ceil(FILES_OF_A_FOLDER) {
            let folder = self.root().join(folder.to_string());
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("0"), "small").unwrap();
            for file in 1..FILES_OF_A_FOLDER {
                fs::hard_link(folder.join("0"), folder.join(file.to_string())).unwrap();
            }
        }
        true
    }

    async fn fill_with_one(&mut self) -> bool {
        self.clear();
        self.write("huge.txt", "word ".repeat(300_000).as_bytes());
        let file = fs::OpenOptions::new().write(true).open(self.root().join("huge.txt")).unwrap();
        file.set_len(1 << 30).unwrap();
        true
    }
}
