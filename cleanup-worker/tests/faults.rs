//! Whatever dies or goes away, the cleanup is done in the end, once (DEL-5, DEL-6, DEL-7).

use std::time::Duration;

use shared_models::{CleanupId, Message, PurgeTarget, SyncId};
use test_support::{Fault, wait_until};

use crate::support::{SOON, World};

const SLOW: (&str, &str) = ("CLEANUP_DOCUMENTS_PER_SECOND", "500");
const REMOVED: &str = "progress->'vespa'->>'removed'";

/// A cleanup of `count` documents, and a wait until a slow worker has stored some progress of it.
async fn in_mid_purge(world: &World, sync: SyncId, id: CleanupId) {
    let removed = async || world.rows.column(id, REMOVED).await.parse().unwrap_or(0_u64);
    wait_until("progress is stored", SOON, async || removed().await > 0).await;
    assert!(world.documents(sync).await > 0, "still in mid-purge");
}

#[tokio::test]
async fn del_5_a_worker_killed_in_mid_purge_is_replaced() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 4_000).await;
    let id = world.rows.cleanup_of(sync).await;
    let mut first = world.worker(&[SLOW]);
    in_mid_purge(&world, sync, id).await;
    first.kill();
    let left = world.documents(sync).await;
    assert_eq!(world.rows.state(id).await, "purging");
    let _second = world.worker(&[]);
    world.rows.wait_for_state(id, "done").await;
    assert_eq!(world.documents(sync).await, 0);
    let vespa = world.rows.receipt(id).await.targets[&PurgeTarget::Vespa].clone();
    assert_eq!((vespa.found, vespa.rounds), (4_000, 1), "counted once, gone on with");
    assert!(vespa.removed >= left && vespa.removed <= 4_000, "at most one slice's count is lost: {}", vespa.removed);
}

#[tokio::test]
async fn a_worker_that_was_frozen_wakes_to_a_lost_claim_and_does_no_harm() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 4_000).await;
    let id = world.rows.cleanup_of(sync).await;
    let frozen = world.worker(&[SLOW]);
    in_mid_purge(&world, sync, id).await;
    world.expects.fault(Fault::ProcessLost);
    // A request of the frozen one may be too old when it wakes.
    world.expects.event("attempt failed, to be retried");
    frozen.stop();
    let _second = world.worker(&[]);
    world.rows.wait_for_state(id, "done").await;
    frozen.cont();
    frozen.wait_until_logged("claim lost, everything dropped", SOON).await;
    world.rows.receipt(id).await;
    assert_eq!((world.rows.state(id).await.as_str(), world.rows.events("CleanupCompleted").await), ("done", 1));
}

#[tokio::test]
async fn del_6_two_workers_at_once_write_one_receipt_each_row() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for _ in 0..12 {
        let sync = SyncId::random();
        world.feed(sync, 100).await;
        world.capture(sync, 10).await;
        ids.push(world.rows.cleanup_of(sync).await);
    }
    let workers = [world.worker(&[]), world.worker(&[])];
    for id in &ids {
        world.rows.wait_for_state(*id, "done").await;
        let receipt = world.rows.receipt(*id).await;
        assert_eq!((receipt.targets[&PurgeTarget::Vespa].found, receipt.targets[&PurgeTarget::Arf].found), (100, 10));
    }
    assert_eq!(world.rows.events("CleanupCompleted").await, 12);
    for worker in &workers {
        assert!(worker.log().contains("cleanup claimed"), "both took part");
    }
}

#[tokio::test]
async fn del_5_while_vespa_is_down_it_is_tried_again_and_then_done() {
    let mut world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 300).await;
    let id = world.rows.cleanup_of(sync).await;
    world.expects.fault(Fault::VespaAway);
    world.standin.service().kill();
    let _worker = world.worker(&[]);
    let attempts = async || world.rows.column(id, "attempts").await.parse::<u32>().unwrap();
    wait_until("three attempts have failed", SOON, async || attempts().await >= 3).await;
    assert_eq!(world.rows.column(id, "error_code").await, "vespa_unavailable");
    assert_eq!(world.rows.column(id, "error_text").await, "Vespa is unavailable (Connect): cannot connect");
    assert_eq!(world.rows.receipts(id).await.len(), 0);
    world.standin.restart().await;
    world.rows.wait_for_state(id, "done").await;
    assert_eq!(world.documents(sync).await, 0);
    assert_eq!((world.rows.column(id, "error_code").await.as_str(), attempts().await), ("", 0));
    assert_eq!(world.rows.receipt(id).await.targets[&PurgeTarget::Vespa].found, 300);
}

