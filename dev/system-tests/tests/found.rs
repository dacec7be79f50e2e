//! That a keyword search finds what people type, through the whole system.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use system_tests::api::id_of;
use system_tests::wide::WideRows;
use system_tests::{Api, System, fast_times, write_file};

/// The entities that a keyword search finds.
async fn found(api: &Api, collection: &str, question: &str) -> BTreeSet<String> {
    let hits = api.search(collection, question).await;
    hits.iter().map(|hit| hit["entity_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_is_found_by_what_is_known_of_it() {
    let system = System::new(&fast_times()).await;
    let (gateway, _worker) = (system.gateway().await, system.sync_worker().await);
    let api = &gateway.api;
    let stubs = api.create_collection().await;
    let stub = api.create_stub(&stubs, 10, 42).await;
    system.wait_for_job(api, &id_of(&stub), "completed").await;
    assert_eq!(found(api, &stubs, "stub").await.len(), 10, "by its source");
    assert_eq!(found(api, &stubs, "test content").await.len(), 10, "by the label of its text");

    write_file(system.files.path(), "handbook/travel/main.rs", "fn trips() {}");
    write_file(system.files.path(), "handbook/notes.txt", "nothing of interest");
    let collection = api.create_collection().await;
    let files = api.create_connection(&collection, "files", json!({"root": "test"}), json!({})).await;
    system.wait_for_job(api, &id_of(&files), "completed").await;
    let travel = BTreeSet::from(["handbook/travel/main.rs".to_owned()]);
    for question in ["travel", "main.rs", "rust", "code file entity travel"] {
        let first = api.search(&collection, question).await;
        assert_eq!(first[0]["entity_id"], "handbook/travel/main.rs", "{question}");
    }
    assert_eq!(found(api, &collection, "travel").await, travel, "by its folder");
    assert_eq!(found(api, &collection, "files").await.len(), 2, "by its source");
    assert_eq!(found(api, &collection, "handbook").await.len(), 2);
    let hits = api.search(&collection, "trips").await;
    let text = hits[0]["textual_representation"].as_str().unwrap();
    assert!(text.starts_with("source: files\ntype: CodeFileEntity (code file)\nname: main.rs\n"), "{text}");
    assert!(text.ends_with("content:\nfn trips() {}"), "{text}");

    let rows = WideRows::sync(&system, api, 2).await;
    for (question, what) in [("postgresql", "source"), ("w", "table"), ("postgre sql row", "class")] {
        let hits = api.search(&rows.collection, question).await;
        let is_row = |hit: &&Value| hit["airweave_system_metadata"]["entity_type"] == "PostgreSQLRowEntity";
        let rows: BTreeSet<&str> = hits.iter().filter(is_row).filter_map(|hit| hit["entity_id"].as_str()).collect();
        assert_eq!(rows.len(), 2, "by its {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_inside_chinese_and_japanese_text_are_found() {
    let system = System::new(&fast_times()).await;
    let (gateway, _worker) = (system.gateway().await, system.sync_worker().await);
    let api = &gateway.api;
    write_file(system.files.path(), "zh.txt", "重构比特币是一本好书，亚马逊有售");
    write_file(system.files.path(), "ja.txt", "これは日本語のメモです");
    write_file(system.files.path(), "会議/議事録.txt", "plain");
    let collection = api.create_collection().await;
    let files = api.create_connection(&collection, "files", json!({"root": "test"}), json!({})).await;
    system.wait_for_job(api, &id_of(&files), "completed").await;
    for (question, expected) in [
        ("比特币", "zh.txt"),
        ("书", "zh.txt"),
        ("日本語", "ja.txt"),
        ("メモ", "ja.txt"),
        ("議事録", "会議/議事録.txt"),
    ] {
        assert_eq!(found(api, &collection, question).await, BTreeSet::from([expected.to_owned()]), "{question}");
    }
}
