//! The contract's smaller rules, as tables: what is accepted, what it does, and what is refused with which words.

use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Gateway, stub_body, text};

const NO_CHANGE: &str = "Value error, At least one field must be provided for update";
const NOT_DIRECT: &str = "Value error, Direct auth can only be updated with authentication";

#[tokio::test]
async fn a_new_connection_runs_at_once_unless_told_otherwise() {
    let gateway = Gateway::start().await;
    let collection = gateway.api.collection().await;
    for (given, runs) in
        [(None, true), (Some(Value::Null), true), (Some(json!(true)), true), (Some(json!(false)), false)]
    {
        let mut body = stub_body(&collection, json!({"redirect_url": "https://example.com", "colour": "red"}));
        body.as_object_mut().unwrap().remove("sync_immediately");
        if let Some(given) = given.clone() {
            body["sync_immediately"] = given;
        }
        let made = gateway.api.post("/source-connections", body).await.ok();
        assert_eq!(made["sync"].is_object(), runs, "{given:?}");
        assert_eq!((&made["status"], made["sync_id"].is_string()), (&json!("active"), true));
        if runs {
            assert_eq!(made["sync"]["last_job"]["status"], "pending");
        }
    }
    let text = stub_body(&collection, json!({"sync_immediately": "perhaps"}));
    gateway
        .api
        .post("/source-connections", text)
        .await
        .faults("body.sync_immediately", "Input should be a valid boolean, unable to interpret input");
}

#[tokio::test]
async fn the_fields_of_a_new_connection_have_bounds() {
    let gateway = Gateway::start().await;
    let collection = gateway.api.collection().await;
    for (given, place, msg) in [
        (json!({"name": "abc"}), "body.name", "String should have at least 4 characters"),
        (json!({"name": "n".repeat(43)}), "body.name", "String should have at most 42 characters"),
        (json!({"description": "d".repeat(256)}), "body.description", "String should have at most 255 characters"),
        (json!({"config": []}), "body.config", "Input should be a valid dictionary"),
        (json!({"schedule": "daily"}), "body.schedule", "Input should be a valid dictionary"),
        (
            json!({"schedule": {"continuous": 7}}),
            "body.schedule.continuous",
            "Input should be a valid boolean, unable to interpret input",
        ),
        (json!({"short_name": null}), "body.short_name", "Input should be a valid string"),
        (json!({"readable_collection_id": 7}), "body.readable_collection_id", "Input should be a valid string"),
    ] {
        gateway.api.post("/source-connections", stub_body(&collection, given)).await.faults(place, msg);
    }
    for given in [json!({"name": "n".repeat(42)}), json!({"description": "d".repeat(255)}), json!({"config": null})] {
        gateway.api.stub(&collection, given).await;
    }
}

