//! DEL-4: a purge removes only what carries the deleted sync's id.

use serde_json::json;
use shared_models::Facts as _;
use shared_models::invariant::facts::Exact;
use system_tests::{
    System,
    api::{id_of, ids_of},
    fast_times, write_file,
};

#[tokio::test(flavor = "multi_thread")]
async fn del_4_other_connections_keep_every_document_blob_and_row() {
    let system = System::new(&fast_times()).await;
    for file in 0..40 {
        write_file(system.files.path(), &format!("folder/file-{file}.txt"), &format!("file number {file}"));
    }
    let gateway = system.gateway().await;
    let (_sync_worker, _cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let api = &gateway.api;
    let collection = api.create_collection().await;
    // The same files through two connections: only the sync id tells them apart.
    let mut twins = Vec::new();
    for _ in 0..2 {
        let twin = api.create_connection(&collection, "files", json!({"root": "test"}), json!({})).await;
        system.wait_for_job(api, &id_of(&twin), "completed").await;
        twins.push(ids_of(&twin));
    }
    let [(deleted, deleted_sync), (spared, spared_sync)] = &twins[..] else { panic!() };
    let rows = async || {
        let query = "SELECT md5(string_agg(e::text, ',' ORDER BY entity_key)) FROM entity e WHERE sync_id::text = $1";
        system.sql().await.query_one(query, &[spared_sync]).await.unwrap().get::<_, Option<String>>(0)
    };
    let (before, rows_before) = (system.holdings(spared_sync).await, rows().await);
    assert!(before.documents >= 40 && before.blobs >= 40, "{before:?}");
    assert_eq!(api.delete(&format!("/source-connections/{deleted}")).await.status, 200);
    system.wait_for_cleanups(1).await;
    system.assert_gone(deleted_sync).await;
    let after = system.holdings(spared_sync).await;
    let missing = before.documents.saturating_sub(after.documents) + before.blobs.saturating_sub(after.blobs);
    Exact { is_live: true, is_purged: false, missing }.check().unwrap();
    assert_eq!(after, before, "nor is anything else about it");
    assert_eq!(rows().await, rows_before);
    assert_eq!(api.search(&collection, "number").await.len(), 40);

    // And what is spared is still in step with its source: nothing to do.
    assert_eq!(api.post(&format!("/source-connections/{spared}/run"), json!({})).await.status, 200);
    system.wait_for_job(api, spared, "completed").await;
    let job = api.last_job(spared).await;
    assert_eq!((&job["entities_inserted"], &job["entities_updated"]), (&json!(0), &json!(0)));
}
