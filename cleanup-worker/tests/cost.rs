//! What purges cost Vespa, by its own counts.

use std::collections::BTreeMap;

use serde_json::Value;
use shared_models::SyncId;
use test_support::wait_until;

use crate::support::{SOON, World};

/// The stand-in's counters since they were last reset.
async fn counts(world: &World) -> BTreeMap<String, BTreeMap<String, u64>> {
    let url = format!("{}/standin/v1/counters", world.standin.url);
    reqwest::get(url).await.unwrap().error_for_status().unwrap().json().await.unwrap()
}

async fn reset(world: &World) {
    let url = format!("{}/standin/v1/counters/reset", world.standin.url);
    reqwest::Client::new().post(url).send().await.unwrap().error_for_status().unwrap();
}

fn assert_twice(counts: &BTreeMap<String, BTreeMap<String, u64>>, documents: u64) {
    let examined = counts["query"]["documents_examined"] + counts["remove"]["documents_examined"];
    let removals = counts["remove"]["requests"];
    assert!(counts["query"]["documents_examined"] * 10 <= documents * 22, "{examined} examined for {documents}");
    assert!(removals * 100 <= documents * 101, "{removals} removals for {documents}");
    assert_eq!(counts["bulk_delete"]["requests"] + counts["visit"]["requests"], 0);
}

#[tokio::test]
async fn each_document_is_examined_twice_and_removed_once_whatever_the_size() {
    let world = World::new().await;
    let (small, large) = (SyncId::random(), SyncId::random());
    world.feed(SyncId::random(), 2_000).await;
    for (sync, documents) in [(small, 3_000), (large, 14_000)] {
        world.feed(sync, documents).await;
        reset(&world).await;
        let id = world.rows.cleanup_of(sync).await;
        let mut worker = world.worker(&[("PURGE_SLICE", "5s")]);
        world.rows.wait_for_state(id, "done").await;
        assert_twice(&counts(&world).await, u64::from(documents));
        worker.kill();
    }
}

#[tokio::test]
async fn a_killed_worker_costs_one_slice_and_no_document_is_left() {
    let world = World::new().await;
    let sync = SyncId::random();
    world.feed(sync, 14_000).await;
    reset(&world).await;
    let id = world.rows.cleanup_of(sync).await;
    let slots = async || {
        let progress: Value = serde_json::from_str(&world.rows.column(id, "progress").await).unwrap();
        progress.pointer("/vespa/round/next_slot").and_then(Value::as_u64).unwrap_or_default()
    };
    let mut passed = 0;
    for _ in 0..3 {
        let mut worker = world.worker(&[("CLEANUP_DOCUMENTS_PER_SECOND", "4000")]);
        wait_until("it gets further", SOON, async || slots().await > passed).await;
        worker.kill();
        passed = slots().await;
    }
    assert!(world.documents(sync).await > 0, "it was killed in mid-purge each time");
    let _last = world.worker(&[]);
    world.rows.wait_for_state(id, "done").await;
    assert_eq!(world.documents(sync).await, 0);
    let counts = counts(&world).await;
    // What was removed and not recorded isn't listed again; what was under way is sent again: at most 256 each time.
    assert!(counts["remove"]["requests"] <= 14_000 + 3 * 256, "{}", counts["remove"]["requests"]);
}

#[tokio::test]
async fn many_small_cleanups_share_their_looks() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for _ in 0..200 {
        let sync = SyncId::random();
        world.feed(sync, 5).await;
        ids.push(sync);
    }
    for sync in &ids {
        world.rows.cleanup_of(*sync).await;
    }
    reset(&world).await;
    let _worker = world.worker(&[("SETTLE_DELAY", "30s")]);
    let open = "SELECT count(*) FROM cleanup WHERE state <> 'done'";
    wait_until("all are done", 2 * SOON, async || world.rows.test.count(open).await == 0).await;
    let queries = counts(&world).await["query"]["requests"];
    assert!(queries * 10 <= 200 * 11, "{queries} queries for 200 cleanups");
    let receipts = "SELECT count(*) FROM receipt WHERE signed->'receipt'->'targets'->'vespa'->>'removed' = '5'";
    assert_eq!(world.rows.test.count(receipts).await, 200);
}
