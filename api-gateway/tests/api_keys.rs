//! The endpoints of API keys.

use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Api, Gateway, field_order, text};

const NO_KEY: &str = "Invalid or expired API key";

/// Makes a key; its object, and a client that uses it.
async fn make(api: &Api) -> (Value, Api) {
    let made = api.post("/api-keys", json!({})).await.ok();
    let client = api.with_key(&text(&made, "decrypted_key"));
    (made, client)
}

#[tokio::test]
async fn a_key_has_the_contracts_fields_and_lives_for_as_many_days_as_asked() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let made = api.send(Method::POST, "/api-keys", None).await;
    let fields = [
        "id",
        "organization_id",
        "created_at",
        "modified_at",
        "last_used_date",
        "expiration_date",
        "created_by_email",
        "modified_by_email",
        "decrypted_key",
        "name",
        "deleted_at",
    ];
    assert_eq!(field_order(&made.text), fields);
    assert_eq!(field_order(&api.get(&format!("/api-keys/{}", text(&made.ok(), "id"))).await.text), fields);
    for (body, days) in [
        (json!({}), 90),
        (json!({"expiration_days": null}), 90),
        (json!({"expiration_days": 1}), 1),
        (json!({"expiration_days": 365, "colour": "red"}), 365),
        (json!({"expiration_days": 7.0}), 7),
    ] {
        let key = api.post("/api-keys", body.clone()).await.ok();
        let lives = format!(
            "SELECT count(*) FROM api_key WHERE id = '{}' AND expires_at - created_at BETWEEN interval '{days} days'
             AND interval '{days} days 5 s'",
            text(&key, "id")
        );
        assert_eq!(gateway.database.count(&lives).await, 1, "{body}");
    }
    for (body, place, msg) in [
        (json!({"expiration_days": 0}), "body.expiration_days", "Input should be greater than or equal to 1"),
        (json!({"expiration_days": 366}), "body.expiration_days", "Input should be less than or equal to 365"),
        (json!({"expiration_days": 1.5}), "body.expiration_days", "Input should be a valid integer"),
        (json!({"expiration_days": "seven"}), "body.expiration_days", "Input should be a valid integer"),
        (json!([]), "body", "Input should be a valid dictionary or object to extract fields from"),
    ] {
        api.post("/api-keys", body).await.faults(place, msg);
    }
}

#[tokio::test]
async fn keys_are_listed_in_pages_newest_first() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let (one, two) = (make(api).await.0, make(api).await.0);
    let ids = async |query: &str| -> Vec<Value> {
        let listed = api.get(&format!("/api-keys{query}")).await.ok();
        listed.as_array().unwrap().iter().map(|key| key["id"].clone()).collect()
    };
    assert_eq!(ids("?limit=2").await, [two["id"].clone(), one["id"].clone()]);
    assert_eq!(ids("?skip=1&limit=1").await, [one["id"].clone()]);
    api.get("/api-keys?limit=0").await.faults("query.limit", "Input should be greater than or equal to 1");
}

#[tokio::test]
async fn a_deleted_rotated_or_expired_key_is_refused_from_the_next_request_on() {
    let gateway = Gateway::start().await;
    let (made, client) = make(&gateway.api).await;
    let path = format!("/api-keys/{}", text(&made, "id"));
    // With the key itself: the answer still comes.
    let rotated = client.post(&format!("{path}/rotate"), json!({})).await.ok();
    client.get("/sources").await.refuses(403, NO_KEY);
    assert_eq!((&rotated["id"], rotated["last_used_date"].is_null()), (&made["id"], true));
    let client = client.with_key(&text(&rotated, "decrypted_key"));
    assert_eq!(client.get("/sources").await.status, 200);
    let deleted = client.delete(&path).await.ok();
    assert!(deleted["id"] == made["id"] && deleted["decrypted_key"].is_null());
    client.get("/sources").await.refuses(403, NO_KEY);

    let (made, client) = make(&gateway.api).await;
    assert_eq!(client.delete(&format!("/api-keys/?id={}", text(&made, "id"))).await.ok()["id"], made["id"]);
    client.get("/sources").await.refuses(403, NO_KEY);
    gateway.api.delete("/api-keys").await.faults("query.id", "Field required");

    let (made, client) = make(&gateway.api).await;
    let expire = format!("UPDATE api_key SET expires_at = clock_timestamp() WHERE id = '{}'", text(&made, "id"));
    gateway.database.execute(&expire).await;
    client.get("/sources").await.refuses(403, NO_KEY);
    client.post(&format!("/api-keys/{}/rotate", text(&made, "id")), json!({})).await.refuses(403, NO_KEY);
}

