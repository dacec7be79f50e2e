//! The ARF store on a local folder.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use shared_models::{BlobKey, CollectionId, EntityKey, OrganizationId, SyncId, SyncJobId};
use shared_stores::arf::{
    ArfError, ArfStore, Blob, BlobCipher, BlobCounts, BlobForm, EntityBlobs, MAX_BLOB_BYTES, Manifest, RawFileBlob,
    SEAL_BYTES,
};
use tempfile::TempDir;
use url::Url;

use crate::support::{TIMEOUT, files_below, install_tls, syncs_in};

const SLICE: Duration = Duration::from_secs(60);

struct Fixture {
    folder: TempDir,
    store: ArfStore,
    sync: SyncId,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = ArfStore::from_url(&Url::from_file_path(folder.path()).unwrap()).unwrap();
        Self { folder, store, sync: SyncId::random() }
    }

    fn raw(&self) -> PathBuf {
        self.folder.path().join("raw")
    }

    fn prefix(&self) -> PathBuf {
        self.prefix_of(self.sync)
    }

    fn prefix_of(&self, sync: SyncId) -> PathBuf {
        self.raw().join(sync.to_string())
    }

    /// A manifest, two entities and one file.
    async fn fill(&self, sync: SyncId) {
        self.store.put_manifest(&manifest(sync), TIMEOUT).await.unwrap();
        for entity in ["a", "b"] {
            self.store.put_blob(sync, capture(key(entity), &b"{}"[..]), TIMEOUT).await.unwrap();
        }
        self.store.put_blob(sync, file(key("a"), b"hello"), TIMEOUT).await.unwrap();
    }

    async fn purge(&self) -> u64 {
        let step = self.store.purge(self.sync, SLICE).await;
        let removed = step.removed.total();
        assert!(step.is_exhausted().unwrap());
        removed
    }
}

fn key(entity: &str) -> EntityKey {
    EntityKey::unkeyed("StubEntity", entity)
}

fn capture(key: EntityKey, content: impl Into<Bytes>) -> Blob {
    BlobForm::Plain.capture(key, content.into())
}

fn file(key: EntityKey, content: &'static [u8]) -> Blob {
    BlobForm::Plain.file(key, Bytes::from_static(content))
}

fn manifest(sync: SyncId) -> Manifest {
    let time = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    Manifest {
        sync_id: sync,
        source_short_name: "stub".to_owned(),
        collection_id: CollectionId::random(),
        organization_id: OrganizationId::random(),
        created_at: time,
        updated_at: time,
        sync_jobs: vec![SyncJobId::random()],
    }
}

#[tokio::test]
async fn blobs_lie_where_the_layout_says() {
    let fixture = Fixture::new();
    fixture.fill(fixture.sync).await;
    let (a, b) = (key("a"), key("b"));
    let mut expected = vec![
        format!("entities/{a}.json"),
        format!("entities/{b}.json"),
        format!("files/{a}"),
        "manifest.json".to_owned(),
    ];
    expected.sort();
    assert_eq!(files_below(&fixture.prefix()).into_keys().collect::<Vec<_>>(), expected);
    let counts = fixture.store.list_counts(fixture.sync).await.unwrap();
    assert_eq!(counts, BlobCounts { manifest: 1, entities: 2, files: 1, staging: 0, other: 0 });
    let read = fixture.store.manifest(fixture.sync).await.unwrap().unwrap();
    assert_eq!(read.sync_id, fixture.sync);
    assert_eq!(fixture.store.manifest(SyncId::random()).await.unwrap(), None);
}

#[tokio::test]
async fn a_purge_empties_one_sync_and_touches_no_other() {
    let fixture = Fixture::new();
    let other = SyncId::random();
    fixture.fill(fixture.sync).await;
    fixture.fill(other).await;
    let before = files_below(&fixture.prefix_of(other));
    assert_eq!((before.len(), syncs_in(&fixture.store).await.unwrap().syncs.len()), (4, 2));

    assert_eq!(fixture.purge().await, 4);
    assert!(fixture.store.is_empty(fixture.sync).await.unwrap());
    assert!(!fixture.prefix().exists(), "empty folders go too");
    assert_eq!(files_below(&fixture.prefix_of(other)), before);
    assert_eq!(syncs_in(&fixture.store).await.unwrap().syncs.into_iter().collect::<Vec<_>>(), [other]);
    assert_eq!(fixture.purge().await, 0, "a second purge finds nothing and is no error");
}

