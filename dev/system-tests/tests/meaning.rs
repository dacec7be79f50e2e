//! Search by meaning through the whole system, and its end with the deletion (DEL-3, DEL-5).

use serde_json::{Value, json};
use system_tests::api::ids_of;
use system_tests::{Api, System, fast_times, write_file};
use test_support::TestEmbedder;

/// The names of what a semantic search finds, the nearest first.
async fn nearest(api: &Api, collection: &str, query: &str) -> Vec<String> {
    let body = json!({"query": query, "retrieval_strategy": "semantic"});
    let answer = api.post(&format!("/collections/{collection}/search/instant"), body).await;
    assert_eq!(answer.headers["x-retrieval-strategy"], "semantic");
    let results: Value = answer.ok()["results"].clone();
    results.as_array().unwrap().iter().map(|hit| hit["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn del_3_what_is_found_by_meaning_is_gone_with_the_connection() {
    let embedder = TestEmbedder::start().await;
    let mut settings: Vec<(&str, &str)> = fast_times();
    settings.extend(embedder.settings());
    let system = System::new(&settings).await;
    let (gateway, _sync, _cleanup) =
        (system.gateway().await, system.sync_worker().await, system.cleanup_worker().await);
    let api = &gateway.api;
    write_file(system.files.path(), "garage.md", "The automobile is being repaired.");
    write_file(system.files.path(), "kitchen.md", "Soup is being cooked.");
    let collection = api.create_collection().await;
    let files = api.create_connection(&collection, "files", json!({"root": "test"}), json!({})).await;
    let stub = api.create_stub(&collection, 5, 7).await;
    let ((files, files_sync), (stub, _)) = (ids_of(&files), ids_of(&stub));
    system.wait_for_job(api, &files, "completed").await;
    system.wait_for_job(api, &stub, "completed").await;
    let found = nearest(api, &collection, "which car, which vehicle?").await;
    assert_eq!(found.first().map(String::as_str), Some("garage.md"));

    assert_eq!(api.delete(&format!("/source-connections/{files}")).await.status, 200);
    let found = nearest(api, &collection, "which car, which vehicle?").await;
    assert!(!found.is_empty() && !found.contains(&"garage.md".to_owned()), "{found:?}");
    system.wait_for_cleanups(1).await;
    system.assert_gone(&files_sync).await;
}
