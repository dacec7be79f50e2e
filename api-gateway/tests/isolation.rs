//! DEL-9: another organization's requests see, cancel and delete nothing.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::gateway::{Gateway, stub_body, text};

/// What another organization must be answered.
enum Must {
    /// Not find the thing that the path names.
    NotFind,
    /// Be shown nothing of anybody else's.
    ShowNothing,
    /// Nothing that belongs to anybody is behind it.
    BeOpen,
}
use Must::{BeOpen, NotFind, ShowNothing};

/// Every resource with its methods. `{readable_id}`, `{id}` and `{job_id}` are replaced by those of the first
/// organization.
fn table() -> Vec<(&'static str, Vec<(Method, Must)>)> {
    let (get, post) = (|must| (Method::GET, must), |must| (Method::POST, must));
    let (patch, delete) = (|| (Method::PATCH, NotFind), || (Method::DELETE, NotFind));
    vec![
        ("/health", vec![get(BeOpen)]),
        ("/health/live", vec![get(BeOpen)]),
        ("/health/ready", vec![get(BeOpen)]),
        ("/sources", vec![get(BeOpen)]),
        ("/sources/{short_name}", vec![get(NotFind)]),
        ("/api-keys", vec![get(ShowNothing), post(BeOpen)]),
        ("/api-keys/{id}", vec![get(NotFind), delete()]),
        ("/api-keys/{id}/rotate", vec![post(NotFind)]),
        ("/collections", vec![get(ShowNothing), post(BeOpen)]),
        ("/collections/count", vec![get(BeOpen)]),
        ("/collections/{readable_id}", vec![get(NotFind), patch(), delete()]),
        ("/collections/{readable_id}/source-connections", vec![get(NotFind)]),
        ("/collections/{readable_id}/search", vec![get(NotFind), post(NotFind)]),
        ("/collections/{readable_id}/search/instant", vec![post(NotFind)]),
        ("/collections/{readable_id}/search/classic", vec![post(NotFind)]),
        ("/collections/{readable_id}/search/agentic", vec![post(NotFind)]),
        ("/collections/{readable_id}/search/agentic/stream", vec![post(NotFind)]),
        ("/source-connections", vec![get(ShowNothing), post(NotFind)]),
        ("/source-connections/{id}", vec![get(NotFind), patch(), delete()]),
        ("/source-connections/{id}/deletion-preview", vec![get(NotFind)]),
        ("/source-connections/{id}/run", vec![post(NotFind)]),
        ("/source-connections/{id}/sync-id", vec![get(NotFind)]),
        ("/source-connections/{id}/jobs", vec![get(NotFind)]),
        ("/source-connections/{id}/jobs/{job_id}/cancel", vec![post(NotFind)]),
        ("/cleanups", vec![get(ShowNothing)]),
        ("/cleanups/{id}", vec![get(NotFind)]),
        ("/cleanups/{id}/events", vec![get(NotFind)]),
        ("/cleanups/{id}/receipt", vec![get(NotFind)]),
        ("/cleanups/{id}/receipts", vec![get(NotFind)]),
        ("/receipts", vec![get(ShowNothing)]),
        ("/ledger/entries", vec![get(ShowNothing)]),
        ("/.well-known/unweave-ledger/keys", vec![get(ShowNothing)]),
        ("/.well-known/unweave-ledger/checkpoint", vec![get(ShowNothing)]),
        ("/.well-known/unweave-ledger/checkpoints/{size}", vec![get(NotFind)]),
        ("/.well-known/unweave-ledger/consistency/{old_size}/{new_size}", vec![get(NotFind)]),
    ]
}

/// The paths that the gateway registers, read from its own source.
pub fn registered() -> BTreeSet<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/routes");
    let mut paths = BTreeSet::new();
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for file in entries.filter(|entry| entry.is_file()) {
        let source = std::fs::read_to_string(file).unwrap();
        paths.extend(source.split("resource(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    paths
}

#[test]
fn the_table_names_every_route() {
    let named: BTreeSet<String> = table().iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(named, registered());
}

#[tokio::test]
async fn del_9_another_organization_finds_nothing() {
    let gateway = Gateway::start().await;
    let own = &gateway.api;
    let collection = own.collection().await;
    let deleted = text(&own.stub(&collection, json!({})).await, "id");
    let deleted = own.delete(&format!("/source-connections/{deleted}")).await;
    let cleanup = deleted.headers["x-cleanup-id"].to_str().unwrap().to_owned();
    let receipt = "INSERT INTO receipt (id, cleanup_id, signed)
                   SELECT gen_random_uuid(), id, '{\"receipt\": {}, \"signature\":
                       {\"algorithm\": \"\", \"key_id\": \"\", \"value\": \"\"}}' FROM cleanup";
    gateway.database.execute(receipt).await;
    let connection = own.stub(&collection, json!({"sync_immediately": true})).await;
    let (id, job) = (text(&connection, "id"), text(&connection["sync"]["last_job"], "id"));
    let key = text(&own.get("/api-keys").await.ok()[0], "id");

    let other = gateway.other_organization().await;
    for (template, methods) in table() {
        let thing = match template.split('/').nth(1).unwrap() {
            "api-keys" => &key,
            "cleanups" => &cleanup,
            _ => &id,
        };
        let path = template
            .replace("{readable_id}", &collection)
            .replace("{job_id}", &job)
            .replace("{id}", thing)
            .replace("{short_name}", "nobodys");
        for (method, must) in methods {
            let query = if template.ends_with("/search") { "?query=word" } else { "" };
            let body = (method != Method::GET && method != Method::DELETE).then(|| body(template, &collection));
            let answer = other.send(method.clone(), &format!("{path}{query}"), body).await;
            match must {
                NotFind => assert_eq!(answer.status, 404, "{method} {path}: {answer:?}"),
                BeOpen => assert!(answer.status.is_success() || template == "/health/ready", "{method} {path}"),
                ShowNothing => {
                    for secret in [&collection, &id, &job, &key, &cleanup] {
                        assert!(!answer.text.contains(secret.as_str()), "{method} {path}: {answer:?}");
                    }
                }
            }
        }
    }
    let listed = other.get(&format!("/source-connections?collection={collection}")).await;
    assert_eq!(listed.ok(), json!([]));
    // And nothing has happened to the first organization's things.
    let shown = own.get(&format!("/source-connections/{id}")).await.ok();
    assert_eq!(shown, connection);
    own.get(&format!("/collections/{collection}")).await.ok();
    own.get(&format!("/cleanups/{cleanup}/receipt")).await.ok();
    assert_eq!(gateway.database.count("SELECT count(*) FROM sync_job WHERE status = 'pending'").await, 1);
}

fn body(template: &str, collection: &str) -> Value {
    match template {
        "/source-connections" => stub_body(collection, json!({})),
        _ => json!({"name": "Another name", "query": "word"}),
    }
}
