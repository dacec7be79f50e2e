//! Collections and sources.

use serde_json::json;

use crate::gateway::{Gateway, field_order, text};

#[tokio::test]
async fn a_collection_is_made_shown_changed_and_found() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let made = api.post("/collections", json!({"name": "Finance & Data 2024!"})).await;
    assert_eq!(
        field_order(&made.text),
        [
            "name",
            "readable_id",
            "id",
            "sync_config",
            "created_at",
            "modified_at",
            "organization_id",
            "created_by_email",
            "modified_by_email",
            "status",
            "vector_size",
            "embedding_model_name",
            "source_connection_summaries",
        ]
    );
    let made = made.ok();
    let id = text(&made, "readable_id");
    assert!(id.starts_with("finance-data-2024-") && id.len() == "finance-data-2024-".len() + 6, "{id}");
    assert_eq!(made["status"], "NEEDS SOURCE");
    assert!(text(&made, "created_at").ends_with('Z'));
    assert_eq!(api.get(&format!("/collections/{id}")).await.ok(), made);

    let changed = api.patch(&format!("/collections/{id}"), json!({"name": "Renamed", "sync_config": {"a": 1}})).await;
    let changed = changed.ok();
    assert_eq!((changed["name"].as_str(), &changed["sync_config"]), (Some("Renamed"), &json!({"a": 1})));
    assert_eq!(changed["readable_id"], made["readable_id"]);
    let cleared = api.patch(&format!("/collections/{id}"), json!({"sync_config": null})).await.ok();
    assert!(cleared["sync_config"].is_null() && cleared["name"] == "Renamed");
    for nothing in [json!({}), json!({"name": null}), json!({"colour": "red"})] {
        assert_eq!(api.patch(&format!("/collections/{id}"), nothing).await.ok()["name"], "Renamed");
    }
    api.get("/collections/unknown").await.refuses(404, "Collection not found");
    api.patch("/collections/unknown", json!({"name": "Renamed"})).await.refuses(404, "Collection not found");
}

#[tokio::test]
async fn a_readable_id_is_taken_once() {
    let gateway = Gateway::start().await;
    let body = json!({"name": "Named", "readable_id": "my-own"});
    gateway.api.post("/collections", body.clone()).await.ok();
    let refused = "Collection with readable_id 'my-own' already exists";
    gateway.api.post("/collections", body.clone()).await.refuses(400, refused);
    gateway.other_organization().await.post("/collections", body).await.refuses(400, refused);
}

#[tokio::test]
async fn lists_are_newest_first_and_searched_by_name_or_id() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    for name in ["First 100%", "Second", "Third_x"] {
        api.post("/collections", json!({"name": name})).await.ok();
    }
    let names = async |path: &str| -> Vec<String> {
        api.get(path).await.ok().as_array().unwrap().iter().map(|item| text(item, "name")).collect()
    };
    assert_eq!(names("/collections").await, ["Third_x", "Second", "First 100%"]);
    assert_eq!(names("/collections?skip=1&limit=1").await, ["Second"]);
    assert_eq!(names("/collections?search=SECOND-").await, ["Second"]);
    assert_eq!(names("/collections?search=%25").await, ["First 100%"]);
    assert_eq!(names("/collections?search=d_x").await, ["Third_x"]);
    assert_eq!(api.get("/collections/count").await.ok(), json!(3));
    assert_eq!(api.get("/collections/count?search=ir").await.ok(), json!(2));
}

#[tokio::test]
async fn a_collection_shows_its_connections_and_their_state() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let id = api.collection().await;
    api.stub(&id, json!({"name": "One stub", "sync_immediately": true})).await;
    let shown = api.get(&format!("/collections/{id}")).await.ok();
    assert_eq!(shown["source_connection_summaries"], json!([{"short_name": "stub", "name": "One stub"}]));
    let set = |status: &str| {
        format!(
            "UPDATE sync_job SET status = '{status}', job_end = 'acknowledged', started_at = clock_timestamp(),
             completed_at = clock_timestamp()"
        )
    };
    for (job, expected) in [("completed", "ACTIVE"), ("failed", "ERROR"), ("cancelled", "NEEDS SOURCE")] {
        gateway.database.arrange(&set(job)).await;
        assert_eq!(api.get(&format!("/collections/{id}")).await.ok()["status"], expected);
        assert_eq!(api.get("/collections").await.ok()[0]["status"], expected);
    }
    let listed = api.get(&format!("/collections/{id}/source-connections")).await.ok();
    assert_eq!(listed[0]["name"], "One stub");
    api.get("/collections/unknown/source-connections").await.refuses(404, "Collection not found");
}

#[tokio::test]
async fn sources_for_tests_are_offered_only_when_asked_for() {
    let gateway = Gateway::start_with(&[("ENABLE_INTERNAL_SOURCES", "false")]).await;
    let api = &gateway.api;
    let sources = api.get("/sources").await.ok();
    let names: Vec<String> = sources.as_array().unwrap().iter().map(|source| text(source, "short_name")).collect();
    assert!(names.contains(&"files".to_owned()) && !names.contains(&"stub".to_owned()), "{names:?}");
    for source in sources.as_array().unwrap() {
        let token = source["short_name"] == "github";
        assert_eq!(source["auth_methods"], if token { json!(["direct", "oauth_token"]) } else { json!(["direct"]) });
        assert!(source["supported_auth_providers"].is_array());
    }
    api.get("/sources/stub").await.refuses(404, "Source not found: stub. There are: files, github, postgresql, s3");
    assert_eq!(api.get("/sources/postgresql").await.ok()["short_name"], "postgresql");
    let id = api.collection().await;
    let create = api.post("/source-connections", crate::gateway::stub_body(&id, json!({}))).await;
    create.refuses(404, "Source 'stub' not found. There are: files, github, postgresql, s3");
}

#[tokio::test]
async fn the_settings_of_a_collection_are_bounded() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    // `{"a":""}` are 8 bytes.
    let of_bytes = |bytes: usize| json!({"a": "x".repeat(bytes - 8)});
    let body = |bytes: usize| json!({"name": "Bounded", "sync_config": of_bytes(bytes)});
    let fault = "Value error, sync_config can have at most 16384 bytes as JSON";
    api.post("/collections", body(16_385)).await.faults("body.sync_config", fault);
    let made = api.post("/collections", body(16_384)).await.ok();
    let path = format!("/collections/{}", text(&made, "readable_id"));
    api.patch(&path, body(16_385)).await.faults("body.sync_config", fault);
    assert_eq!(api.patch(&path, body(16_384)).await.ok()["sync_config"], of_bytes(16_384));
}
