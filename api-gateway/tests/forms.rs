//! The form of requests and answers in general: both 422 shapes, slashes, methods, sizes, request ids.

use reqwest::Method;
use serde_json::json;

use test_support::Fault;

use crate::gateway::{Gateway, answer};

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_in_both_shapes() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    api.send(Method::POST, "/collections", None).await.faults("body", "Field required");
    api.post("/collections", json!([]))
        .await
        .faults("body", "Input should be a valid dictionary or object to extract fields from");
    api.post("/collections", json!({})).await.faults("body.name", "Field required");
    api.post("/collections", json!({"name": "Good name", "readable_id": "Bad_ID"}))
        .await
        .faults("body.readable_id", "String should match pattern '^[a-z0-9]+(-[a-z0-9]+)*$'");
    let raw = api.request(Method::POST, "/collections").header("x-api-key", &api.key).body("{x");
    answer(raw).await.faults("body.1", "JSON decode error");
    api.get("/source-connections?limit=0").await.faults("query.limit", "Input should be greater than or equal to 1");
    api.get("/source-connections?limit=1001").await.faults("query.limit", "Input should be less than or equal to 1000");
    api.get("/source-connections?skip=-1").await.faults("query.skip", "Input should be greater than or equal to 0");
    let answer = api.get("/source-connections/not-a-uuid").await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json()["detail"][0]["loc"], json!(["path", "source_connection_id"]));
    for path in ["/collections?search=%00", "/collections/a%00b", "/source-connections?collection=%00"] {
        assert_eq!(api.get(path).await.status, 422, "{path}");
    }
}

#[tokio::test]
async fn every_path_answers_with_and_without_a_slash() {
    let gateway = Gateway::start().await;
    for path in ["/collections", "/sources/stub", "/source-connections", "/collections/count", "/cleanups"] {
        let (one, two) = (gateway.api.get(path).await, gateway.api.get(&format!("{path}/")).await);
        assert_eq!((one.status.as_u16(), two.status.as_u16()), (200, 200), "{path}");
        assert_eq!(one.text, two.text);
    }
    gateway.api.post("/collections/", json!({"name": "With slash"})).await.ok();
    let answer = gateway.api.get("/collections/?search=with").await;
    assert_eq!(answer.ok().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn unknown_routes_and_methods_are_told_apart() {
    let gateway = Gateway::start().await;
    gateway.api.get("/nonsense").await.refuses(404, "Not Found");
    gateway.api.get("/collections/a/nonsense").await.refuses(404, "Not Found");
    gateway.api.send(Method::PUT, "/collections", None).await.refuses(405, "Method Not Allowed");
    gateway.api.delete("/source-connections").await.refuses(405, "Method Not Allowed");
}

#[tokio::test]
async fn a_body_over_10_mib_is_refused() {
    let gateway = Gateway::start().await;
    let post = |bytes: usize| {
        let body = format!("{{\"name\": \"{}\"}}", "x".repeat(bytes - 12));
        answer(gateway.api.request(Method::POST, "/collections").header("x-api-key", &gateway.api.key).body(body))
    };
    assert_eq!(post(10 * 1024 * 1024).await.status, 422);
    let refused = post(10 * 1024 * 1024 + 1).await;
    refused.refuses(413, "Request body too large. Maximum size is 10.00MB, but request is 10.01MB");
    assert_eq!(post(15 * 1024 * 1024).await.status, 413);
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let id_of = |headers: &reqwest::header::HeaderMap| headers["x-request-id"].to_str().unwrap().to_owned();
    let mut seen = std::collections::BTreeSet::new();
    for path in ["/health", "/nonsense", "/collections", "/source-connections/x"] {
        let id = id_of(&api.get(path).await.headers);
        assert_eq!(id.len(), 36);
        assert!(seen.insert(id));
    }
    assert!(seen.insert(id_of(&answer(api.request(Method::GET, "/collections")).await.headers)), "401 has one too");
    let own = "0f0e0d0c-0b0a-4908-8706-050403020100";
    let given = |id: &'static str| answer(api.request(Method::GET, "/health").header("X-Request-ID", id));
    assert_eq!(id_of(&given(own).await.headers), own);
    assert_ne!(id_of(&given("nonsense").await.headers), "nonsense");
}

#[tokio::test]
async fn a_database_that_is_away_is_503_and_comes_back() {
    let gateway = Gateway::start().await;
    gateway.service.expects.fault(Fault::PostgresAway);
    gateway.database.allow_connections(false).await;
    let answer = gateway.api.get("/collections").await;
    answer.refuses(503, "Service temporarily unavailable");
    assert!(answer.headers.contains_key("retry-after"));
    let ready = gateway.api.get("/health/ready").await;
    assert_eq!((ready.status.as_u16(), ready.json()["status"].as_str()), (503, Some("not_ready")));
    gateway.database.allow_connections(true).await;
    gateway.api.get("/collections").await.ok();
}

#[tokio::test]
async fn a_fault_of_ours_shows_its_request_id_and_nothing_else() {
    let gateway = Gateway::start().await;
    gateway.service.expects.event("request failed");
    gateway.database.execute("ALTER TABLE collection RENAME COLUMN name TO gone").await;
    let answer = gateway.api.get("/collections").await;
    assert_eq!(answer.status, 500);
    let id = answer.headers["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(answer.json(), json!({"detail": "Internal server error", "request_id": id}));
    assert!(gateway.service.log().lines().any(|line| line.contains(&id) && line.contains("\"ERROR\"")));
}

#[tokio::test]
async fn ids_bodies_and_numbers_are_taken_in_the_forms_that_airweave_takes() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let made = api.stub(&collection, json!({"sync_immediately": "no"})).await;
    let id = made["id"].as_str().unwrap();
    for form in [id.replace('-', ""), id.to_uppercase(), format!("urn:uuid:{id}"), format!("%7B{id}%7D")] {
        assert_eq!(api.get(&format!("/source-connections/{form}")).await.ok()["id"], json!(id), "{form}");
    }
    let text = r#"{"name": "With a mark"}"#;
    let little_endian: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in [[b"\xef\xbb\xbf", text.as_bytes()].concat(), [b"\xff\xfe", little_endian.as_slice()].concat()] {
        let post = api.request(Method::POST, "/collections").header("x-api-key", &api.key).body(body);
        assert_eq!(answer(post).await.ok()["name"], "With a mark");
    }
    let search = json!({"query": "x", "limit": "10", "offset": "0"});
    let empty = api.collection().await;
    assert_eq!(api.post(&format!("/collections/{empty}/search/instant"), search).await.status, 200);
}
