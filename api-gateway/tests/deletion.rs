//! What the API shows of deletions. The protocol itself is tested where it is kept.

use std::time::Duration;

use serde_json::json;
use shared_models::Invariant;
use test_support::wait_until;

use crate::gateway::{Gateway, START, text};

const RUNNING: &str = "UPDATE sync_job SET status = 'running', started_at = clock_timestamp(),
    lease_owner = gen_random_uuid(), lease_expires_at = clock_timestamp() + interval '1 hour'";
const STOPPED: &str = "UPDATE sync_job SET status = 'cancelled', job_end = 'acknowledged', lease_owner = NULL,
    lease_expires_at = NULL, completed_at = clock_timestamp() WHERE status = 'cancelling'";
const REQUESTED: &str = "SELECT count(*) FROM source_connection WHERE deletion_requested_at IS NOT NULL";

#[tokio::test]
async fn delete_answers_the_object_as_it_was_and_where_to_watch() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let made = api.stub(&collection, json!({})).await;
    let path = format!("/source-connections/{}", text(&made, "id"));
    let before = api.get(&path).await;
    let deleted = api.delete(&path).await;
    assert_eq!((deleted.status.as_u16(), &deleted.text), (200, &before.text));
    let cleanup = deleted.headers["x-cleanup-id"].to_str().unwrap().to_owned();
    assert_eq!(deleted.headers["link"], format!("</cleanups/{cleanup}>; rel=\"monitor\""));
    api.get(&path).await.refuses(404, "SourceConnection not found");
    api.delete(&path).await.refuses(404, "SourceConnection not found");

    let shown = api.get(&format!("/cleanups/{cleanup}")).await.ok();
    assert_eq!((shown["state"].as_str(), &shown["sync_id"]), (Some("scheduled"), &made["sync_id"]));
    assert_eq!(shown["request_id"], deleted.headers["x-request-id"].to_str().unwrap());
    assert_eq!(shown["requested_by"], api.get("/api-keys").await.ok()[0]["id"]);
    assert_eq!(shown["targets"]["vespa"]["found"], 0);
    assert!(shown["targets"]["arf"].is_object() && shown["links"]["receipt"].is_null());
    assert_eq!(api.get("/cleanups").await.ok(), json!([shown]));
    assert_eq!(api.get("/cleanups?state=done").await.ok(), json!([]));
    let receipt = format!("/cleanups/{cleanup}/receipt");
    api.get(&receipt).await.refuses(404, "Receipt not found: the cleanup isn't done yet");
    let unknown = "/cleanups/0f0e0d0c-0b0a-4908-8706-050403020100";
    api.get(unknown).await.refuses(404, "Cleanup not found");
    api.get(&format!("{unknown}/receipt")).await.refuses(404, "Cleanup not found");
}

#[tokio::test]
async fn a_connection_that_is_being_deleted_is_as_good_as_gone() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let made = api.stub(&collection, json!({"sync_immediately": true})).await;
    let (id, job) = (text(&made, "id"), text(&made["sync"]["last_job"], "id"));
    gateway.request_deletion("source_connection").await;
    let path = format!("/source-connections/{id}");
    let gone = "SourceConnection not found";
    api.get(&path).await.refuses(404, gone);
    api.get(&format!("{path}/jobs")).await.refuses(404, gone);
    api.get(&format!("{path}/sync-id")).await.refuses(404, gone);
    api.post(&format!("{path}/jobs/{job}/cancel"), json!({})).await.refuses(404, gone);
    let deleting = "Source connection is being deleted";
    api.post(&format!("{path}/run"), json!({})).await.refuses(409, deleting);
    api.patch(&path, json!({"name": "New name"})).await.refuses(409, deleting);
    assert_eq!(api.get("/source-connections").await.ok(), json!([]));
    assert_eq!(api.get(&format!("/collections/{collection}/source-connections")).await.ok(), json!([]));
    let shown = api.get(&format!("/collections/{collection}")).await.ok();
    assert_eq!(shown["source_connection_summaries"], json!([]));
    // A second DELETE helps; the first owned the 200.
    api.delete(&path).await.refuses(404, gone);
    assert_eq!(gateway.database.count("SELECT count(*) FROM source_connection").await, 0);
    assert_eq!(gateway.database.count("SELECT count(*) FROM cleanup").await, 1);
}

