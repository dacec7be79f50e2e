//! The ARF store on S3: against small S3 servers, and against one that fails.

use std::time::Duration;

use bytes::Bytes;
use shared_models::{BlobKey, EntityKey, SyncId};
use shared_stores::arf::{ArfError, ArfStore, BlobCipher, BlobForm, EntityBlobs, PurgeEnd, RawFileBlob};
use test_support::{S3_SECRET, TestS3, s3_settings};
use url::Url;

use crate::canned::CannedServer;
use crate::support::{TIMEOUT, files_below, install_tls, syncs_in};

pub fn open(endpoint: &Url) -> ArfStore {
    open_with_secret(endpoint, S3_SECRET)
}

pub fn open_with_secret(endpoint: &Url, secret: &str) -> ArfStore {
    install_tls();
    let settings = s3_settings(endpoint);
    let mut settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    settings.push(("aws_secret_access_key", secret));
    ArfStore::from_url_with(&"s3://bucket/team/unweave".parse().unwrap(), &settings).unwrap()
}

struct S3 {
    store: ArfStore,
    server: TestS3,
}

impl S3 {
    async fn start() -> Self {
        let server = TestS3::start().await;
        Self { store: open(&server.url), server }
    }
}

async fn fill(store: &ArfStore, sync: SyncId, count: u32) {
    for n in 0..count {
        let key = EntityKey::unkeyed("StubEntity", &n.to_string());
        let form = BlobForm::Sealed(BlobCipher::new(sync, &BlobKey::random()));
        store.put_blob(sync, form.capture(key, Bytes::from_static(b"{}")), TIMEOUT).await.unwrap();
        store.put_blob(sync, form.file(key, Bytes::from_static(b"x")), TIMEOUT).await.unwrap();
    }
}

#[tokio::test]
async fn a_bucket_is_filled_counted_and_purged_and_others_stay() {
    let s3 = S3::start().await;
    let (sync, other) = (SyncId::random(), SyncId::random());
    fill(&s3.store, sync, 30).await;
    fill(&s3.store, other, 2).await;
    s3.store.ready(TIMEOUT).await.unwrap();
    let prefix = s3.server.path(&format!("team/unweave/raw/{other}"));
    let before = files_below(&prefix);
    assert_eq!(before.len(), 4);
    let counts = s3.store.list_counts(sync).await.unwrap();
    assert_eq!((counts.entities, counts.files, counts.total()), (30, 30, 60));
    assert_eq!(syncs_in(&s3.store).await.unwrap().syncs, [sync, other].into());

    let step = s3.store.purge(sync, TIMEOUT).await;
    assert_eq!((step.removed, step.is_exhausted().unwrap()), (counts, true));
    assert!(s3.store.is_empty(sync).await.unwrap());
    assert_eq!(files_below(&prefix), before);
    assert_eq!(syncs_in(&s3.store).await.unwrap().syncs, [other].into());
}

#[tokio::test]
async fn an_entity_is_removed_with_its_file_and_twice_is_no_error() {
    let s3 = S3::start().await;
    let sync = SyncId::random();
    fill(&s3.store, sync, 1).await;
    for _ in 0..2 {
        let key = EntityKey::unkeyed("StubEntity", "0");
        s3.store.delete_entity(sync, &EntityBlobs { key, file: RawFileBlob::Keyed }, TIMEOUT).await.unwrap();
    }
    assert!(s3.store.is_empty(sync).await.unwrap());
}

#[tokio::test]
async fn a_failing_bucket_is_an_error_and_each_write_is_sent_once() {
    for status in [500, 503, 429] {
        let server = CannedServer::always(status, "<Error><Code>SlowDown</Code></Error>").await;
        let store = open(&server.url);
        let sync = SyncId::random();
        let key = EntityKey::unkeyed("StubEntity", "a");
        let error =
            store.put_blob(sync, BlobForm::Plain.capture(key, Bytes::from_static(b"{}")), TIMEOUT).await.unwrap_err();
        assert!(matches!(error, ArfError::Store { .. }) && error.is_retryable() && error.may_still_apply());
        assert_eq!(server.asked().len(), 1, "{status}");
        assert_eq!(server.asked()[0].method, "PUT");

        assert!(store.is_empty(sync).await.is_err());
        assert!(store.list_counts(sync).await.is_err());
        assert!(matches!(store.purge(sync, TIMEOUT).await.end, PurgeEnd::Failed(ArfError::Store { .. })));
        assert!(syncs_in(&store).await.is_err());
        assert!(store.manifest(sync).await.is_err());
    }
}

#[tokio::test]
async fn a_bucket_that_does_not_answer_in_time_leaves_the_outcome_open() {
    let slow = crate::canned::Canned { delay: Duration::from_secs(60), ..crate::canned::Canned::new(200, "") };
    let server = CannedServer::start(vec![slow]).await;
    let timeout = Duration::from_millis(300);
    let handle = open(&server.url).put_blob(
        SyncId::random(),
        BlobForm::Plain.capture(EntityKey::unkeyed("StubEntity", "a"), Bytes::from_static(b"{}")),
        timeout,
    );
    let error = handle.await.unwrap_err();
    assert!(matches!(error, ArfError::Unanswered(given) if given == timeout) && error.may_still_apply());
}
