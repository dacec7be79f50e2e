//! Search: forms, and DEL-3 against a Vespa that knows more than PostgreSQL.

use std::sync::Arc;

use actix_web::{App, HttpResponse, HttpServer, web};
use parking_lot::Mutex;
use serde_json::{Value, json};
use shared_models::Invariant;
use test_support::TestDatabase;

use crate::gateway::{Gateway, text};

#[tokio::test]
async fn without_a_live_sync_nothing_is_asked_and_nothing_found() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let path = format!("/collections/{collection}/search/instant");
    let query = json!({"query": "word", "retrieval_strategy": "hybrid"});
    // Vespa is nowhere, so an answer shows that it wasn't asked.
    let found = api.post(&path, query.clone()).await;
    assert_eq!(found.headers["x-retrieval-strategy"], "keyword");
    assert_eq!(found.headers["x-search-incomplete"], "strategy", "hybrid was asked for");
    assert_eq!(found.ok(), json!({"results": []}));
    api.stub(&collection, json!({})).await;
    let refused = api.post(&path, query.clone()).await;
    refused.refuses(503, "Search is temporarily unavailable");
    assert!(refused.headers.contains_key("retry-after"));
    gateway.request_deletion("source_connection").await;
    assert_eq!(api.post(&path, query).await.ok(), json!({"results": []}));
}

#[tokio::test]
async fn each_form_of_search_has_its_own_words() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let query = json!({"query": "word"});
    for form in ["instant", "classic", "agentic"] {
        let path = format!("/collections/unknown/search/{form}");
        api.post(&path, query.clone()).await.refuses(404, "Collection 'unknown' not found");
    }
    api.post("/collections/unknown/search", query.clone()).await.refuses(404, "Collection 'unknown' not found.");
    api.get("/collections/unknown/search?query=word").await.refuses(404, "Collection 'unknown' not found.");
    let path = format!("/collections/{collection}/search");
    assert_eq!(api.post(&format!("{path}/classic"), query.clone()).await.ok(), json!({"results": []}));
    let older = api.post(&path, query.clone()).await.ok();
    assert_eq!((&older["results"], &older["completion"]), (&json!([]), &Value::Null));
    assert_eq!(api.get(&format!("{path}?query=word")).await.ok()["results"], json!([]));
    api.post(&format!("{path}/agentic"), query)
        .await
        .refuses(503, "Agentic search needs a language model, and none is configured");
    let instant = format!("{path}/instant");
    api.post(&instant, json!({"query": " "})).await.faults("body.query", "Value error, Query cannot be empty");
    api.post(&instant, json!({"query": "q", "limit": 1001}))
        .await
        .faults("body.limit", "Input should be less than or equal to 1000");
    let filter = json!([{"conditions": [{"field": "name", "operator": "equals", "value": "x"}]}]);
    assert_eq!(api.post(&instant, json!({"query": "q", "filter": filter})).await.ok(), json!({"results": []}));
    api.post(&instant, json!({"query": "q", "filter": {"must": []}}))
        .await
        .faults("body.filter", "Input should be a valid list");
    api.post(&format!("{path}/agentic"), json!({"query": " "}))
        .await
        .faults("body.query", "Value error, Query cannot be empty");
    assert_eq!(api.post(&instant, json!({"query": "q", "filter": null})).await.status, 200);
}

/// A Vespa that answers every search with one document of each sync that it knows; before that it deletes a connection.
/// It remembers what it was asked.
async fn vespa_that_is_overtaken(database: Arc<TestDatabase>, asked: Arc<Mutex<Vec<Value>>>) -> String {
    let server = HttpServer::new(move || {
        let (database, asked) = (Arc::clone(&database), Arc::clone(&asked));
        let search = move |query: web::Json<Value>| {
            let (database, asked) = (Arc::clone(&database), Arc::clone(&asked));
            async move {
                asked.lock().push(query.into_inner());
                let gone = format!("{} WHERE name = 'Gone soon'", crate::gateway::deletion_requested("source_connection"));
                database.execute(&gone).await;
                let rows = database.client().await.query("SELECT id::text FROM sync", &[]).await.unwrap();
                let hits: Vec<Value> = rows.iter().map(|row| hit(row.get(0))).collect();
                HttpResponse::Ok().json(json!({"root": {
                    "fields": {"totalCount": hits.len()},
                    "coverage": {"coverage": 100, "documents": 3, "full": true, "nodes": 1, "results": 5, "resultsFull": 5},
                    "children": hits,
                }}))
            }
        };
        App::new().route("/search/", web::post().to(search))
    })
    .workers(1)
    .disable_signals()
    .bind_auto_h2c("127.0.0.1:0")
    .unwrap();
    let url = format!("http://{}", server.addrs()[0]);
    actix_web::rt::spawn(server.run());
    url
}

