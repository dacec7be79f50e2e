//! Purges of a bucket that is large, refuses, is overloaded, or goes away.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use shared_models::{EntityKey, SyncId};
use shared_stores::arf::{ArfError, ArfStore, BlobCounts, BlobForm, EntityBlobs, PurgeEnd, PurgeStep, RawFileBlob};
use test_support::{BucketRequests, TestBucket};

use crate::arf_bucket::open;
use crate::support::{TIMEOUT, syncs_in};

/// Long enough for all that these tests remove.
const SLICE: Duration = Duration::from_secs(60);

struct Stage {
    server: TestBucket,
    store: ArfStore,
    sync: SyncId,
}

impl Stage {
    /// A bucket with a sync of so many entities, with a file and a manifest, beside another sync.
    async fn with(entities: usize) -> Self {
        let server = TestBucket::start().await;
        let (store, sync) = (open(&server.url), SyncId::random());
        let stage = Self { server, store, sync };
        stage.server.fill((0..entities).map(|n| stage.entity(n)));
        stage.server.fill([stage.key("files/a"), stage.key("manifest.json")]);
        stage.server.fill([format!("team/unweave/raw/{}/manifest.json", SyncId::random())]);
        stage
    }

    fn key(&self, relative: &str) -> String {
        format!("team/unweave/raw/{}/{relative}", self.sync)
    }

    fn entity(&self, number: usize) -> String {
        self.key(&format!("entities/{number:07}.json"))
    }

    /// What is left of the sync.
    fn left(&self) -> Vec<String> {
        let prefix = self.key("");
        self.server.keys().into_iter().filter(|key| key.starts_with(&prefix)).collect()
    }

    async fn purge(&self) -> PurgeStep {
        self.store.purge(self.sync, SLICE).await
    }
}

#[tokio::test]
async fn a_large_prefix_costs_a_list_and_a_removal_for_each_thousand() {
    let stage = Stage::with(20_500).await;
    let counts = stage.store.list_counts(stage.sync).await.unwrap();
    assert_eq!(counts, BlobCounts { manifest: 1, entities: 20_500, files: 1, ..BlobCounts::default() });
    assert_eq!(stage.store.count_up_to(stage.sync, 1_000).await.unwrap(), None);
    let _before = stage.server.asked();

    let step = stage.purge().await;
    assert_eq!(step.removed, counts);
    assert!(step.is_exhausted().unwrap());
    // One more of each for the manifest.
    let asked = BucketRequests { lists: 22, bulk_removals: 22, others: 0 };
    assert_eq!(stage.server.asked(), asked);
    assert_eq!(stage.left(), Vec::<String>::new());
    assert_eq!(stage.server.keys().len(), 1, "the other sync's manifest stays");
}

#[tokio::test]
async fn a_purge_that_is_cut_short_keeps_the_manifest_and_goes_on_later() {
    let stage = Stage::with(2_500).await;
    let step = stage.store.purge(stage.sync, Duration::ZERO).await;
    assert_eq!(step.removed, BlobCounts { entities: 1_000, ..BlobCounts::default() }, "a page is always removed");
    assert!(!step.is_exhausted().unwrap());
    assert!(stage.left().contains(&stage.key("manifest.json")));
    let step = stage.purge().await;
    assert_eq!(step.removed.total(), 1_502);
    assert!(step.is_exhausted().unwrap());
    assert!(stage.store.is_empty(stage.sync).await.unwrap());
}

#[tokio::test]
async fn blobs_that_are_held_keep_nothing_else_but_the_manifest_and_are_told() {
    let stage = Stage::with(3_000).await;
    // All of the first page, and some later ones.
    let held: BTreeSet<String> = (0..1_000).chain([1_500, 2_999]).map(|n| stage.entity(n)).collect();
    stage.server.hold(held.clone());
    let step = stage.purge().await;
    assert_eq!(step.removed, BlobCounts { entities: 1_998, files: 1, ..BlobCounts::default() });
    let PurgeEnd::Failed(error) = step.end else { panic!("what is held was overlooked") };
    assert_eq!(error.to_string(), "the object store refused to remove 1002 blobs: AccessDenied");
    assert!(matches!(error, ArfError::Refused { count: 1_002, .. }) && error.is_retryable());
    let left: BTreeSet<String> = stage.left().into_iter().collect();
    assert_eq!(left, held.into_iter().chain([stage.key("manifest.json")]).collect());
    assert!(!stage.store.is_empty(stage.sync).await.unwrap());

    stage.server.end_holds();
    let step = stage.purge().await;
    assert_eq!(step.removed.total(), 1_003);
    assert!(step.is_exhausted().unwrap());
    assert!(stage.store.is_empty(stage.sync).await.unwrap());
}

