//! Source connections: create, show, list, change.

use serde_json::{Value, json};

use crate::gateway::{Gateway, field_order, stub_body, text};

const FULL: [&str; 20] = [
    "id",
    "organization_id",
    "name",
    "description",
    "short_name",
    "readable_collection_id",
    "status",
    "created_at",
    "modified_at",
    "auth",
    "config",
    "schedule",
    "sync",
    "sync_id",
    "entities",
    "error_category",
    "error_message",
    "provider_settings_url",
    "provider_short_name",
    "federated_search",
];

#[tokio::test]
async fn the_full_object_has_the_contracts_fields_in_order() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let made = api.post("/source-connections", stub_body(&collection, json!({"sync_immediately": true}))).await;
    assert_eq!(field_order(&made.text), FULL);
    let made = made.ok();
    assert_eq!((made["name"].as_str(), made["status"].as_str()), (Some("Stub Connection"), Some("active")));
    assert_eq!(made["config"]["entity_count"], 10, "defaults are filled in");
    assert_eq!(made["sync"]["total_runs"], 1);
    assert_eq!(made["sync"]["last_job"]["status"], "pending");
    assert_eq!(made["auth"]["method"], "direct");
    assert!(made["schedule"]["cron"].as_str().unwrap().ends_with(" * * *"));
    assert!(made["schedule"]["next_run"].as_str().unwrap().ends_with('Z'));
    assert!(made["entities"].is_null() && made["description"].is_null());
    let id = text(&made, "id");
    assert_eq!(api.get(&format!("/source-connections/{id}")).await.ok(), made);
    let sync = api.get(&format!("/source-connections/{id}/sync-id")).await.ok();
    assert_eq!(sync, json!({"sync_id": made["sync_id"]}));
    assert_eq!(gateway.database.count("SELECT count(*) FROM outbox").await, 1);
}

#[tokio::test]
async fn secrets_are_neither_shown_nor_stored_readably() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let credentials = json!({"authentication": {"credentials": {"stub_key": "very-s3cret"}}});
    let made = api.post("/source-connections", stub_body(&collection, credentials)).await;
    assert!(!made.text.contains("very-s3cret"));
    let stored = "SELECT count(*) FROM credential c WHERE encode(ciphertext, 'escape') LIKE '%very-s3cret%'";
    assert_eq!(gateway.database.count(stored).await, 0);
    assert_eq!(gateway.database.count("SELECT count(*) FROM credential").await, 1);
    assert!(!gateway.service.log().contains("very-s3cret"));
}

#[tokio::test]
async fn creation_is_checked_in_the_contracts_order() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    // Everything is wrong; then one thing after the other is mended.
    let mut body = json!({
        "short_name": "nonsense",
        "readable_collection_id": "unknown",
        "authentication": {"access_token": "t"},
        "config": {"entity_count": 0},
        "schedule": {"cron": "nonsense"},
    });
    let create = async |body: &Value| api.post("/source-connections", body.clone()).await;
    let there_are = "files, github, postgresql, s3, timed, stub, incremental_stub, exception_stub";
    create(&body).await.refuses(404, &format!("Source 'nonsense' not found. There are: {there_are}"));
    body["short_name"] = json!("stub");
    let method = "Source stub does not support this authentication method. Supported methods: ['direct']. ";
    for (given, next) in [(json!({"access_token": "t"}), "Send, "), (json!({}), "No authentication was given: ")] {
        body["authentication"] = given;
        let refused = create(&body).await;
        assert!(refused.status == 400 && refused.text.contains(&format!("{method}{next}")), "{refused:?}");
    }
    body["authentication"] = json!({"credentials": {"stub_key": 7}});
    create(&body).await.refuses(422, "Invalid auth fields: stub_key: Input should be a valid string");
    body["authentication"] = json!({"type": "direct", "credentials": {"stub_key": "k"}});
    create(&body).await.refuses(422, "Invalid config fields: entity_count: Input should be greater than or equal to 1");
    body["config"] = json!({"entity_count": 1, "entity_counts": 2});
    create(&body).await.refuses(422, "Invalid config fields: entity_counts: Unknown field, did you mean entity_count?");
    body["config"] = json!({"entity_count": 1});
    create(&body).await.refuses(
        422,
        "Invalid CRON expression: nonsense. Send five fields of a time that comes (minute 0-59, hour 0-23, day of the \
         month 1-31, month 1-12, day of the week 0-7; UTC), for example '0 9 * * 1-5'",
    );
    body["schedule"] = json!({"cron": "*/5 * * * *"});
    create(&body).await.refuses(400, "Source 'stub' does not support continuous syncs. Minimum interval is 1 hour.");
    body["schedule"] = json!({"cron": null});
    create(&body).await.refuses(404, "Collection not found");
    body["readable_collection_id"] = json!(collection);
    let made = create(&body).await.ok();
    assert!(made["schedule"].is_null());
    assert_eq!(gateway.database.count("SELECT count(*) FROM source_connection").await, 1);
}