#[tokio::test]
async fn what_a_killed_write_left_is_removed_without_the_rest() {
    let fixture = Fixture::new();
    let key = EntityKey::unkeyed("FileEntity", "a");
    fixture.store.put_blob(fixture.sync, capture(key, "whole"), TIMEOUT).await.unwrap();
    fs::write(fixture.prefix().join("entities/x.json#1"), b"half").unwrap();
    assert_eq!(fixture.store.remove_staging(fixture.sync).await.unwrap(), 1);
    assert_eq!(fixture.store.remove_staging(fixture.sync).await.unwrap(), 0);
    let left = fixture.store.list_counts(fixture.sync).await.unwrap();
    assert_eq!(left, BlobCounts { entities: 1, ..BlobCounts::default() });
}

#[tokio::test]
async fn what_a_killed_write_left_is_counted_purged_and_no_empty_store() {
    let fixture = Fixture::new();
    fs::create_dir_all(fixture.prefix().join("entities")).unwrap();
    fs::write(fixture.prefix().join("entities/x.json#1"), b"half").unwrap();
    assert_eq!(
        fixture.store.list_counts(fixture.sync).await.unwrap(),
        BlobCounts { staging: 1, ..BlobCounts::default() }
    );
    assert!(!fixture.store.is_empty(fixture.sync).await.unwrap());
    assert_eq!(syncs_in(&fixture.store).await.unwrap().syncs.len(), 1);
    assert_eq!(fixture.purge().await, 1);
    assert!(fixture.store.is_empty(fixture.sync).await.unwrap());
}

#[tokio::test]
async fn a_symbolic_link_is_removed_and_never_followed() {
    let fixture = Fixture::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("precious.txt"), b"keep").unwrap();
    fs::create_dir(outside.path().join("empty")).unwrap();
    fs::create_dir_all(fixture.prefix()).unwrap();
    std::os::unix::fs::symlink(outside.path(), fixture.prefix().join("files")).unwrap();
    std::os::unix::fs::symlink("/nowhere", fixture.prefix().join("broken")).unwrap();
    assert_eq!(fixture.store.list_counts(fixture.sync).await.unwrap().total(), 2);
    assert_eq!(fixture.purge().await, 2);

    // The sync's folder itself may be a link.
    std::os::unix::fs::symlink(outside.path(), fixture.prefix()).unwrap();
    assert!(!fixture.store.is_empty(fixture.sync).await.unwrap());
    assert_eq!(fixture.purge().await, 1);
    assert!(fixture.store.is_empty(fixture.sync).await.unwrap());
    assert_eq!(fs::read(outside.path().join("precious.txt")).unwrap(), b"keep");
    assert!(outside.path().join("empty").exists());
}

