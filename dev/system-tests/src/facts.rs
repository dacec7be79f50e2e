//! What is really there, read beside our own code: rows by PostgreSQL, documents by the stand-in's own look at its
//! corpus, blobs by walking the folder.

use std::path::Path;

use serde_json::Value;

/// What the stores hold of one sync. Two that are equal mean that nothing was touched in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// Documents in Vespa.
    pub documents: u64,
    /// Checksum over the documents.
    pub documents_checksum: String,
    /// Files below the sync's ARF prefix, whatever their names.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
}

impl Holdings {
    /// Nothing is left in the stores.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.documents == 0 && self.blobs == 0
    }

    /// Looks at both stores.
    pub async fn of(vespa_url: &str, arf: &Path, sync: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("{vespa_url}/standin/v1/checksum?field=airweave_system_metadata_sync_id&value={sync}");
        let answer: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        let (mut blobs, mut blob_bytes) = (0, 0);
        count_files(&arf.join("raw").join(sync), &mut blobs, &mut blob_bytes);
        Self {
            documents: answer["documents"].as_u64().unwrap(),
            documents_checksum: answer["sha256"].as_str().unwrap().to_owned(),
            blobs,
            blob_bytes,
        }
    }
}

fn count_files(folder: &Path, files: &mut u64, bytes: &mut u64) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => panic!("{}: {error}", folder.display()),
    };
    for entry in entries {
        let entry = entry.unwrap();
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => count_files(&entry.path(), files, bytes),
            Ok(metadata) => {
                *files += 1;
                *bytes += metadata.len();
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => panic!("{}: {error}", entry.path().display()),
        }
    }
}