#[tokio::test]
async fn an_overloaded_bucket_is_asked_again_and_then_it_is_an_error() {
    let stage = Stage::with(1_500).await;
    stage.server.slow_down(3);
    let step = stage.purge().await;
    assert_eq!(step.removed.total(), 1_502);
    assert!(step.is_exhausted().unwrap());
    let asked = stage.server.asked();
    // Two pages and the manifest, and three that were refused.
    assert_eq!(asked.lists + asked.bulk_removals, 9, "{asked:?}");

    stage.server.slow_down(u32::MAX);
    let step = stage.purge().await;
    assert_eq!(step.removed.total(), 0);
    let PurgeEnd::Failed(error) = step.end else { panic!("an overloaded bucket was taken for an empty one") };
    let told = error.to_string();
    assert_eq!(told, "list blobs failed in the object store: it answered 503 Service Unavailable");
    assert_eq!(stage.server.asked().lists, 5, "one, and four more");
}

#[tokio::test]
async fn what_was_removed_before_a_failure_is_counted() {
    let stage = Stage::with(9_500).await;
    // Some lists, some removals, and no more.
    stage.server.vanish_after(8);
    let step = stage.purge().await;
    let left = u64::try_from(stage.left().len()).unwrap();
    assert!(left > 1_000 && left < 9_000, "{left}");
    assert_eq!(step.removed.total(), 9_502 - left);
    let error = step.is_exhausted().unwrap_err().to_string();
    assert!(error.ends_with("failed in the object store: the bucket isn't there"), "{error}");
}

#[tokio::test]
async fn a_bucket_that_is_gone_is_never_an_empty_one() {
    let stage = Stage::with(3).await;
    stage.server.vanish_after(0);
    let (store, sync) = (&stage.store, stage.sync);
    let gone = |error: ArfError| {
        assert!(error.to_string().ends_with("failed in the object store: the bucket isn't there"), "{error}");
        assert!(error.is_retryable());
    };
    gone(store.is_empty(sync).await.unwrap_err());
    gone(store.count_up_to(sync, 1_000).await.unwrap_err());
    gone(store.list_counts(sync).await.unwrap_err());
    gone(store.manifest(sync).await.unwrap_err());
    gone(syncs_in(store).await.unwrap_err());
    gone(store.ready(TIMEOUT).await.unwrap_err());
    gone(stage.purge().await.is_exhausted().unwrap_err());
    let key = EntityKey::unkeyed("StubEntity", "0");
    gone(store.put_blob(sync, BlobForm::Plain.capture(key, Bytes::from_static(b"{}")), TIMEOUT).await.unwrap_err());
    gone(store.delete_entity(sync, &EntityBlobs { key, file: RawFileBlob::Keyed }, TIMEOUT).await.unwrap_err());

    stage.server.come_back();
    assert!(stage.purge().await.is_exhausted().unwrap());
    assert!(store.is_empty(sync).await.unwrap());
}

#[tokio::test]
async fn a_census_of_more_syncs_than_a_page_names_each_once() {
    let server = TestBucket::start().await;
    let syncs: BTreeSet<SyncId> = (0..2_300).map(|_| SyncId::random()).collect();
    for sync in &syncs {
        server.fill((0..2).map(|n| format!("team/unweave/raw/{sync}/entities/{n}.json")));
    }
    server.fill(["team/unweave/raw/loose".to_owned(), "team/unweave/raw/no-sync/a".to_owned()]);
    let census = syncs_in(&open(&server.url)).await.unwrap();
    assert_eq!((census.syncs, census.unreadable), (syncs, 2));
    assert_eq!(server.asked().lists, 3);
}