#[tokio::test]
async fn del_7_a_missing_blob_store_is_an_error_not_an_empty_one() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.capture(sync, 20).await;
    let (raw, away) = (world.arf_folder.path().join("raw"), world.arf_folder.path().join("away"));
    let id = world.rows.cleanup_of(sync).await;
    let address = format!("127.0.0.1:{}", test_support::free_port());
    let mut worker = world.worker(&[("ADMIN_LISTEN", &address), ("CLEANUP_ALLOWED_HOURS", "always")]);
    worker.wait_until_ready(&format!("http://{address}/health"), SOON).await;
    world.rows.wait_for_state(id, "done").await;
    world.expects.event("attempt failed, to be retried");
    std::fs::rename(&raw, &away).unwrap();
    let other = SyncId::random();
    let blind = world.rows.cleanup_of(other).await;
    let code = async || world.rows.column(blind, "error_code").await;
    wait_until("the error shows", SOON, async || code().await == "arf_folder").await;
    std::fs::rename(&away, &raw).unwrap();
    world.rows.wait_for_state(blind, "done").await;
    assert_eq!(world.rows.receipt(blind).await.targets[&PurgeTarget::Arf].found, 0);
}

#[tokio::test]
async fn what_one_store_holds_is_removed_while_the_other_is_away() {
    let mut world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 300).await;
    world.capture(sync, 20).await;
    let (raw, away) = (world.arf_folder.path().join("raw"), world.arf_folder.path().join("away"));
    world.expects.event("attempt failed, to be retried");
    world.expects.fault(Fault::VespaAway);
    // At its start a worker makes the folder.
    let (_worker, _) = world.ready_worker(&[]).await;
    std::fs::rename(&raw, &away).unwrap();
    let id = world.rows.cleanup_of(sync).await;
    world.wait_until_empty_of_documents(sync).await;
    let code = async |id| world.rows.column(id, "error_code").await;
    wait_until("the missing store shows", SOON, async || code(id).await == "arf_folder").await;
    assert_eq!(world.rows.receipts(id).await.len(), 0);
    std::fs::rename(&away, &raw).unwrap();
    world.rows.wait_for_state(id, "done").await;

    let other = SyncId::random();
    world.capture(other, 20).await;
    world.standin.service().kill();
    let id = world.rows.cleanup_of(other).await;
    wait_until("no blobs are left", SOON, async || world.blobs(other).await == 0).await;
    wait_until("Vespa's absence shows", SOON, async || code(id).await == "vespa_unavailable").await;
    assert_eq!(world.rows.receipts(id).await.len(), 0);
    world.standin.restart().await;
    world.rows.wait_for_state(id, "done").await;
}

#[tokio::test]
async fn while_postgres_is_down_bells_stay_in_their_queue_and_then_it_is_done() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 3_000).await;
    let id = world.rows.cleanup_of(sync).await;
    let (worker, _) = world.ready_worker(&[SLOW]).await;
    in_mid_purge(&world, sync, id).await;
    world.expects.fault(Fault::PostgresAway);
    world.rows.test.allow_connections(false).await;
    worker.wait_until_logged("a periodic task failed", SOON).await;
    for _ in 0..10 {
        let bell = Message::CleanupRequested { cleanup_id: id }.encode();
        assert!(world.broker.publish_raw("", "cleanup.requests", &bell, &[]).await);
    }
    worker.wait_until_logged("the consumer pauses", SOON).await;
    let kept = world.broker.get_messages("cleanup.requests").await;
    assert!(kept.len() >= 9, "one bell is acknowledged, the others wait: {}", kept.len());
    world.rows.test.allow_connections(true).await;
    world.rows.wait_for_state(id, "done").await;
    world.rows.receipt(id).await;
    wait_until("all is consumed", SOON, async || world.broker.queue_depth("cleanup.requests").await == Some(0)).await;
    assert_eq!(world.broker.queue_depth("dead").await, Some(0));
}

#[tokio::test]
async fn sigterm_stores_the_progress_and_gives_the_claim_back() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 4_000).await;
    let id = world.rows.cleanup_of(sync).await;
    let mut first = world.worker(&[SLOW]);
    in_mid_purge(&world, sync, id).await;
    let status = first.terminate(Duration::from_secs(25)).await;
    assert!(status.success(), "{status}");
    let row =
        world.rows.column(id, "state || ' ' || attempts || ' ' || coalesce(claim_expires_at::text, 'free')").await;
    assert_eq!(row, "scheduled 0 free");
    let (left, removed) = (world.documents(sync).await, world.rows.column(id, REMOVED).await.parse::<u64>().unwrap());
    assert_eq!(left + removed, 4_000, "every removal is recorded");
    let _second = world.worker(&[]);
    world.rows.wait_for_state(id, "done").await;
    let vespa = world.rows.receipt(id).await.targets[&PurgeTarget::Vespa].clone();
    assert_eq!((vespa.found, vespa.removed, vespa.rounds), (4_000, 4_000, 1));
}
