//! Deleting a collection.

use serde_json::json;
use system_tests::{System, api::id_of, fast_times};

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
        assert!(system.footprint(&sync).await.is_empty());
    }
}
