//! The document as it is served, and that it names exactly what the gateway answers.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::Value;

use crate::gateway::{Answer, Gateway, answer};
use crate::isolation::registered;

/// Asked without a key.
async fn open(gateway: &Gateway, method: Method, path: &str) -> Answer {
    answer(gateway.api.request(method, path)).await
}

/// A path without the names of its parameters: the document names them as the public contract does.
fn shape(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn documented(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let of_path = |item: &Value| item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
    document["paths"].as_object().unwrap().iter().map(|(path, item)| (shape(path), of_path(item))).collect()
}

#[tokio::test]
async fn every_route_is_in_the_document_and_the_other_way_round() {
    let gateway = Gateway::start().await;
    let document = open(&gateway, Method::GET, "/openapi.json").await.ok();
    let mut answered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in registered() {
        let refused = open(&gateway, Method::PUT, &path.replace(['{', '}'], "")).await;
        refused.refuses(405, "Method Not Allowed");
        let allowed = refused.headers["allow"].to_str().unwrap().split(", ").map(str::to_owned).collect();
        answered.insert(shape(&path), allowed);
    }
    assert_eq!(answered, documented(&document));
}

#[tokio::test]
async fn the_document_needs_no_key_and_answers_with_a_slash_too() {
    let gateway = Gateway::start().await;
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json")).unwrap();
    for path in ["/openapi.json", "/openapi.json/"] {
        let document = open(&gateway, Method::GET, path).await;
        assert_eq!(document.headers["content-type"], "application/json");
        assert_eq!(document.text, committed);
        assert_eq!(document.json()["openapi"], "3.1.0");
    }
}

#[tokio::test]
async fn the_page_works_without_any_other_server() {
    let gateway = Gateway::start().await;
    for path in ["/docs", "/docs/"] {
        let page = open(&gateway, Method::GET, path).await;
        assert_eq!(
            (page.status.as_u16(), &page.headers["content-type"]),
            (200, &"text/html; charset=utf-8".parse().unwrap())
        );
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'; script-src 'self'") && !policy.contains("http"), "{policy}");
        let links: Vec<&str> =
            ["src=\"", "href=\""].iter().flat_map(|name| page.text.split(name).skip(1)).map(until_quote).collect();
        assert_eq!(links.len(), 5, "{links:?}");
        for link in links {
            assert!(link.starts_with('/') && !link.starts_with("//"), "{link}");
            let file = answer(gateway.api.request(Method::GET, link)).await;
            assert_eq!(file.status, 200, "{link}");
            let kind = file.headers["content-type"].to_str().unwrap();
            let fits = match link.rsplit('.').next().unwrap() {
                "js" => kind.starts_with("text/javascript"),
                "css" => kind.starts_with("text/css"),
                "png" => kind == "image/png",
                _ => kind == "application/json",
            };
            assert!(fits, "{link}: {kind}");
        }
    }
    let script = open(&gateway, Method::GET, "/docs/page.js").await.text;
    assert!(script.contains("\"/openapi.json\"") && script.contains("validatorUrl: null"), "{script}");
    open(&gateway, Method::GET, "/docs/nothing.js").await.refuses(404, "Not Found");
}

fn until_quote(rest: &str) -> &str {
    rest.split('"').next().unwrap()
}
