//! Seen from outside: one request id from the DELETE through messages to the receipt, and metrics of every service.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::{
    System,
    api::{id_of, ids_of},
    fast_times, metrics,
};
use test_support::wait_until;

/// The JSON log lines that carry a request id.
fn lines_with(log: &str, request: &str) -> Vec<Value> {
    log.lines().filter(|line| line.contains(request)).map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_id_leads_from_the_delete_to_the_receipt() {
    let system = System::new(&fast_times()).await;
    let gateway = system.gateway().await;
    let (_sync_worker, cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let connection = api.create_stub(&collection, 20, 1).await;
    system.wait_for_job(api, &id_of(&connection), "completed").await;
    let deleted = api.delete(&format!("/source-connections/{}", id_of(&connection))).await;
    assert_eq!(deleted.status, 200);
    let request = deleted.headers["x-request-id"].to_str().unwrap().to_owned();
    let cleanup = deleted.headers["x-cleanup-id"].to_str().unwrap().to_owned();
    system.wait_for_cleanups(1).await;
    assert!(!lines_with(&gateway.service.log(), &request).is_empty(), "the gateway logs it");
    assert!(!lines_with(&cleanup_worker.service.log(), &request).is_empty(), "the cleanup-worker logs it");
    let receipt = api.get(&format!("/cleanups/{cleanup}/receipt")).await.ok();
    assert_eq!(receipt["receipt"]["request_id"], json!(request));
    let _verified = system_tests::verified(&receipt);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_has_metrics_of_what_operators_are_paged_for() {
    let system = System::new(&fast_times()).await;
    let gateway = system.gateway().await;
    let (sync_worker, cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let connection = api.create_timed(&collection, 5000, 60.0).await;
    let (id, sync) = ids_of(&connection);
    system.wait_until_writing(api, &id, &sync).await;
    assert_eq!(api.delete(&format!("/source-connections/{id}")).await.status, 200);
    system.wait_for_cleanups(1).await;
    let of_gateway = metrics(&gateway.admin_url).await;
    let of_cleanup_worker = metrics(&cleanup_worker.admin_url).await;
    for text in [&of_gateway, &of_cleanup_worker] {
        assert!(text.contains("unweave_cleanups{state=\"done\"} 1"), "{text}");
        assert!(text.contains("unweave_cleanup_oldest_open_age_seconds 0"), "{text}");
    }
    wait_until("the outbox is empty", Duration::from_secs(30), async || {
        metrics(&gateway.admin_url).await.contains("unweave_outbox_messages 0")
    })
    .await;
    assert!(of_gateway.contains("unweave_deletion_wait_seconds_count 1"), "{of_gateway}");
    let of_sync_worker = metrics(&sync_worker.admin_url).await;
    assert!(of_sync_worker.contains("unweave_stop_acknowledgement_seconds_count 1"), "{of_sync_worker}");
}