#[tokio::test]
async fn a_rotated_key_lives_as_long_again() {
    let gateway = Gateway::start().await;
    let made = gateway.api.post("/api-keys", json!({"expiration_days": 30})).await.ok();
    let earlier = "UPDATE api_key SET created_at = created_at - interval '20 days',
        modified_at = modified_at - interval '20 days', expires_at = expires_at - interval '20 days'";
    gateway.database.execute(&format!("{earlier} WHERE id = '{}'", text(&made, "id"))).await;
    gateway.api.post(&format!("/api-keys/{}/rotate", text(&made, "id")), json!({})).await.ok();
    let again = "SELECT count(*) FROM api_key WHERE expires_at - clock_timestamp() BETWEEN interval '29 days 23 hours'
        AND interval '30 days 5 s'";
    assert_eq!(gateway.database.count(again).await, 1);
}

#[tokio::test]
async fn a_key_s_name_outlives_it_and_tells_who_asked_for_a_deletion() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let made = api.post("/api-keys", json!({"name": "nightly clean-up"})).await.ok();
    assert_eq!((&made["name"], &made["deleted_at"]), (&json!("nightly clean-up"), &Value::Null));
    let path = format!("/api-keys/{}", text(&made, "id"));
    let rotated = api.send(Method::POST, &format!("{path}/rotate"), None).await.ok();
    assert_eq!(rotated["name"], json!("nightly clean-up"), "it keeps what it isn't told");
    let rotated = api.post(&format!("{path}/rotate"), json!({"name": "the CRM's"})).await.ok();
    let client = api.with_key(&text(&rotated, "decrypted_key"));
    let collection = client.collection().await;
    let connection = client.stub(&collection, json!({})).await;
    client.delete(&format!("/source-connections/{}", text(&connection, "id"))).await.ok();
    let deleted = api.delete(&path).await.ok();
    assert!(deleted["name"] == "the CRM's" && deleted["deleted_at"].is_string(), "{deleted}");

    let cleanup = api.get("/cleanups").await.ok()[0].clone();
    assert_eq!((&cleanup["requested_by"], &cleanup["requested_by_name"]), (&made["id"], &json!("the CRM's")));
    assert_eq!(api.get("/api-keys?deleted=true").await.ok(), json!([deleted]));
    assert!(api.get("/api-keys").await.ok().as_array().unwrap().iter().all(|key| key["id"] != made["id"]));
    let (other, _) = gateway.organization_on("enterprise").await;
    assert_eq!(other.get("/api-keys?deleted=true").await.ok(), json!([]));
    for (name, msg) in [
        ("", "String should have at least 1 character"),
        (&*"n".repeat(101), "String should have at most 100 characters"),
    ] {
        api.post("/api-keys", json!({"name": name})).await.faults("body.name", msg);
    }
    api.get("/api-keys?deleted=perhaps")
        .await
        .faults("query.deleted", "Input should be a valid boolean, unable to interpret input");
}

#[tokio::test]
async fn del_9_a_key_acts_for_its_own_organization_only() {
    let gateway = Gateway::start().await;
    let (mine, client) = make(&gateway.api).await;
    let (other, other_id) = gateway.organization_on("enterprise").await;
    let path = format!("/api-keys/{}", text(&mine, "id"));
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::POST, format!("{path}/rotate")),
        (Method::DELETE, path.clone()),
        (Method::DELETE, format!("/api-keys?id={}", text(&mine, "id"))),
    ] {
        other.send(method, &path, None).await.refuses(404, "API key not found");
    }
    assert_eq!(client.get("/sources").await.status, 200);
    // Naming the other organization doesn't help, in whatever case.
    let named = client.request(Method::GET, "/api-keys").header("x-api-key", &client.key);
    let refused = crate::gateway::answer(named.header("X-Organization-ID", other_id.to_uppercase())).await;
    refused.refuses(403, &format!("API key does not have access to organization {other_id}"));
    // Two keys in one request: the header of its own counts, and it alone.
    let both = other.request(Method::GET, "/api-keys").header("x-api-key", &other.key);
    let both = crate::gateway::answer(both.bearer_auth(&client.key)).await.ok();
    assert!(both.as_array().unwrap().iter().all(|key| key["organization_id"] == json!(other_id)));
    let bad = client.request(Method::GET, "/api-keys").header("x-api-key", "nonsense").bearer_auth(&client.key);
    crate::gateway::answer(bad).await.refuses(403, NO_KEY);
}

#[tokio::test]
async fn an_operator_helps_an_organization_that_has_lost_its_last_key() {
    let gateway = Gateway::start().await;
    let only = gateway.api.get("/api-keys").await.ok()[0].clone();
    let organization = text(&only, "organization_id");
    gateway.api.delete(&format!("/api-keys/{}", text(&only, "id"))).await.ok();
    gateway.api.get("/sources").await.refuses(403, NO_KEY);
    let made = ["api-keys", "create", "--organization", &organization, "--expiration-days", "7"];
    let client = gateway.api.with_key(&text(&gateway.operation(&made).await, "api_key"));
    assert_eq!(client.get("/api-keys").await.ok()[0]["organization_id"], json!(organization));
}
