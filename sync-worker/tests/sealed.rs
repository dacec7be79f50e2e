//! What a sync really left in Vespa and ARF, and the keys to read it with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use shared_database::RowCipher;
use shared_models::{BlobKey, EntityKey};
use shared_stores::arf::BlobCipher;

use crate::stage::{Connection, Stage};

/// The key ring of every worker here.
pub fn ring() -> RowCipher {
    RowCipher::new([("test".to_owned(), [0; 32])]).unwrap()
}

impl Stage {
    pub async fn blob_key(&self, connection: Connection) -> BlobKey {
        self.database.blob_key(&ring(), connection.sync).await.unwrap().unwrap()
    }

    pub async fn blob_cipher(&self, connection: Connection) -> BlobCipher {
        BlobCipher::new(connection.sync, &self.blob_key(connection).await)
    }

    /// Every blob of a sync, by its path below the sync's prefix.
    pub fn blobs_by_path(&self, connection: Connection) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let prefix = self.arf_folder().join("raw").join(connection.sync.to_string());
        for folder in ["", "entities", "files"] {
            read_folder(&prefix.join(folder), folder, &mut found);
        }
        found
    }

    /// Every document of a sync, by its id.
    pub async fn documents_by_id(&self, connection: Connection) -> BTreeMap<String, Value> {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut found = BTreeMap::new();
        let mut continuation = String::new();
        loop {
            let url = format!(
                "{}/document/v1/?cluster=airweave&selection=true&wantedDocumentCount=1024{continuation}",
                self.standin.url
            );
            let page: Value = client.get(url).send().await.unwrap().json().await.unwrap();
            for document in page["documents"].as_array().unwrap() {
                if document["fields"]["airweave_system_metadata_sync_id"] == connection.sync.to_string() {
                    found.insert(document["id"].as_str().unwrap().to_owned(), document["fields"].clone());
                }
            }
            match page["continuation"].as_str() {
                Some(token) => continuation = format!("&continuation={token}"),
                None => return found,
            }
        }
    }

    /// Every entity's key as rows have it.
    pub async fn entity_keys(&self, connection: Connection) -> BTreeSet<EntityKey> {
        let sql = format!("SELECT entity_key FROM entity WHERE sync_id = '{}'", connection.sync);
        let rows = self.rows.client().await.query(&sql, &[]).await.unwrap();
        rows.iter().map(|row| EntityKey(row.get::<_, Vec<u8>>(0).try_into().unwrap())).collect()
    }

    /// Rows, documents and blobs have the names of the sync's key, every blob opens, and nothing has another name.
    pub async fn assert_keyed(&self, connection: Connection) {
        self.assert_consistent(connection).await;
        let names = self.blob_key(connection).await.entity_keys();
        let sql = format!("SELECT entity_class, entity_id, is_keyed FROM entity WHERE sync_id = '{}'", connection.sync);
        let rows = self.rows.client().await.query(&sql, &[]).await.unwrap();
        assert!(rows.iter().all(|row| row.get::<_, bool>(2)));
        let keys: BTreeSet<EntityKey> = rows.iter().map(|row| names.key(row.get(0), row.get(1))).collect();
        assert_eq!(self.entity_keys(connection).await, keys);
        let key_texts: BTreeSet<String> = keys.iter().map(ToString::to_string).collect();
        for id in self.documents_by_id(connection).await.keys() {
            let specific = id.split_once("::").unwrap().1;
            let parts: Vec<&str> = specific.split('.').collect();
            let &[sync, key, _chunk] = parts.as_slice() else { panic!("{id}") };
            assert!(sync == connection.sync.to_string() && key_texts.contains(key), "{id}");
        }
        let cipher = self.blob_cipher(connection).await;
        for (path, blob) in self.blobs_by_path(connection) {
            let Some(name) = path.strip_prefix("entities/").or_else(|| path.strip_prefix("files/")) else {
                assert_eq!(path, "manifest.json");
                continue;
            };
            assert!(key_texts.contains(name.strip_suffix(".json").unwrap_or(name)), "{path}");
            assert!(cipher.open(&path, &blob).is_ok(), "{path}");
        }
    }
}

fn read_folder(folder: &Path, name: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            let file = entry.file_name().into_string().unwrap();
            let path = if name.is_empty() { file } else { format!("{name}/{file}") };
            found.insert(path, std::fs::read(entry.path()).unwrap());
        }
    }
}