#[tokio::test]
async fn a_dropped_write_still_ends() {
    let fixture = Fixture::new();
    for n in 0..200 {
        let content = Bytes::from(vec![b'x'; 100_000]);
        drop(fixture.store.put_blob(fixture.sync, capture(key(&n.to_string()), content), TIMEOUT));
    }
    let all = BlobCounts { entities: 200, ..BlobCounts::default() };
    let written = async { while fixture.store.list_counts(fixture.sync).await.unwrap() != all {} };
    tokio::time::timeout(TIMEOUT, written).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_stops_waiting_can_still_learn_the_end() {
    let fixture = Fixture::new();
    let mut handle = fixture.store.put_blob(fixture.sync, capture(key("a"), &b"{}"[..]), TIMEOUT);
    match tokio::time::timeout(Duration::ZERO, &mut handle).await {
        // The write was faster.
        Ok(written) => written.unwrap(),
        Err(_stopped) => handle.await.unwrap(),
    }
    assert_eq!(fixture.store.list_counts(fixture.sync).await.unwrap().entities, 1);
}

#[tokio::test]
async fn an_unreadable_store_is_an_error_and_not_empty() {
    // Root reads every folder, so a file where a folder is expected stands for one that can't be read.
    let fixture = Fixture::new();
    fs::remove_dir(fixture.raw()).unwrap();
    let is_error = |error: ArfError| matches!(error, ArfError::Folder { .. }) && error.is_retryable();
    for broken in [None, Some(b"no folder")] {
        if let Some(content) = broken {
            fs::write(fixture.raw(), content).unwrap();
        }
        let (store, sync) = (&fixture.store, fixture.sync);
        assert!(is_error(store.is_empty(sync).await.unwrap_err()));
        assert!(is_error(store.list_counts(sync).await.unwrap_err()));
        assert!(is_error(store.purge(sync, SLICE).await.is_exhausted().unwrap_err()));
        assert!(is_error(store.manifest(sync).await.unwrap_err()));
        assert!(is_error(syncs_in(store).await.unwrap_err()));
        assert!(is_error(store.ready(TIMEOUT).await.unwrap_err()));
        assert!(is_error(store.put_blob(sync, capture(key("a"), &b"{}"[..]), TIMEOUT).await.unwrap_err()));
    }
}

#[tokio::test]
async fn a_file_in_place_of_a_sync_is_a_blob() {
    let fixture = Fixture::new();
    fs::write(fixture.prefix(), b"odd").unwrap();
    assert!(!fixture.store.is_empty(fixture.sync).await.unwrap());
    assert_eq!(fixture.purge().await, 1);
    assert!(fixture.store.is_empty(fixture.sync).await.unwrap());
}

/// What a version before blob keys wrote: the file's own name stands in the blob's.
#[tokio::test]
async fn files_named_by_an_older_version_are_removed_and_nothing_else() {
    let fixture = Fixture::new();
    fixture.fill(fixture.sync).await;
    let key = key("old");
    let safe_names = [
        ("report-1.pdf", "report-1.pdf"),
        ("naïve ../name.txt", "na_ve_.._name-d26bf119a80c9d70.txt"),
        ("../../../../escape.txt", ".._.._.._.._escape-f633f5ca4a527359.txt"),
    ];
    let before = files_below(fixture.folder.path());
    fs::write(fixture.folder.path().join("escape.txt"), "stays").unwrap();
    for (name, safe_name) in safe_names {
        fs::write(fixture.prefix().join(format!("entities/{key}.json")), "{}").unwrap();
        fs::write(fixture.prefix().join(format!("files/{key}_{safe_name}")), "x").unwrap();
        let blobs = EntityBlobs { key, file: RawFileBlob::Named(name.to_owned()) };
        fixture.store.delete_entity(fixture.sync, &blobs, TIMEOUT).await.unwrap();
        let mut after = files_below(fixture.folder.path());
        assert!(after.remove("escape.txt").is_some());
        assert_eq!(after, before, "{name}");
    }
}

#[tokio::test]
async fn an_entity_is_removed_with_its_file_and_twice_is_no_error() {
    let fixture = Fixture::new();
    fixture.fill(fixture.sync).await;
    for _ in 0..2 {
        let blobs = EntityBlobs { key: key("a"), file: RawFileBlob::Keyed };
        fixture.store.delete_entity(fixture.sync, &blobs, TIMEOUT).await.unwrap();
    }
    let left = fixture.store.list_counts(fixture.sync).await.unwrap();
    assert_eq!(left, BlobCounts { manifest: 1, entities: 1, ..BlobCounts::default() });
}

/// The store gives back what it was given, and the blob opens at the path that it lies at.
#[tokio::test]
async fn a_sealed_blob_lies_encrypted_at_its_path() {
    let fixture = Fixture::new();
    let blob_key = BlobKey::random();
    let form = BlobForm::Sealed(BlobCipher::new(fixture.sync, &blob_key));
    let key = blob_key.entity_keys().key("FileEntity", "zebra.txt");
    let (entity, raw) = (Bytes::from_static(br#"{"name": "zebra"}"#), Bytes::from_static(b"zebra"));
    fixture.store.put_blob(fixture.sync, form.capture(key, entity.clone()), TIMEOUT).await.unwrap();
    let left = fixture.store.put_each(fixture.sync, vec![form.file(key, raw.clone())], || Some(())).await.unwrap();
    assert!(left.is_empty());
    let blobs = files_below(&fixture.prefix());
    let cipher = BlobCipher::new(fixture.sync, &blob_key);
    assert_eq!(blobs.keys().cloned().collect::<Vec<_>>(), [format!("entities/{key}.json"), format!("files/{key}")]);
    for ((path, blob), content) in blobs.iter().zip([entity, raw]) {
        assert!(!blob.windows(5).any(|window| window == b"zebra"));
        assert_eq!(blob.len(), content.len() + SEAL_BYTES);
        assert_eq!(cipher.open(path, blob).unwrap(), content);
    }
    let moved = &blobs[&format!("files/{key}")];
    assert!(cipher.open(&format!("entities/{key}.json"), moved).is_err());
}

#[tokio::test]
async fn a_purge_stops_at_its_deadline_goes_on_later_and_takes_the_manifest_last() {
    let fixture = Fixture::new();
    fixture.fill(fixture.sync).await;
    let step = fixture.store.purge(fixture.sync, Duration::ZERO).await;
    assert_eq!((step.removed.total(), step.is_exhausted().unwrap()), (0, false));
    assert_eq!(fixture.store.list_counts(fixture.sync).await.unwrap().manifest, 1);
    assert_eq!(fixture.purge().await, 4);
}

#[tokio::test]
async fn an_empty_folder_is_no_data() {
    let fixture = Fixture::new();
    fs::create_dir_all(fixture.prefix().join("entities")).unwrap();
    fs::create_dir_all(fixture.raw().join("not-a-sync")).unwrap();
    let census = syncs_in(&fixture.store).await.unwrap();
    assert_eq!((census.syncs.len(), census.unreadable), (0, 0));
    assert!(fixture.store.is_empty(fixture.sync).await.unwrap());
    fs::write(fixture.raw().join("not-a-sync/x"), b"").unwrap();
    assert_eq!(syncs_in(&fixture.store).await.unwrap().unreadable, 1);
    // A UUID written otherwise is another folder than the sync's.
    let unusual = fixture.raw().join(fixture.sync.0.simple().to_string());
    fs::create_dir(&unusual).unwrap();
    fs::write(unusual.join("x"), b"").unwrap();
    assert_eq!(syncs_in(&fixture.store).await.unwrap().unreadable, 2);
}

#[tokio::test]
async fn a_blob_over_the_limit_is_refused_unwritten() {
    let fixture = Fixture::new();
    let content = Bytes::from(vec![0; usize::try_from(MAX_BLOB_BYTES).unwrap() + 1]);
    let error = fixture.store.put_blob(fixture.sync, capture(key("a"), content), TIMEOUT).await.unwrap_err();
    assert!(matches!(error, ArfError::TooLarge { .. }) && !error.is_retryable());
    assert!(fixture.store.is_empty(fixture.sync).await.unwrap());
}

#[tokio::test]
async fn an_unknown_kind_of_url_is_refused() {
    install_tls();
    for url in ["ftp://x/y", "https://example.org/x", "memory:///x"] {
        let error = ArfStore::from_url(&url.parse().unwrap()).unwrap_err();
        assert!(matches!(error, ArfError::Setup(_)), "{url}: {error}");
    }
}

#[tokio::test]
async fn blobs_are_written_one_after_the_other_only_while_each_may_start() {
    let fixture = Fixture::new();
    let blob = |n: u32| capture(key(&n.to_string()), &b"{}"[..]);
    let blobs: Vec<Blob> = (0..5).map(blob).collect();
    let under_way = Arc::new(AtomicU32::new(0));
    let mut may_start = 3;
    let counted = under_way.clone();
    let start = move || {
        may_start -= 1;
        (may_start >= 0).then(|| {
            assert_eq!(counted.fetch_add(1, Ordering::SeqCst), 0, "the one before has ended");
            Ended(counted.clone())
        })
    };
    let left = fixture.store.put_each(fixture.sync, blobs, start).await.unwrap();
    assert_eq!(left.iter().map(|blob| blob.key()).collect::<Vec<_>>(), [key("3"), key("4")]);
    assert_eq!(fixture.store.list_counts(fixture.sync).await.unwrap().entities, 3);
    assert_eq!(under_way.load(Ordering::SeqCst), 0);
}

/// Says when the write that it was given for has ended.
struct Ended(Arc<AtomicU32>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_blob_that_cannot_be_written_is_given_back_and_the_others_are_written() {
    let fixture = Fixture::new();
    let large = Bytes::from(vec![0; usize::try_from(MAX_BLOB_BYTES).unwrap() + 1]);
    let blobs = vec![capture(key("a"), large), file(key("b"), b"x"), capture(key("c"), &b"{}"[..])];
    let left = fixture.store.put_each(fixture.sync, blobs, || Some(())).await.unwrap();
    assert_eq!(left.iter().map(|blob| blob.key()).collect::<Vec<_>>(), [key("a")]);
    let counts = fixture.store.list_counts(fixture.sync).await.unwrap();
    assert_eq!((counts.entities, counts.files, counts.staging), (1, 1, 0));
}