#[tokio::test]
async fn a_patch_changes_what_it_may_and_refuses_the_rest() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let more = json!({"name": "Before", "description": "Before", "config": {"entity_count": 20}, "schedule": {"cron": "0 3 * * *"}});
    let made = api.stub(&collection, more).await;
    let path = format!("/source-connections/{}", text(&made, "id"));
    for (body, place, msg) in [
        (json!({}), "body", NO_CHANGE),
        (json!({"colour": "red", "short_name": "timed"}), "body", NO_CHANGE),
        (json!({"authentication": {"access_token": "t"}}), "body", NOT_DIRECT),
        (json!({"authentication": {"provider_readable_id": "p"}}), "body", NOT_DIRECT),
        (json!({"authentication": {}}), "body", NOT_DIRECT),
        (
            json!({"authentication": {"credentials": {}}}),
            "body.authentication.credentials",
            "Value error, Credentials cannot be empty",
        ),
        (json!({"name": "abc"}), "body.name", "String should have at least 4 characters"),
        (json!({"description": "d".repeat(256)}), "body.description", "String should have at most 255 characters"),
        (json!([]), "body", "Input should be a valid dictionary or object to extract fields from"),
    ] {
        api.patch(&path, body).await.faults(place, msg);
    }
    api.send(Method::PATCH, &path, None).await.faults("body", "Field required");
    let wrong = json!({"authentication": {"credentials": {"stub_key": 7}}});
    api.patch(&path, wrong).await.refuses(422, "Invalid auth fields: stub_key: Input should be a valid string");
    assert_eq!(api.get(&path).await.ok(), made, "nothing of that has changed anything");

    for (body, field, expected) in [
        (json!({"name": null}), "name", json!("Before")),
        (json!({"authentication": null}), "name", json!("Before")),
        (json!({"description": null}), "description", Value::Null),
        (json!({"description": ""}), "description", json!("")),
        (json!({"name": "After", "colour": "red"}), "name", json!("After")),
    ] {
        assert_eq!(api.patch(&path, body.clone()).await.ok()[field], expected, "{body}");
    }
    for (config, seed) in [(json!({"seed": 7}), 7), (Value::Null, 7), (json!({}), 42)] {
        let changed = api.patch(&path, json!({"config": config})).await.ok();
        assert_eq!((&changed["config"]["seed"], &changed["config"]["entity_count"]), (&json!(seed), &json!(10)));
    }
    assert_eq!(api.get(&path).await.ok()["schedule"]["cron"], "0 3 * * *");
    for none in [Value::Null, json!({"cron": null}), json!({})] {
        api.patch(&path, json!({"schedule": {"cron": "0 4 * * *"}})).await.ok();
        assert!(api.patch(&path, json!({"schedule": none})).await.ok()["schedule"].is_null(), "{none}");
    }
    let credentials = json!({"authentication": {"type": "direct", "credentials": {"stub_key": "other"}}});
    assert_eq!(api.patch(&path, credentials).await.ok()["auth"]["authenticated"], true);
    assert_eq!(gateway.database.count("SELECT count(*) FROM sync_job").await, 0, "a change starts no sync");
}

#[tokio::test]
async fn a_run_is_forced_in_the_query_the_body_or_not_at_all() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    for (query, body, forced) in [
        ("", None, false),
        ("", Some(Value::Null), false),
        ("", Some(json!({"force_full_sync": null})), false),
        ("?force_full_sync=false", Some(json!({"force_full_sync": true})), false),
        ("?force_full_sync=1", None, true),
        ("", Some(json!({"force_full_sync": "true", "colour": "red"})), true),
    ] {
        let id = text(&api.stub(&collection, json!({})).await, "id");
        let path = format!("/source-connections/{id}/run{query}");
        let job = api.send(Method::POST, &path, body.clone()).await.ok();
        let count = format!("SELECT count(*) FROM sync_job WHERE id = '{}' AND force_full_sync", text(&job, "id"));
        assert_eq!(gateway.database.count(&count).await, i64::from(forced), "{query} {body:?}");
    }
    let unknown = "/source-connections/0f0e0d0c-0b0a-4908-8706-050403020100/run";
    api.post(unknown, json!({})).await.refuses(404, "SourceConnection not found");
}

