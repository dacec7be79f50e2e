//! The promise of DELETE, with every part alive.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use shared_models::invariant::facts::{Atomic, Idempotent, Invisible};
use shared_models::{Facts as _, SyncId};
use system_tests::{
    System,
    api::{id_of, ids_of},
    fast_times,
};
use test_support::{Fault, Leftover};

#[tokio::test(flavor = "multi_thread")]
async fn del_1_after_a_delete_no_table_names_the_connection_and_one_cleanup_does() {
    let system = System::new(&fast_times()).await;
    system.rest.may_leave(Leftover::OF_CLEANUPS);
    let gateway = system.gateway().await;
    let _worker = system.sync_worker().await;
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let connection = api.create_stub(&collection, 50, 1).await;
    let (id, sync) = ids_of(&connection);
    system.wait_for_job(api, &id, "completed").await;
    let before = system.rows_naming(&[&id, &sync]).await;
    for table in ["source_connection", "credential", "sync", "sync_job"] {
        assert_eq!(before[table], 1, "{table}");
    }
    assert_eq!(before["entity"], 50);

    let deleted = api.delete(&format!("/source-connections/{id}")).await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    assert_eq!(deleted.body["id"], json!(id));
    assert_eq!(deleted.body["sync"]["last_job"]["status"], "completed", "the object as it was");
    let cleanup = deleted.headers["x-cleanup-id"].to_str().unwrap().to_owned();
    assert_eq!(deleted.headers["link"].to_str().unwrap(), format!("</cleanups/{cleanup}>; rel=\"monitor\""));

    let rows: i64 = system.rows_naming(&[&id, &sync]).await.values().sum();
    let told = async |kind: &str| {
        let of_cleanup = format!("message->>'cleanup_id' = '{cleanup}'");
        system.count(&format!("outbox WHERE message->>'type' = '{kind}' AND {of_cleanup}")).await
    };
    let cleanups = system.count(&format!("cleanup WHERE id = '{cleanup}' AND sync_id = '{sync}'")).await;
    let (requests, events) = (told("CleanupRequested").await, told("SourceConnectionDeleted").await);
    let [rows, cleanups, requests, events] = [rows, cleanups, requests, events].map(|n| u64::try_from(n).unwrap());
    Atomic { rows, cleanups, requests, events }.check().unwrap();
    assert_eq!(system.count("cleanup").await, 1);
    assert_eq!(api.get(&format!("/source-connections/{id}")).await.status, 404);
    assert_eq!(api.delete(&format!("/source-connections/{id}")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn del_2_a_running_sync_is_stopped_by_message_and_nothing_is_left() {
    // With the real times: an answer that waited for the lease would take 14 s.
    let system = System::new(&[("SETTLE_DELAY", "1s")]).await;
    let gateway = system.gateway().await;
    let (_sync_worker, _cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let connection = api.create_timed(&collection, 5000, 60.0).await;
    let (id, sync) = ids_of(&connection);
    system.wait_until_writing(api, &id, &sync).await;
    let deleted = api.delete(&format!("/source-connections/{id}")).await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    assert_eq!(deleted.body["status"], "syncing");
    assert!(deleted.took < Duration::from_secs(10), "acknowledged, not waited out: {:?}", deleted.took);
    system.wait_for_cleanups(1).await;
    system.assert_gone(&sync).await;
    assert_eq!(system.count("cleanup WHERE writer_end = 'acknowledged'").await, 1);
    // D3 stays true: nothing is written after the purge by a job that had stopped.
    assert_eq!(system.rows_naming(&[&id, &sync]).await.values().sum::<i64>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn del_2_a_job_cancelled_by_the_user_is_still_waited_for() {
    let system = System::new(&fast_times()).await;
    let gateway = system.gateway().await;
    let worker = system.sync_worker().await;
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let connection = api.create_timed(&collection, 5000, 60.0).await;
    let (id, sync) = ids_of(&connection);
    system.wait_until_writing(api, &id, &sync).await;
    // The writer is busy and says nothing: cancelled by the user is not the same as stopped.
    system.expects.fault(Fault::ProcessLost);
    worker.service.stop();
    let job = id_of(&api.last_job(&id).await);
    let cancelled = api.post(&format!("/source-connections/{id}/jobs/{job}/cancel"), json!({})).await;
    assert_eq!(cancelled.ok()["status"], "cancelling");
    let deleting = tokio::spawn({
        let (api, id) = (api.clone(), id.clone());
        async move { api.delete(&format!("/source-connections/{id}")).await }
    });
    system.wait_for_request().await;
    assert_eq!(system.count("cleanup").await, 0, "no D3 while the writer may write");
    worker.service.cont();
    assert_eq!(deleting.await.unwrap().status, 200);
    let _cleanup_worker = system.cleanup_worker().await;
    system.wait_for_cleanups(1).await;
    system.assert_gone(&sync).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn del_2_a_run_that_races_a_delete_leaves_no_job_and_no_data() {
    let system = System::new(&fast_times()).await;
    let gateway = system.gateway().await;
    let (_sync_worker, _cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let mut syncs = Vec::new();
    for seed in 0..8 {
        let connection = api.create_stub(&collection, 20, seed).await;
        let (id, sync) = ids_of(&connection);
        system.wait_for_job(api, &id, "completed").await;
        let (run_path, path) = (format!("/source-connections/{id}/run"), format!("/source-connections/{id}"));
        let (run, deleted) = tokio::join!(api.post(&run_path, json!({})), api.delete(&path));
        assert!([200, 404, 409].contains(&run.status), "{} {}", run.status, run.body);
        assert_eq!(deleted.status, 200, "{}", deleted.body);
        syncs.push(sync);
    }
    assert_eq!(system.count("sync_job").await, 0);
    system.wait_for_cleanups(8).await;
    for sync in syncs {
        system.assert_gone(&sync).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn del_3_a_search_during_the_wait_finds_nothing_of_the_connection() {
    let system = System::new(&fast_times()).await;
    system.rest.may_leave(Leftover::OF_CLEANUPS);
    let gateway = system.gateway().await;
    let worker = system.sync_worker().await;
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let (spared, deleted) =
        (api.create_stub(&collection, 30, 1).await, api.create_timed(&collection, 5000, 120.0).await);
    system.wait_for_job(api, &id_of(&spared), "completed").await;
    let (id, sync) = ids_of(&deleted);
    system.wait_until_writing(api, &id, &sync).await;
    let sync_of = |hit: &Value| hit["airweave_system_metadata"]["sync_id"].as_str().unwrap().to_owned();
    let hits = api.search(&collection, "timed entity project container stub").await;
    assert!(hits.iter().any(|hit| sync_of(hit) == sync), "the data is found before: {hits:?}");
    system.expects.fault(Fault::ProcessLost);
    worker.service.stop();
    let deleting = tokio::spawn({
        let (api, id) = (api.clone(), id.clone());
        async move { api.delete(&format!("/source-connections/{id}")).await }
    });
    system.wait_for_request().await;
    let hits = api.search(&collection, "timed entity project container stub").await;
    assert!(!deleting.is_finished(), "DELETE still waits");
    let found: Vec<SyncId> = hits.iter().map(|hit| sync_of(hit).parse().unwrap()).collect();
    let live = BTreeSet::from([ids_of(&spared).1.parse().unwrap()]);
    Invisible { live: &live, hits: &found }.check().unwrap();
    assert!(!hits.is_empty(), "the other connection is still found");
    assert!(system.holdings(&sync).await.documents > 0, "Vespa still has it");
    for path in ["", "/jobs"] {
        assert_eq!(api.get(&format!("/source-connections/{id}{path}")).await.status, 404);
    }
    assert_eq!(api.post(&format!("/source-connections/{id}/run"), json!({})).await.status, 409);
    let listed = api.get("/source-connections").await.ok();
    assert!(!listed.to_string().contains(&id));
    assert_eq!(deleting.await.unwrap().status, 200);
    worker.service.cont();
}

#[tokio::test(flavor = "multi_thread")]
async fn del_6_two_deletes_and_the_finisher_at_once_make_one_cleanup_one_200_and_one_404() {
    let mut times = fast_times();
    times.retain(|(name, _)| !name.starts_with("FINISHER"));
    // The finisher helps from the first moment on.
    times.extend([("FINISHER_INTERVAL", "50ms"), ("FINISHER_AGE", "0s")]);
    let system = System::new(&times).await;
    system.rest.may_leave(Leftover::OF_CLEANUPS);
    system.expects.event("finished a deletion that nobody waited for");
    let (one, two) = (system.gateway().await, system.gateway().await);
    let _worker = system.sync_worker().await;
    let api = &one.api;
    let collection = api.create_collection().await;
    for round in 0..3 {
        let connection = api.create_timed(&collection, 5000, 120.0).await;
        let (id, sync) = ids_of(&connection);
        system.wait_until_writing(api, &id, &sync).await;
        let path = format!("/source-connections/{id}");
        let (first, second) = tokio::join!(one.api.delete(&path), two.api.delete(&path));
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404], "round {round}");
        let owners = statuses.iter().filter(|status| **status == 200).count().try_into().unwrap();
        let cleanups = system.count(&format!("cleanup WHERE sync_id = '{sync}'")).await.try_into().unwrap();
        assert_eq!(cleanups, 1);
        Idempotent { owners, cleanups, receipts: 0, ends: 0 }.check().unwrap();
        let bells = format!(
            "outbox WHERE message->>'type' = 'CleanupRequested'
             AND message->>'cleanup_id' = (SELECT id::text FROM cleanup WHERE sync_id = '{sync}')"
        );
        assert_eq!(system.count(&bells).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn del_9_another_organizations_key_sees_and_deletes_nothing() {
    let system = System::new(&fast_times()).await;
    system.rest.may_leave(Leftover::OF_CLEANUPS);
    let gateway = system.gateway().await;
    let _worker = system.sync_worker().await;
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let connection = api.create_timed(&collection, 5000, 60.0).await;
    let (id, sync) = ids_of(&connection);
    system.wait_until_writing(api, &id, &sync).await;
    let stranger = system.second_organization(&gateway).await;
    let job = id_of(&api.last_job(&id).await);
    assert_eq!(stranger.get(&format!("/source-connections/{id}")).await.status, 404);
    assert_eq!(stranger.delete(&format!("/source-connections/{id}")).await.status, 404);
    assert_eq!(stranger.delete(&format!("/collections/{collection}")).await.status, 404);
    assert_eq!(stranger.post(&format!("/source-connections/{id}/run"), json!({})).await.status, 404);
    let cancel = format!("/source-connections/{id}/jobs/{job}/cancel");
    assert_eq!(stranger.post(&cancel, json!({})).await.status, 404);
    let search = stranger.post(&format!("/collections/{collection}/search/instant"), json!({"query": "timed"})).await;
    assert_eq!(search.status, 404);
    assert_eq!(api.last_job(&id).await["status"], "running", "nobody else stops it");
    let deleted = api.delete(&format!("/source-connections/{id}")).await;
    let cleanup = deleted.headers["x-cleanup-id"].to_str().unwrap();
    assert_eq!(stranger.get(&format!("/cleanups/{cleanup}")).await.status, 404);
    assert_eq!(stranger.get(&format!("/cleanups/{cleanup}/receipt")).await.status, 404);
    assert_eq!(api.get(&format!("/cleanups/{cleanup}")).await.status, 200);
}
