//! Keys, organizations, and what a request needs to get in.

use reqwest::Method;
use serde_json::json;
use test_support::TestDatabase;

use crate::gateway::{Gateway, KEY, answer, text};

#[tokio::test]
async fn a_request_needs_a_valid_key() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let ask = |name: &'static str, value: &str| answer(api.request(Method::GET, "/collections").header(name, value));
    answer(api.request(Method::GET, "/collections")).await.refuses(401, "No valid authentication provided");
    ask("authorization", "Basic abc").await.refuses(401, "No valid authentication provided");
    ask("x-api-key", "nonsense").await.refuses(403, "Invalid or expired API key");
    ask("authorization", "Bearer nonsense").await.refuses(403, "Invalid or expired API key");
    assert_eq!(ask("x-api-key", KEY).await.status, 200);
    assert_eq!(ask("X-API-KEY", KEY).await.status, 200);
    assert_eq!(ask("authorization", &format!("Bearer {KEY}")).await.status, 200);
    gateway.database.execute("UPDATE api_key SET expires_at = clock_timestamp()").await;
    ask("x-api-key", KEY).await.refuses(403, "Invalid or expired API key");
}

#[tokio::test]
async fn the_organization_header_must_name_the_keys_organization() {
    let gateway = Gateway::start().await;
    let ask = |organization: String| {
        let request = gateway.api.request(Method::GET, "/collections").header("x-api-key", KEY);
        answer(request.header("X-Organization-ID", organization))
    };
    let key = gateway.api.get("/api-keys").await.ok()[0].clone();
    assert_eq!(ask(text(&key, "organization_id")).await.status, 200);
    let other = "0f0e0d0c-0b0a-4908-8706-050403020100";
    let refused = format!("API key does not have access to organization {other}");
    ask(other.to_owned()).await.refuses(403, &refused);
    assert_eq!(ask("nonsense".to_owned()).await.status, 422);
}

#[tokio::test]
async fn a_key_is_shown_once_and_stored_as_a_hash() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let made = api.post("/api-keys", json!({"expiration_days": 1})).await.ok();
    let (id, key) = (text(&made, "id"), text(&made, "decrypted_key"));
    assert_eq!(key.len(), 43);
    let shown = api.get(&format!("/api-keys/{id}")).await.ok();
    assert!(shown["decrypted_key"].is_null() && shown["expiration_date"].is_string());
    let listed = api.get("/api-keys").await.ok();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[0]["id"], made["id"], "newest first");
    let plain = format!("SELECT count(*) FROM api_key k WHERE k::text LIKE '%{key}%'");
    assert_eq!(gateway.database.count(&plain).await, 0);

    let other = api.with_key(&key);
    assert_eq!(other.get("/sources").await.status, 200);
    let rotated = api.post(&format!("/api-keys/{id}/rotate"), json!({})).await.ok();
    other.get("/sources").await.refuses(403, "Invalid or expired API key");
    let other = api.with_key(&text(&rotated, "decrypted_key"));
    assert_eq!(other.get("/sources").await.status, 200);
    assert_eq!(api.delete(&format!("/api-keys?id={id}")).await.ok()["id"], made["id"]);
    other.get("/sources").await.refuses(403, "Invalid or expired API key");
    api.delete(&format!("/api-keys/{id}")).await.refuses(404, "API key not found");
    api.post("/api-keys", json!({"expiration_days": 366}))
        .await
        .faults("body.expiration_days", "Input should be less than or equal to 365");
}

#[tokio::test]
async fn the_use_of_a_key_is_recorded() {
    let gateway = Gateway::start().await;
    gateway.api.get("/sources").await.ok();
    let used = "SELECT count(*) FROM api_key WHERE last_used_at IS NOT NULL";
    test_support::wait_until("the use is recorded", crate::gateway::START, async || {
        gateway.database.count(used).await == 1
    })
    .await;
}

#[tokio::test]
async fn several_gateways_make_one_first_organization_and_restarts_none() {
    let first = Gateway::start_with(&[("INITIAL_API_KEY", "")]).await;
    first.service.expects.event("made the first organization; this is its API key, shown only this once");
    let made = first.service.log().lines().find(|line| line.contains("api_key")).map(str::to_owned).unwrap();
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let api = first.api.with_key(&text(&made, "api_key"));
    assert_eq!(api.get("/sources").await.status, 200);

    let Gateway { database, service, .. } = first;
    drop(service);
    let again = Gateway::start_on(database, &[("INITIAL_API_KEY", "")]).await;
    assert!(!again.service.log().contains("api_key"), "shown once");
    assert_eq!(again.database.count("SELECT count(*) FROM organization").await, 1);

    let database = TestDatabase::create().await;
    let mut gateways: Vec<_> = (0..3).map(|_| crate::gateway::spawn(&database, &[])).collect();
    for gateway in &mut gateways {
        crate::gateway::addresses(gateway).await;
    }
    assert_eq!(database.count("SELECT count(*) FROM organization").await, 1);
    assert_eq!(database.count("SELECT count(*) FROM api_key").await, 1);
}

#[tokio::test]
async fn without_authentication_requests_act_for_the_first_organization() {
    let gateway = Gateway::start_with(&[("AUTH_ENABLED", "false")]).await;
    gateway.other_organization().await;
    let made = answer(gateway.api.request(Method::POST, "/collections").json(&json!({"name": "Without key"}))).await;
    let key = gateway.api.get("/api-keys").await.ok()[0].clone();
    assert_eq!(made.ok()["organization_id"], key["organization_id"]);
}