#[tokio::test]
async fn a_collection_goes_with_its_connections() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    for _ in 0..3 {
        api.stub(&collection, json!({})).await;
    }
    let path = format!("/collections/{collection}");
    let before = api.get(&path).await;
    let deleted = api.delete(&path).await;
    assert_eq!((deleted.status.as_u16(), &deleted.text), (200, &before.text));
    api.get(&path).await.refuses(404, "Collection not found");
    api.delete(&path).await.refuses(404, "Collection not found");
    assert_eq!(api.get("/source-connections").await.ok(), json!([]));
    let link = deleted.headers["link"].to_str().unwrap();
    let monitor = link.trim_start_matches('<').split('>').next().unwrap();
    assert_eq!(api.get(monitor).await.ok().as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn del_1_nothing_is_created_in_a_collection_that_is_being_deleted() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    gateway.request_deletion("collection").await;
    let create = api.post("/source-connections", crate::gateway::stub_body(&collection, json!({}))).await;
    create.refuses(404, "Collection not found");
    api.get(&format!("/collections/{collection}")).await.refuses(404, "Collection not found");
    assert_eq!(api.get("/collections").await.ok(), json!([]));
    assert_eq!(api.get("/collections/count").await.ok(), json!(0));
}

#[tokio::test]
async fn a_stopping_gateway_answers_the_deletion_that_it_has_begun() {
    let mut gateway = Gateway::start().await;
    let api = gateway.api.clone();
    let collection = api.collection().await;
    let made = api.stub(&collection, json!({"sync_immediately": true})).await;
    gateway.database.execute(RUNNING).await;
    let path = format!("/source-connections/{}", text(&made, "id"));
    let (deleted, ()) = tokio::join!(api.delete(&path), async {
        wait_until("the deletion is requested", START, async || gateway.database.count(REQUESTED).await == 1).await;
        gateway.service.signal(rustix::process::Signal::TERM);
        gateway.service.wait_until_logged("shutting down", START).await;
        gateway.database.execute(STOPPED).await;
    });
    assert_eq!(deleted.ok()["status"], "syncing", "as it was before");
    assert_eq!(gateway.service.exited(Duration::from_secs(20)).await.code(), Some(0));
    assert_eq!(gateway.database.count("SELECT count(*) FROM cleanup").await, 1);
}

/// Short times that fit together: a silent writer is known to have stopped after 4 s.
const TIMES: [(&str, &str); 7] = [
    ("LEASE_TTL", "2s"),
    ("LEASE_RENEWAL", "300ms"),
    ("STORE_TIMEOUT", "1s"),
    ("LEASE_GUARD", "2s"),
    ("CANCEL_WAIT", "5s"),
    ("FINISHER_INTERVAL", "50ms"),
    ("FINISHER_AGE", "0s"),
];

#[tokio::test]
async fn del_5_a_deletion_that_is_overdue_is_told_once() {
    let gateway = Gateway::start_with(&TIMES).await;
    let api = &gateway.api;
    let collection = api.collection().await;
    api.stub(&collection, json!({"sync_immediately": true})).await;
    // Its lease lasts for an hour: no worker of ours takes one so long.
    gateway.database.execute(RUNNING).await;
    gateway.service.expects.violation(Invariant::Complete);
    gateway.request_deletion("source_connection").await;
    gateway.service.wait_until_logged("an invariant is broken", START).await;
    let tries = async || gateway.service.log().matches("deletion can't be finished yet").count();
    let before = tries().await;
    wait_until("it is tried on", START, async || tries().await > before + 10).await;
    let metrics = reqwest::get(format!("{}/metrics", gateway.admin)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("unweave_invariant_violations_total{invariant=\"DEL-5\"} 1\n"), "{metrics}");
}

#[tokio::test]
async fn del_5_a_client_that_hangs_up_stops_no_deletion() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let made = api.stub(&collection, json!({"sync_immediately": true})).await;
    gateway.database.execute(RUNNING).await;
    let path = format!("/source-connections/{}", text(&made, "id"));
    tokio::select! {
        _ = api.delete(&path) => panic!("the job still runs"),
        () = wait_until("the deletion is requested", START, async || gateway.database.count(REQUESTED).await == 1) => {}
    }
    gateway.database.execute(STOPPED).await;
    // Long before the finisher would.
    wait_until("the rows are gone", Duration::from_secs(10), async || {
        gateway.database.count("SELECT count(*) FROM source_connection").await == 0
    })
    .await;
}
