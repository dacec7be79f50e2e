//! The ways in which a connection may be authenticated.

use serde_json::{Value, json};

use crate::gateway::{Gateway, stub_body, text};

const METHOD: &str = "Source stub does not support this authentication method. Supported methods: ['direct']. \
    Send, for example, {\"authentication\":{\"credentials\":{\"stub_key\":\"<Stub Key>\"}}}";
const NOTHING_GIVEN: &str = "Source stub does not support this authentication method. Supported methods: ['direct']. \
    No authentication was given: send, for example, {\"authentication\":{\"credentials\":{\"stub_key\":\"<Stub Key>\"}}}";

#[tokio::test]
async fn every_kind_of_authentication_is_understood_and_only_direct_is_supported() {
    let gateway = Gateway::start().await;
    let collection = gateway.api.collection().await;
    for authentication in [Value::Null, json!({}), json!({"type": "direct"})] {
        let body = stub_body(&collection, json!({"authentication": authentication}));
        gateway.api.post("/source-connections", body).await.refuses(400, NOTHING_GIVEN);
    }
    for authentication in [
        json!({"access_token": "t", "refresh_token": "r", "expires_at": "2999-01-01T00:00:00Z"}),
        json!({"redirect_uri": "https://example.com", "client_id": "a", "client_secret": "b"}),
        json!({"consumer_key": "a", "consumer_secret": "b"}),
        json!({"provider_readable_id": "composio-1", "provider_config": {}}),
        json!({"type": "auth_provider", "provider_readable_id": "composio-1"}),
    ] {
        let body = stub_body(&collection, json!({"authentication": authentication}));
        gateway.api.post("/source-connections", body).await.refuses(400, METHOD);
    }
    let mut absent = stub_body(&collection, json!({}));
    absent.as_object_mut().unwrap().remove("authentication");
    gateway.api.post("/source-connections", absent).await.refuses(400, NOTHING_GIVEN);
    for (authentication, place, msg) in [
        (json!({"credentials": {}}), "body.authentication.credentials", "Value error, Credentials cannot be empty"),
        (json!({"credentials": {"a": 1}, "b": 2}), "body.authentication.b", "Extra inputs are not permitted"),
        (json!([]), "body.authentication", "Input should be a valid dictionary"),
    ] {
        let body = stub_body(&collection, json!({"authentication": authentication}));
        gateway.api.post("/source-connections", body).await.faults(place, msg);
    }
}

#[tokio::test]
async fn a_source_that_needs_a_token_alone_takes_one() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let collection = api.collection().await;
    let github = |authentication: Value| {
        let config = json!({"repo_name": "owner/repo"});
        let more = json!({"short_name": "github", "config": config, "authentication": authentication});
        api.post("/source-connections", stub_body(&collection, more))
    };
    let made = github(json!({"access_token": "ghp_s3cret", "refresh_token": "r"})).await;
    assert!(!made.text.contains("ghp_s3cret"));
    let made = made.ok();
    assert_eq!((&made["auth"]["method"], &made["auth"]["authenticated"]), (&json!("oauth_token"), &json!(true)));
    assert_eq!(api.get("/source-connections").await.ok()[0]["auth_method"], "oauth_token");
    let path = format!("/source-connections/{}", text(&made, "id"));
    api.patch(&path, json!({"authentication": {"credentials": {"personal_access_token": "other"}}}))
        .await
        .refuses(400, "Credentials can only be updated for direct authentication");
    assert_eq!(api.patch(&path, json!({"name": "Renamed"})).await.ok()["auth"]["method"], "oauth_token");
    let method = "Source github does not support this authentication method. \
        Supported methods: ['direct', 'oauth_token']. \
        Send, for example, {\"authentication\":{\"credentials\":{\"personal_access_token\":\"<Personal Access Token>\"}}}";
    github(json!({"provider_readable_id": "composio-1"})).await.refuses(400, method);
    let expired = github(json!({"access_token": "t", "expires_at": "2020-01-01T00:00:00Z"})).await;
    expired.faults("body.authentication.expires_at", "Value error, The token has expired");
}

#[tokio::test]
async fn unknown_keys_without_number_make_no_answer_without_bound() {
    let gateway = Gateway::start().await;
    let mut given: serde_json::Map<_, _> = (0..100_000).map(|n| (n.to_string(), json!(0))).collect();
    given.insert("credentials".to_owned(), json!({"stub_key": "k"}));
    given.insert("x".repeat(100_000), json!(0));
    let body = json!({"short_name": "stub", "readable_collection_id": "c", "authentication": given});
    let refused = gateway.api.post("/source-connections", body).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.len() < 64 * 1024, "{}", refused.text.len());
    assert_eq!(refused.json()["detail"].as_array().unwrap().len(), 100);
}