fn hit(sync: &str) -> Value {
    let nil = "00000000-0000-0000-0000-000000000000";
    json!({
        "id": "index:airweave/0/1", "relevance": 1.5, "source": "airweave",
        "fields": {
            "documentid": format!("id:airweave:base_entity::{sync}.0f0e0d0c0b0a49088706050403020100.0"),
            "sddocname": "base_entity",
            "entity_id": "e1", "name": "Entity", "textual_representation": "word", "payload": "{\"a\": 1}",
            "created_at": 1_790_000_000, "web_url": "https://example.org/e1",
            "breadcrumbs": [{"entity_id": "c", "name": "Container", "entity_type": "ContainerEntity"}],
            "airweave_system_metadata_sync_id": sync,
            "airweave_system_metadata_sync_job_id": nil,
            "airweave_system_metadata_collection_id": nil,
            "airweave_system_metadata_original_entity_id": "e1",
            "airweave_system_metadata_entity_type": "StubEntity",
            "airweave_system_metadata_source_name": "stub",
            "airweave_system_metadata_chunk_index": 0,
        },
    })
}

#[test]
fn del_3_hits_of_syncs_that_are_not_live_any_more_are_dropped() {
    // Actix for the server, tokio for the rest: one runtime that has both.
    actix_web::rt::System::new().block_on(async {
        let database = Arc::new(TestDatabase::create().await);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let url = vespa_that_is_overtaken(Arc::clone(&database), Arc::clone(&asked)).await;
        let mut service = crate::gateway::spawn(&database, &[("VESPA_URL", &url)]);
        let (url, admin) = crate::gateway::addresses(&mut service).await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let api = crate::gateway::Api { http, url, key: crate::gateway::KEY.to_owned() };
        let (collection, elsewhere) = (api.collection().await, api.collection().await);
        let stays = api.stub(&collection, json!({"name": "Stays"})).await;
        api.stub(&collection, json!({"name": "Gone soon"})).await;
        for _ in 0..20 {
            api.stub(&elsewhere, json!({"name": "Elsewhere"})).await;
        }

        let path = format!("/collections/{collection}/search");
        let found = api.post(&format!("{path}/instant"), json!({"query": "word"})).await.ok();
        let results = found["results"].as_array().unwrap();
        assert_eq!(results.len(), 1, "neither what was deleted meanwhile nor what wasn't asked for: {found}");
        // What wasn't asked for is a fault of Vespa's or ours; what was deleted meanwhile is none.
        service.expects.violation(Invariant::Invisible);
        let metrics = reqwest::get(format!("{admin}/metrics")).await.unwrap().text().await.unwrap();
        assert!(metrics.contains("unweave_invariant_violations_total{invariant=\"DEL-3\"} 1\n"), "{metrics}");
        assert!(service.log().contains("20 of 22 hits are of syncs that aren't live"), "{}", service.tail());
        let yql = text(&asked.lock()[0], "yql");
        assert_eq!(yql.matches('-').count(), 2 * 4, "two syncs are asked for, those of the collection: {yql}");
        assert!(yql.contains(&text(&stays, "sync_id")), "{yql}");
        let hit = &results[0];
        assert_eq!(hit["airweave_system_metadata"]["sync_id"], stays["sync_id"]);
        assert_eq!(
            (hit["relevance_score"].as_f64(), hit["created_at"].as_str()),
            (Some(1.5), Some("2026-09-21T14:13:20Z"))
        );
        assert_eq!(hit["raw_source_fields"], json!({"a": 1}));
        assert_eq!(hit["breadcrumbs"][0]["name"], "Container");

        let older = api.post(&path, json!({"query": "word", "source_connection_ids": [text(&stays, "id")]})).await.ok();
        assert_eq!(older["results"][0]["system_metadata"]["sync_id"], stays["sync_id"]);
        let none = json!({"query": "word", "source_connection_ids": ["0f0e0d0c-0b0a-4908-8706-050403020100"]});
        assert_eq!(api.post(&path, none).await.ok()["results"], json!([]));
    });
}
