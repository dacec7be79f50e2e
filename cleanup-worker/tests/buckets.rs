//! Cleanups whose blobs are in a bucket: no receipt while anything is there, whatever the bucket does meanwhile, and
//! what the receipt says of versions that a bucket keeps (DEL-5, DEL-7).

use shared_models::receipt::Receipt;
use shared_models::{CleanupId, PurgeTarget, SyncId, Verification};
use shared_stores::ArfStore;
use shared_sweep::Sweep;
use test_support::{Leftover, Service, TestBucket, TestVersionedBucket, s3_settings, wait_until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

use crate::support::{SOON, World};

const ARF_URL: &str = "s3://bucket/unweave";

fn blobs(sync: SyncId, count: usize) -> impl Iterator<Item = String> {
    let of = move |name: &str| format!("unweave/raw/{sync}/{name}");
    (0..count).map(move |n| of(&format!("entities/{n:05}.json"))).chain([of("files/a"), of("manifest.json")])
}

/// A worker whose blobs are in this bucket.
fn worker(world: &World, endpoint: &Url, settings: &[(&str, &str)]) -> Service {
    let bucket =
        s3_settings(endpoint).map(|(name, value)| (name.to_uppercase().replace("ALLOW_", "AWS_ALLOW_"), value));
    let mut environment = world.environment(settings);
    environment.extend(bucket);
    environment.insert("ARF_URL".to_owned(), ARF_URL.to_owned());
    Service::spawn("cleanup-worker", environment).expecting(&world.expects).resting(&world.rest)
}

async fn error_of(world: &World, id: CleanupId, code: &str, text: &str) {
    let column = async |name| world.rows.column(id, name).await;
    wait_until(&format!("{code} shows"), SOON, async || column("error_code").await == code).await;
    assert_eq!(column("error_text").await, text);
    assert_eq!(world.rows.receipts(id).await.len(), 0);
}

#[tokio::test]
async fn del_7_what_is_held_is_told_and_there_is_no_receipt_before_it_is_gone() {
    let (world, bucket) = (World::new().await, TestBucket::start().await);
    let sync = SyncId::random();
    bucket.fill(blobs(sync, 2_500));
    let held: Vec<String> = blobs(sync, 2_500).take(3).collect();
    bucket.hold(held.clone());
    world.expects.event("attempt failed, to be retried");
    let id = world.rows.cleanup_of(sync).await;
    let _worker = worker(&world, &bucket.url, &[]);
    error_of(&world, id, "arf_refused", "the object store refused to remove 3 blobs: AccessDenied").await;
    let manifest = format!("unweave/raw/{sync}/manifest.json");
    let all_else_is_gone = async || bucket.keys().len() == held.len() + 1;
    wait_until("all else is gone", SOON, all_else_is_gone).await;
    assert!(bucket.keys().contains(&manifest), "it shows that the purge isn't at its end");

    bucket.end_holds();
    world.rows.wait_for_state(id, "done").await;
    assert_eq!(bucket.keys(), Vec::<String>::new());
    let arf = world.rows.receipt(id).await.targets[&PurgeTarget::Arf].clone();
    assert_eq!((arf.found, arf.removed, arf.verified_by), (2_502, 2_502, Verification::EmptyListing));
    assert_eq!(arf.removed_by_type.values().sum::<u64>(), 2_502, "what failed slices removed is counted");
}

#[tokio::test]
async fn del_5_a_bucket_that_is_overloaded_or_goes_away_is_asked_again_until_it_is_empty() {
    let (world, bucket) = (World::new().await, TestBucket::start().await);
    let sync = SyncId::random();
    bucket.fill(blobs(sync, 1_500));
    world.expects.event("attempt failed, to be retried");
    let id = world.rows.cleanup_of(sync).await;
    bucket.slow_down(u32::MAX);
    let _worker = worker(&world, &bucket.url, &[]);
    let busy = "list blobs failed in the object store: it answered 503 Service Unavailable";
    error_of(&world, id, "arf_store", busy).await;
    bucket.slow_down(0);
    // The look, the count, a list and a removal with the list of the next page; then all fails.
    bucket.vanish_after(6);
    let gone = async || world.rows.column(id, "error_text").await.ends_with("the bucket isn't there");
    wait_until("the missing bucket shows", SOON, gone).await;
    assert_eq!(world.rows.receipts(id).await.len(), 0);
    bucket.come_back();
    world.rows.wait_for_state(id, "done").await;
    assert_eq!(bucket.keys(), Vec::<String>::new());
    let arf = world.rows.receipt(id).await.targets[&PurgeTarget::Arf].clone();
    assert_eq!((arf.found, arf.removed), (1_502, 1_502));
}

/// The last receipt of a cleanup, and what it says of blobs out of reach.
async fn last_receipt(world: &World, id: CleanupId, count: usize) -> (Receipt, String) {
    let receipts = async || world.rows.receipts(id).await;
    wait_until("the receipt is there", SOON, async || receipts().await.len() == count).await;
    let receipt: Receipt = serde_json::from_value(receipts().await[count - 1].receipt.clone()).unwrap();
    let of_blobs = receipt.out_of_reach.iter().find(|text| text.contains("the object store keeps")).unwrap().clone();
    (receipt, of_blobs)
}

#[tokio::test]
async fn what_a_bucket_keeps_of_versions_is_said_and_purged_once_that_is_wanted() {
    let (world, bucket) = (World::new().await, TestVersionedBucket::start().await);
    let sync = SyncId::random();
    // Each written twice.
    for _ in 0..2 {
        bucket.fill(blobs(sync, 10)).await;
    }
    let id = world.rows.cleanup_of(sync).await;
    world.rows.set(id, "blob_key_destroyed_at = rows_deleted_at, has_plain_blobs = false").await;
    let mut first = worker(&world, &bucket.url, &[]);
    let (receipt, told) = last_receipt(&world, id, 1).await;
    assert_eq!(receipt.targets[&PurgeTarget::Arf].verified_by, Verification::EmptyListing);
    assert!(told.starts_with("Earlier versions") && told.contains("unreadable since their key went"), "{told}");
    let versions = async || bucket.versions("unweave/raw/").await;
    let left = versions().await;
    assert_eq!((left.iter().filter(|v| !v.is_marker).count(), left.iter().filter(|v| v.is_marker).count()), (24, 12));
    assert!(first.terminate(SOON).await.success());

    // From now on versions count: the sweep finds what the tombstone proves to be deleted.
    let settings = s3_settings(&bucket.url);
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let arf = ArfStore::from_url_with(&ARF_URL.parse().unwrap(), &settings).unwrap().with_all_versions().unwrap();
    let sweep = Sweep { database: world.rows.database.clone(), vespa: world.vespa.clone(), arf };
    assert_eq!(sweep.run().await.unwrap().sorted.reopened, 1);
    let _second = worker(&world, &bucket.url, &[("ARF_PURGE_VERSIONS", "true")]);
    let (receipt, told) = last_receipt(&world, id, 2).await;
    let arf = &receipt.targets[&PurgeTarget::Arf];
    assert_eq!((arf.verified_by, arf.rounds), (Verification::EmptyVersionListing, 2));
    assert_eq!(arf.removed, 12 + 36, "objects by the first worker, versions and markers by the second");
    assert!(told.starts_with("Copies that the object store keeps elsewhere"), "{told}");
    assert_eq!(versions().await, []);
}

#[tokio::test]
async fn a_bucket_without_versions_is_no_reason_to_say_that_they_are_gone() {
    let (world, bucket) = (World::new().await, TestBucket::start().await);
    let sync = SyncId::random();
    bucket.fill(blobs(sync, 3));
    world.expects.event("attempt failed, to be retried");
    world.rest.may_leave([Leftover::Cleanups, Leftover::Messages]);
    let id = world.rows.cleanup_of(sync).await;
    let _worker = worker(&world, &bucket.url, &[("ARF_PURGE_VERSIONS", "true")]);
    let text = "list versions failed in the object store: the store doesn't support it";
    error_of(&world, id, "arf_store", text).await;
    assert_eq!(bucket.keys().len(), 5);
}

#[tokio::test]
async fn a_bucket_that_brings_back_what_was_removed_shows_as_failing_until_it_stops() {
    let (world, bucket) = (World::new().await, TestBucket::start().await);
    let sync = SyncId::random();
    bucket.fill(blobs(sync, 3));
    bucket.bring_back(true);
    world.expects.event("attempt failed, to be retried");
    world.expects.violation(shared_models::Invariant::Complete);
    let id = world.rows.cleanup_of(sync).await;
    let _worker = worker(&world, &bucket.url, &[]);
    let attempts = async || world.rows.column(id, "attempts").await.parse::<u32>().unwrap();
    wait_until("failures add up", SOON, async || attempts().await >= 2).await;
    let since = world.rows.column(id, "failing_since").await;
    wait_until("failures add up further", SOON, async || attempts().await >= 5).await;
    assert_eq!(world.rows.column(id, "failing_since").await, since, "since the first");
    assert_eq!(world.rows.column(id, "error_code").await, "arf_no_headway");
    assert_eq!(world.rows.receipts(id).await.len(), 0);
    let age = world.rows.database.cleanup_stats().await.unwrap().oldest_failing_age_seconds;
    assert!(age > 0.0, "alarms ring");

    bucket.bring_back(false);
    world.rows.wait_for_state(id, "done").await;
    assert_eq!(bucket.keys(), Vec::<String>::new());
    let arf = world.rows.receipt(id).await.targets[&PurgeTarget::Arf].clone();
    assert!(arf.removed >= arf.found && arf.found > 5, "each time it was there it counts: {arf:?}");
}

/// A server that answers 200 with one body to whatever it is asked, until its tasks are dropped.
async fn always(body: &'static str) -> (Url, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut seen, mut buffer) = (Vec::new(), [0; 4_096]);
            while !seen.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => seen.extend_from_slice(&buffer[..count]),
                }
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _closed = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    (url, tasks)
}

#[tokio::test]
async fn del_7_what_answers_instead_of_a_store_is_no_empty_store() {
    let unreadable = "list blobs failed in the object store: the answer is unreadable";
    let told = "list blobs failed in the object store: it answered 200 OK InternalError";
    for (body, text) in [
        (
            "<!DOCTYPE html><html><head><title>Console</title></head><body><p>Please log in</p></body></html>",
            unreadable,
        ),
        ("<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>", told),
    ] {
        let world = World::new().await;
        world.expects.event("attempt failed, to be retried");
        world.rest.may_leave([Leftover::Cleanups, Leftover::Messages]);
        let id = world.rows.cleanup_of(SyncId::random()).await;
        let (url, _tasks) = always(body).await;
        let _worker = worker(&world, &url, &[]);
        error_of(&world, id, "arf_store", text).await;
    }
}
