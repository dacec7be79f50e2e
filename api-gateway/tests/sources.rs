//! The catalogue as clients build forms from it, and what a source refuses at create.

use serde_json::{Value, json};

use crate::gateway::{Gateway, text};

fn body(collection: &str, short_name: &str, credentials: Value, config: Value) -> Value {
    json!({
        "short_name": short_name,
        "readable_collection_id": collection,
        "authentication": {"credentials": credentials},
        "config": config,
        "sync_immediately": false,
    })
}

#[tokio::test]
async fn every_source_tells_all_that_a_form_needs() {
    let gateway = Gateway::start().await;
    let sources = gateway.api.get("/sources").await.ok();
    let sources = sources.as_array().unwrap();
    let names: Vec<String> = sources.iter().map(|source| text(source, "short_name")).collect();
    for name in ["files", "postgresql", "github", "s3", "timed", "stub", "incremental_stub", "exception_stub"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
    for source in sources {
        let name = text(source, "short_name");
        for field in ["name", "description", "class_name"] {
            assert!(!text(source, field).is_empty(), "{name}.{field}");
        }
        assert!(!source["labels"].as_array().unwrap().is_empty(), "{name}");
        assert!(!source["output_entity_definitions"].as_array().unwrap().is_empty(), "{name}");
        assert_eq!(gateway.api.get(&format!("/sources/{name}")).await.ok(), *source);
        for form in ["auth_fields", "config_fields"] {
            for field in source[form]["fields"].as_array().unwrap() {
                assert_form_field(field);
            }
        }
    }
}

fn assert_form_field(field: &Value) {
    let keys: Vec<&str> = field.as_object().unwrap().keys().map(String::as_str).collect();
    for key in ["name", "title", "description", "type", "required", "items_type", "is_secret", "enum_values"] {
        assert!(keys.contains(&key), "{field}");
    }
    for key in ["name", "title", "description"] {
        assert!(!text(field, key).is_empty(), "{field}");
    }
    let kind = text(field, "type");
    assert!(["string", "number", "boolean", "array"].contains(&kind.as_str()), "{field}");
    assert_eq!(field["items_type"].is_string(), kind == "array", "{field}");
    assert!(field["required"].is_boolean() && field["is_secret"].is_boolean(), "{field}");
    let is_choice = field["enum_values"].as_array().is_some_and(|values| !values.is_empty());
    assert!(is_choice || field["enum_values"].is_null(), "{field}");
}

#[tokio::test]
async fn an_incremental_source_says_that_it_is_continuous() {
    let gateway = Gateway::start().await;
    let source = gateway.api.get("/sources/incremental_stub").await.ok();
    assert_eq!((&source["supports_continuous"], &source["name"]), (&json!(true), &json!("Incremental Stub")));
    assert_eq!(source["output_entity_definitions"], json!(["stub_container_entity", "small_stub_entity"]));
    let collection = gateway.api.collection().await;
    let made = gateway
        .api
        .post("/source-connections", body(&collection, "incremental_stub", json!({"stub_key": ""}), json!({})))
        .await
        .ok();
    assert_eq!(made["config"], json!({"entity_count": 5, "seed": 42}));
    assert_eq!((&made["schedule"]["cron"], &made["schedule"]["cursor_value"]), (&json!("*/5 * * * *"), &Value::Null));
}

#[tokio::test]
async fn a_config_that_does_not_fit_is_refused_in_words() {
    let gateway = Gateway::start().await;
    let collection = gateway.api.collection().await;
    let cases = [
        ("stub", json!({"entity_count": 0}), "entity_count: Input should be greater than or equal to 1"),
        (
            "incremental_stub",
            json!({"entity_count": 100_001}),
            "entity_count: Input should be less than or equal to 100000",
        ),
        (
            "exception_stub",
            json!({"auth_provider_kind": "other", "trigger_after": -2}),
            "auth_provider_kind: Input should be 'oauth', 'static', 'auth_provider' or 'credential'; \
             trigger_after: Input should be greater than or equal to -1",
        ),
        ("timed", json!({"seed": "x"}), "seed: Input should be a valid integer, unable to parse string as an integer"),
    ];
    for (source, config, problem) in cases {
        let answer =
            gateway.api.post("/source-connections", body(&collection, source, json!({"any": 1}), config)).await;
        answer.refuses(422, &format!("Invalid config fields: {problem}"));
    }
}

#[tokio::test]
async fn what_a_source_refuses_by_itself_is_a_400_before_the_collection_is_looked_for() {
    let gateway = Gateway::start().await;
    let create = async |source: &str, credentials: Value, config: Value| {
        gateway.api.post("/source-connections", body("no-such-collection", source, credentials, config)).await
    };
    let failing = |kind: &str| json!({"fail_on_validate": true, "exception_type": kind, "trigger_after": 0});
    let key = json!({"stub_key": "x"});
    create("exception_stub", key.clone(), failing("source_auth_error")).await.refuses(
        400,
        "Invalid or revoked OAuth access token for source 'exception_stub'. Verify the token with the provider and try \
         again.",
    );
    create("exception_stub", key.clone(), failing("runtime_error")).await.refuses(
        400,
        "Validation failed for exception_stub: [ExceptionStub] runtime_error triggered after 0 entities (simulated \
         failure)",
    );
    let server = json!({"host": "/run/postgresql", "database": "d", "user": "u", "password": "hunter2"});
    let refused = create("postgresql", server, json!({})).await;
    refused.refuses(400, "Validation failed for postgresql: host must be a host name or an address");
    // The config's form comes before it, the collection after it.
    assert_eq!(create("exception_stub", key.clone(), json!({"fail_on_validate": "maybe"})).await.status, 422);
    create("exception_stub", key, json!({})).await.refuses(404, "Collection not found");
}

#[tokio::test]
async fn credentials_that_cannot_work_are_refused_in_a_change_as_well() {
    let gateway = Gateway::start().await;
    let collection = gateway.api.collection().await;
    let server = json!({"host": "db.example.com", "database": "d", "user": "u", "password": "hunter2"});
    let made =
        gateway.api.post("/source-connections", body(&collection, "postgresql", server.clone(), json!({}))).await;
    let made = made.ok();
    assert!(!made.to_string().contains("hunter2"));
    let path = format!("/source-connections/{}", text(&made, "id"));
    let mut changed = server;
    changed["sslrootcert"] = json!("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----");
    let answer = gateway.api.patch(&path, json!({"authentication": {"credentials": changed}})).await;
    answer.refuses(400, "Validation failed for postgresql: sslrootcert needs sslmode 'require'");
    assert!(!answer.text.contains("hunter2"));
}
