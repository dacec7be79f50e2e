//! A deletion as its owner sees it: what would go, how far its removal is, and what the receipt says in the end.

use serde_json::{Value, json};
use system_tests::{Api, System, api::ids_of, fast_times};

/// Reads a cleanup's events to the stream's end: their names, and the data of the last.
async fn watch(api: &Api, cleanup: &str) -> (Vec<String>, Value) {
    let url = format!("{}/cleanups/{cleanup}/events", api.url);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut response = client.get(url).header("x-api-key", &api.key).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let mut text = String::new();
    while let Some(bytes) = response.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    let lines = |field: &'static str| text.lines().filter_map(move |line| line.strip_prefix(field)?.strip_prefix(": "));
    let last = lines("data").next_back().expect("an event");
    (lines("event").map(str::to_owned).collect(), serde_json::from_str(last).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn del_7_what_a_preview_counts_is_what_the_events_and_the_receipt_tell() {
    let system = System::new(&fast_times()).await;
    let gateway = system.gateway().await;
    let _workers = (system.sync_worker().await, system.cleanup_worker().await);
    let api = &gateway.api;
    let collection = api.create_collection().await;
    let (id, sync) = ids_of(&api.create_stub(&collection, 60, 3).await);
    system.wait_for_job(api, &id, "completed").await;
    let stored = system.holdings(&sync).await;
    let path = format!("/source-connections/{id}");
    let preview = api.get(&format!("{path}/deletion-preview")).await.ok();
    assert_eq!(preview["rows"], json!({"jobs": 1, "entities": 60, "credentials": 1}));
    assert_eq!(preview["expected"], json!({"documents": stored.documents, "blobs": stored.blobs}));
    assert!(preview["active_job"].is_null());
    assert_eq!(system.holdings(&sync).await.documents, stored.documents, "nothing has gone by asking");

    let deleted = api.delete(&path).await;
    let cleanup = deleted.headers["x-cleanup-id"].to_str().unwrap().to_owned();
    let (names, last) = watch(api, &cleanup).await;
    let (end, before) = names.split_last().unwrap();
    assert_eq!(end, "done", "{names:?}");
    assert!(!before.is_empty() && before.iter().all(|name| name == "progress"), "{names:?}");
    assert_eq!(last["state"], "done");
    for (target, expected) in [("vespa", &preview["expected"]["documents"]), ("arf", &preview["expected"]["blobs"])] {
        assert_eq!((&last["targets"][target]["found"], &last["targets"][target]["removed"]), (expected, expected));
    }
    let receipt = api.get(last["links"]["receipt"].as_str().unwrap()).await.ok();
    assert_eq!(receipt["receipt"]["targets"]["vespa"]["found"], preview["expected"]["documents"]);
    system.assert_gone(&sync).await;
}