/// A typo in `include` would index everything; what an older version has stored goes on working.
#[tokio::test]
async fn unknown_keys_of_a_config_are_refused_unless_they_are_stored() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let files = json!({"short_name": "files", "authentication": {"credentials": {"root": "docs"}}});
    let create = async |config: Value| {
        let mut body = stub_body(&collection, files.clone());
        body["config"] = config;
        api.post("/source-connections", body).await
    };
    let refused = create(json!({"includes": ["*.md"], "excludes": [], "colour": null})).await;
    refused.refuses(
        422,
        "Invalid config fields: colour: Unknown field; there are path, include, exclude; \
         excludes: Unknown field, did you mean exclude?; includes: Unknown field, did you mean include?",
    );
    let path = format!("/source-connections/{}", text(&create(json!({"include": ["*.md"]})).await.ok(), "id"));
    let patch = async |config: Value| api.patch(&path, json!({"config": config})).await;
    patch(json!({"includes": []}))
        .await
        .refuses(422, "Invalid config fields: includes: Unknown field, did you mean include?");
    gateway.database.execute("UPDATE source_connection SET config = config || '{\"includes\": [\"*.txt\"]}'").await;
    let mut shown = api.get(&path).await.ok()["config"].clone();
    assert_eq!(shown["includes"], json!(["*.txt"]));
    // A form shows what is stored, changes one field and sends all of it back.
    shown["exclude"] = json!(["a"]);
    let changed = patch(shown).await.ok();
    assert_eq!(changed["config"], json!({"path": null, "include": ["*.md"], "exclude": ["a"]}));
    api.post(&format!("{path}/run"), json!({})).await.ok();
}

#[tokio::test]
async fn a_root_that_is_not_there_is_refused_where_the_gateway_knows_the_names() {
    let create = async |gateway: &Gateway, root: &str| {
        let collection = gateway.api.collection().await;
        let more = json!({"short_name": "files", "config": {}, "authentication": {"credentials": {"root": root}}});
        gateway.api.post("/source-connections", stub_body(&collection, more)).await
    };
    let gateway = Gateway::start_with(&[("FILES_ROOT_NAMES", "docs, wiki")]).await;
    create(&gateway, "docs").await.ok();
    let told = "Validation failed for files: there is no root 'dosc'; there are: docs, wiki";
    create(&gateway, "dosc").await.refuses(400, told);
    let path = format!("/source-connections/{}", text(&create(&gateway, "wiki").await.ok(), "id"));
    let other = json!({"authentication": {"credentials": {"root": "dosc"}}});
    gateway.api.patch(&path, other).await.refuses(400, told);
    create(&Gateway::start().await, "dosc").await.ok();
}

#[tokio::test]
async fn a_path_of_the_files_source_stays_below_its_root() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let create = async |path: &str| {
        let more = json!({
            "short_name": "files",
            "authentication": {"credentials": {"root": "docs"}},
            "config": {"path": path},
        });
        api.post("/source-connections", stub_body(&collection, more)).await
    };
    for path in ["/etc", "../x", "a/../../b"] {
        let refused = create(path).await;
        assert_eq!(refused.status, 422);
        assert!(text(&refused.json(), "detail").starts_with("Invalid config fields: path: "), "{refused:?}");
    }
    assert_eq!(create("guides/de").await.ok()["config"]["path"], "guides/de");
}

#[tokio::test]
async fn lists_are_newest_first_and_narrowed_by_collection() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let (one, two) = (api.collection().await, api.collection().await);
    for (collection, name) in [(&one, "First"), (&two, "Second"), (&one, "Third")] {
        api.stub(collection, json!({"name": name})).await;
    }
    let names = async |path: &str| -> Vec<String> {
        api.get(path).await.ok().as_array().unwrap().iter().map(|item| text(item, "name")).collect()
    };
    assert_eq!(names("/source-connections").await, ["Third", "Second", "First"]);
    assert_eq!(names(&format!("/source-connections?collection={one}")).await, ["Third", "First"]);
    assert_eq!(names("/source-connections?skip=1&limit=1").await, ["Second"]);
    assert_eq!(names("/source-connections?collection=unknown").await, [""; 0]);
    let listed = api.get("/source-connections?limit=1").await;
    let first = &listed.json()[0];
    assert_eq!((first["entity_count"].as_i64(), first["auth_method"].as_str()), (Some(0), Some("direct")));
    let item = listed.text.trim_start_matches('[').trim_end_matches(']');
    assert_eq!(
        field_order(item),
        [
            "id",
            "name",
            "short_name",
            "readable_collection_id",
            "created_at",
            "modified_at",
            "is_authenticated",
            "entity_count",
            "federated_search",
            "auth_method",
            "status",
        ]
    );
}

