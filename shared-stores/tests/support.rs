//! What several tests need.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use futures::TryStreamExt as _;
use shared_models::{CollectionId, DocumentId, DocumentType, EntityKey, SyncId, SyncJobId, purge_key};
use shared_stores::VespaClient;
use shared_stores::arf::{ArfCensus, ArfError, ArfStore};
use shared_stores::vespa::{Breadcrumb, Document};
use tokio::task::JoinSet;
use url::Url;

pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Installs the TLS provider, as a binary does; a second time changes nothing.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

pub fn client(url: &Url) -> VespaClient {
    install_tls();
    VespaClient::new(url).unwrap()
}

pub fn id(kind: DocumentType, sync: SyncId, entity: &str) -> DocumentId {
    DocumentId::chunk(kind, sync, EntityKey::unkeyed("StubEntity", entity), 0)
}

/// Every file below `folder`, by its name relative to it, with its content.
pub fn files_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(
                files_below(&entry.path()).into_iter().map(|(below, content)| (format!("{name}/{below}"), content)),
            );
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}

/// A document with every field set.
pub fn document(sync: SyncId, entity: &str, text: &str) -> Document {
    Document {
        entity_id: format!("{entity}__chunk_0"),
        name: format!("Name of {entity}"),
        textual_representation: text.to_owned(),
        cjk_bigrams: String::new(),
        payload: r#"{"rows": 3}"#.to_owned(),
        large_payload: None,
        large_payload_bytes: None,
        created_at: Some(1_700_000_000),
        updated_at: Some(1_700_000_001),
        breadcrumbs: vec![Breadcrumb {
            entity_id: "folder-1".to_owned(),
            name: "Folder".to_owned(),
            entity_type: "StubContainerEntity".to_owned(),
        }],
        web_url: "stub://entity/1".to_owned(),
        url: Some("stub://file/1".to_owned()),
        access_is_public: Some(true),
        access_viewers: vec!["user:jane@example.org".to_owned()],
        sync_id: sync,
        purge_key: Some(purge_key(sync, EntityKey::unkeyed("StubEntity", entity))),
        sync_job_id: SyncJobId::random(),
        collection_id: CollectionId::random(),
        original_entity_id: entity.to_owned(),
        entity_type: "StubEntity".to_owned(),
        source_name: "stub".to_owned(),
        content_hash: "abc".to_owned(),
        chunk_index: 0,
        dense_embedding: None,
    }
}

/// Does all of that at the same time; returns what came of it, in order.
pub async fn at_once<T: Send + 'static>(work: impl IntoIterator<Item: Future<Output = T> + Send + 'static>) -> Vec<T> {
    let mut tasks = JoinSet::new();
    for (number, work) in work.into_iter().enumerate() {
        tasks.spawn(async move { (number, work.await) });
    }
    let ends: BTreeMap<usize, T> = tasks.join_all().await.into_iter().collect();
    ends.into_values().collect()
}

/// Which syncs have blobs: all pages.
pub async fn syncs_in(store: &ArfStore) -> Result<ArfCensus, ArfError> {
    let add = async |mut all: ArfCensus, page: ArfCensus| {
        all.syncs.extend(page.syncs);
        Ok(ArfCensus { unreadable: all.unreadable + page.unreadable, ..all })
    };
    store.census().try_fold(ArfCensus::default(), add).await
}