#[tokio::test]
async fn runs_and_entities_are_counted_as_they_are() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let made = api.stub(&collection, json!({})).await;
    let path = format!("/source-connections/{}", text(&made, "id"));
    for status in ["completed", "failed", "cancelled", "completed"] {
        api.post(&format!("{path}/run"), json!({})).await.ok();
        gateway
            .database
            .arrange(&format!(
                "UPDATE sync_job SET status = '{status}', job_end = 'acknowledged', completed_at = clock_timestamp()
                 WHERE status = 'pending'"
            ))
            .await;
    }
    gateway
        .database
        .arrange(
            "INSERT INTO entity_count (sync_id, entity_class, entities, documents, files, last_updated_at)
             SELECT id, 'SmallStubEntity', 3, 3, 0, '2026-01-04T00:00:00Z' FROM sync;
             INSERT INTO entity_count (sync_id, entity_class, entities, documents, files, last_updated_at)
             SELECT id, 'GoneEntity', 0, 0, 0, '2026-01-05T00:00:00Z' FROM sync",
        )
        .await;
    let shown = api.get(&path).await.ok();
    let sync = &shown["sync"];
    assert_eq!(
        (&sync["total_runs"], &sync["successful_runs"], &sync["failed_runs"]),
        (&json!(4), &json!(2), &json!(1))
    );
    let by_type = json!({"SmallStubEntity": {"count": 3, "last_updated": "2026-01-04T00:00:00Z"}});
    assert_eq!(shown["entities"], json!({"total_entities": 3, "by_type": by_type}));
}

#[tokio::test]
async fn times_are_in_utc_and_ids_in_lower_case() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let made = api.stub(&collection, json!({"sync_immediately": true})).await;
    let id = text(&made, "id");
    let upper = api.get(&format!("/source-connections/{}", id.to_uppercase())).await.ok();
    assert_eq!(upper["id"], made["id"]);
    let deleted = text(&api.stub(&collection, json!({})).await, "id");
    api.delete(&format!("/source-connections/{deleted}")).await.ok();
    for path in [
        "/collections".to_owned(),
        "/api-keys".to_owned(),
        "/cleanups".to_owned(),
        "/source-connections".to_owned(),
        format!("/source-connections/{id}"),
        format!("/source-connections/{id}/jobs"),
    ] {
        check_forms(&path, &api.get(&path).await.ok());
    }
}

/// Checks every time and id below `value`.
fn check_forms(at: &str, value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| check_forms(at, item)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let at = format!("{at}.{name}");
                let is_time = name.ends_with("_at") || name.ends_with("_date") || name == "next_run";
                match value.as_str() {
                    Some(text) if is_time => {
                        assert!(text.ends_with('Z') && text.as_bytes()[10] == b'T', "{at}: {text}")
                    }
                    Some(text) if name == "id" || (name.ends_with("_id") && !name.starts_with("readable")) => {
                        assert_eq!((text.len(), text), (36, text.to_lowercase().as_str()), "{at}");
                    }
                    Some(_) => {}
                    None => check_forms(&at, value),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn a_slash_at_the_end_changes_no_answer_whatever_it_is() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let connection = "/source-connections/0f0e0d0c-0b0a-4908-8706-050403020100";
    let job = format!("{connection}/jobs/0f0e0d0c-0b0a-4908-8706-050403020100/cancel");
    for (method, path, status) in [
        (Method::GET, "/health", 200),
        (Method::GET, "/health/ready", 200),
        (Method::GET, "/sources", 200),
        (Method::GET, "/sources/nonsense", 404),
        (Method::GET, "/api-keys", 200),
        (Method::DELETE, "/api-keys", 422),
        (Method::GET, "/collections/count", 200),
        (Method::DELETE, "/collections/nonsense", 404),
        (Method::GET, "/collections/nonsense/source-connections", 404),
        (Method::POST, "/source-connections", 422),
        (Method::PUT, "/source-connections", 405),
        (Method::PATCH, connection, 422),
        (Method::GET, &format!("{connection}/jobs"), 404),
        (Method::GET, &format!("{connection}/sync-id"), 404),
        (Method::POST, &format!("{connection}/run"), 404),
        (Method::POST, &job, 404),
        (Method::GET, "/nonsense", 404),
    ] {
        let without = api.send(method.clone(), path, None).await;
        let with = api.send(method.clone(), &format!("{path}/"), None).await;
        assert_eq!((without.status.as_u16(), with.status.as_u16()), (status, status), "{method} {path}");
        if !path.starts_with("/health") {
            assert_eq!(without.text, with.text, "{method} {path}");
        }
    }
}