#[tokio::test]
async fn a_change_touches_what_it_names_and_nothing_else() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let more = json!({"description": "Before", "config": {"entity_count": 20}, "schedule": {"cron": "0 3 * * *"}});
    let made = api.stub(&collection, more).await;
    let path = format!("/source-connections/{}", text(&made, "id"));

    let named = api.patch(&path, json!({"name": "Another name"})).await.ok();
    assert_eq!((named["name"].as_str(), named["description"].as_str()), (Some("Another name"), Some("Before")));
    assert_eq!((&named["config"], &named["schedule"]["cron"]), (&made["config"], &json!("0 3 * * *")));
    let replaced = api.patch(&path, json!({"config": {"seed": 7}, "description": null})).await.ok();
    assert_eq!((replaced["config"]["seed"].as_i64(), replaced["config"]["entity_count"].as_i64()), (Some(7), Some(10)));
    assert!(replaced["description"].is_null());
    assert!(api.patch(&path, json!({"schedule": null})).await.ok()["schedule"].is_null());
    let hourly = json!({"schedule": {"cron": "0 * * * *"}});
    assert_eq!(api.patch(&path, hourly).await.ok()["schedule"]["cron"], "0 * * * *");

    api.patch(&path, json!({"schedule": {"cron": "* * * * *"}})).await.refuses(
        400,
        "Source 'stub' does not support continuous syncs. Minimum schedule interval is 1 hour (e.g., '0 * * * *' \
             for hourly).",
    );
    api.patch(&path, json!({"config": {"entity_count": 0}}))
        .await
        .refuses(422, "Invalid config fields: entity_count: Input should be greater than or equal to 1");
    api.patch(&path, json!({})).await.faults("body", "Value error, At least one field must be provided for update");
    let kept = "CREATE TABLE kept AS SELECT ciphertext FROM credential";
    gateway.database.execute(kept).await;
    api.patch(&path, json!({"authentication": {"credentials": {"stub_key": "other"}}})).await.ok();
    let same = "SELECT count(*) FROM credential JOIN kept USING (ciphertext)";
    assert_eq!(gateway.database.count(same).await, 0);
    assert_eq!(gateway.database.count("SELECT count(*) FROM credential").await, 1);
}

#[tokio::test]
async fn status_follows_the_last_job() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let made = api.stub(&collection, json!({"sync_immediately": true})).await;
    let path = format!("/source-connections/{}", text(&made, "id"));
    let ended = |status: &str, error: &str| {
        format!(
            "UPDATE sync_job SET status = '{status}', job_end = 'acknowledged', started_at = '2026-01-01T00:00:00Z',
             completed_at = '2026-01-01T00:00:02.5Z', {error}"
        )
    };
    gateway.database.arrange(&ended("failed", "error = 'boom'")).await;
    let shown = api.get(&path).await.ok();
    assert_eq!((shown["status"].as_str(), shown["error_message"].as_str()), (Some("error"), Some("boom")));
    assert_eq!(shown["sync"]["failed_runs"], 1);
    assert_eq!(shown["sync"]["last_job"]["duration_seconds"], 2.5);
    gateway.database.execute("UPDATE sync_job SET error_category = 'api_key_invalid'").await;
    assert_eq!(api.get(&path).await.ok()["status"], "needs_reauth");
    assert_eq!(api.get("/source-connections").await.ok()[0]["status"], "needs_reauth");
    gateway.database.arrange(&ended("completed", "error = NULL, error_category = NULL")).await;
    gateway
        .database
        .arrange(
            "INSERT INTO entity (sync_id, entity_key, entity_class, entity_id, document_type, chunk_count, seen_by_job)
             SELECT s.id, decode(lpad(to_hex(n), 32, '0'), 'hex'), CASE WHEN n = 1 THEN 'A' ELSE 'B' END, n::text,
                    'base_entity', 1, gen_random_uuid()
             FROM sync s, generate_series(1, 3) n",
        )
        .await;
    gateway.database.count_entities_anew().await;
    let shown = api.get(&path).await.ok();
    assert_eq!((shown["status"].as_str(), shown["sync"]["successful_runs"].as_i64()), (Some("active"), Some(1)));
    assert_eq!(shown["entities"]["total_entities"], 3);
    assert_eq!(shown["entities"]["by_type"]["B"]["count"], 2);
    assert_eq!(api.get("/source-connections").await.ok()[0]["entity_count"], 3);
}
