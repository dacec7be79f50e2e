//! Deleting a collection.

use std::time::Duration;

use serde_json::json;
use shared_models::Facts as _;
use shared_models::invariant::facts::Bounded;
use system_tests::{System, api::id_of, fast_times};
use test_support::Fault;

#[tokio::test(flavor = "multi_thread")]
async fn del_1_a_collection_goes_with_connections_created_while_it_is_being_deleted() {
    let system = System::new(&fast_times()).await;
    let gateway = system.gateway().await;
    let (_sync_worker, _cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let api = &gateway.api;
    for round in 0..4 {
        let before = system.count("cleanup").await;
        let collection = api.create_collection().await;
        let running = api.create_timed(&collection, 5000, 60.0).await;
        let sync = running["sync_id"].as_str().unwrap().to_owned();
        system.wait_until_writing(api, &id_of(&running), &sync).await;
        let body = json!({
            "short_name": "stub", "readable_collection_id": collection,
            "authentication": {"credentials": {"stub_key": "k"}}, "schedule": {"cron": null},
        });
        let path = format!("/collections/{collection}");
        let (created, deleted) = tokio::join!(api.post("/source-connections", body), api.delete(&path));
        assert_eq!(deleted.status, 200, "round {round}: {}", deleted.body);
        assert!([200, 404].contains(&created.status), "round {round}: {} {}", created.status, created.body);
        assert_eq!(api.get(&path).await.status, 404);
        assert_eq!(system.count(&format!("collection WHERE readable_id = '{collection}'")).await, 0);
        assert_eq!(system.count("source_connection").await, 0, "round {round}: nothing slipped in");
        let cleanups = system.count("cleanup").await - before;
        assert_eq!(cleanups, if created.status == 200 { 2 } else { 1 }, "one cleanup a connection");
        system.wait_for_cleanups(before + cleanups).await;
        system.assert_gone(&sync).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn del_8_silent_writers_of_a_collection_are_waited_for_at_once() {
    // One job a worker, so that each connection has a writer of its own.
    let settings: Vec<_> = fast_times().into_iter().chain([("MAX_JOBS", "1")]).collect();
    let system = System::new(&settings).await;
    let gateway = system.gateway().await;
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let (mut workers, mut syncs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        workers.push(system.sync_worker().await);
        let connection = api.create_timed(&collection, 5000, 120.0).await;
        let sync = connection["sync_id"].as_str().unwrap().to_owned();
        system.wait_until_writing(api, &id_of(&connection), &sync).await;
        syncs.push(sync);
    }
    assert_eq!(system.count("sync_job WHERE status = 'running'").await, 3);
    // Two of three don't answer. One after the other, their leases alone would take 12 s.
    for silent in &workers[..2] {
        system.expects.fault(Fault::ProcessLost);
        silent.service.stop();
    }
    let deleted = api.delete(&format!("/collections/{collection}")).await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    let (least, bound) = (Duration::from_secs(5), Duration::from_secs(7 + 2));
    assert!(deleted.took > least, "{:?}", deleted.took);
    // One bound for all, and the cascade.
    Bounded { waited: deleted.took, bound }.check().unwrap();
    assert_eq!(system.count("source_connection").await + system.count("collection").await, 0);
    assert_eq!(system.count("cleanup WHERE writer_end = 'lease'").await, 2);
    assert_eq!(system.count("cleanup WHERE writer_end = 'acknowledged'").await, 1);
    let batch = "(SELECT DISTINCT xmin::text FROM cleanup) AS batch";
    assert_eq!(system.count(batch).await, 1, "one transaction made all three cleanups");

    for silent in &workers[..2] {
        silent.service.cont();
    }
    let _cleanup_worker = system.cleanup_worker().await;
    system.wait_for_cleanups(3).await;
    for sync in syncs {
        system.assert_gone(&sync).await;
    }
}
