//! Visits: pages, field sets, streams, and the texts of refusals.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{SYNC_A, Standin, encoded};

#[tokio::test]
async fn pages_hold_every_document_once() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 40).await;
    let mut seen = Vec::new();
    let mut continuation = String::new();
    let mut requests = 0;
    loop {
        let path = format!("/document/v1/?cluster=airweave&wantedDocumentCount=30{continuation}");
        let (status, answer) = standin.get(&path).await;
        assert_eq!(status, 200, "{answer}");
        let documents = answer["documents"].as_array().unwrap();
        assert_eq!(answer["documentCount"], documents.len());
        seen.extend(documents.iter().map(|document| document["id"].as_str().unwrap().to_owned()));
        requests += 1;
        match answer.get("continuation").and_then(Value::as_str) {
            Some(token) => continuation = format!("&continuation={}", encoded(token)),
            None => break,
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 200);
    assert!(requests > 3, "{requests}");
    assert_eq!(standin.counters().await["visit"]["documents_examined"], 200);
}

#[tokio::test]
async fn a_visit_examines_everything_whatever_it_finds() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 10).await;
    let selection = encoded("base_entity.airweave_system_metadata_sync_id=='absent'");
    let path = format!("/document/v1/?cluster=airweave&wantedDocumentCount=1000&selection={selection}");
    assert_eq!(standin.get(&path).await.1["documentCount"], 0);
    assert_eq!(standin.counters().await["visit"]["documents_examined"], 50);
    let path = format!("/document/v1/airweave/web_entity/docid?wantedDocumentCount=1000&selection={selection}");
    assert_eq!(standin.get(&path).await.1["documentCount"], 0);
    assert_eq!(standin.counters().await["visit"]["documents_examined"], 60, "a typed path walks its type");
}

#[tokio::test]
async fn field_sets() {
    let standin = Standin::start().await;
    standin.put("base_entity", "x", json!({"name": "n", "url": "u"})).await;
    for (field_set, fields) in [
        ("[id]", json!({})),
        ("[document]", json!({"name": "n", "url": "u"})),
        ("base_entity:[document]", json!({"name": "n", "url": "u"})),
        ("base_entity:name", json!({"name": "n"})),
        ("web_entity:name", json!({})),
    ] {
        let field_set = encoded(field_set);
        let (_, answer) =
            standin.get(&format!("/document/v1/?cluster=airweave&wantedDocumentCount=9&fieldSet={field_set}")).await;
        assert_eq!(answer["documents"][0]["fields"], fields, "{field_set}");
        let (_, answer) = standin.get(&format!("/document/v1/airweave/base_entity/docid/x?fieldSet={field_set}")).await;
        assert_eq!(answer["fields"], fields, "{field_set}");
    }
}

#[tokio::test]
async fn streams_in_json_and_in_lines() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 20).await;
    let url = standin.url("/document/v1/?cluster=airweave&stream=true&fieldSet=%5Bid%5D");
    let answer: Value = standin.client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["documentCount"], 100);
    assert_eq!(answer["documents"].as_array().unwrap().len(), 100);
    assert_eq!(answer.get("continuation"), None);

    let lines = standin.client.get(&url).header("accept", "application/jsonl").send().await.unwrap();
    assert!(lines.headers()["content-type"].to_str().unwrap().starts_with("application/jsonl"));
    let text = lines.text().await.unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().filter(|line| line.get("put").is_some()).count(), 100);
    assert_eq!(lines.last().unwrap(), &json!({"continuation": {"percentFinished": 100.0}}));
}

#[tokio::test]
async fn refusals_have_vespas_texts() {
    let standin = Standin::start().await;
    let root = "/document/v1/";
    let typed = "/document/v1/airweave/base_entity/docid/";
    for (method, path, query, text) in [
        (
            Method::GET,
            root,
            "",
            "Must set 'cluster' parameter to a valid content cluster id when visiting at a root /document/v1/ level",
        ),
        (Method::GET, root, "cluster=%2A", "Your Vespa deployment has no content cluster '*', only 'airweave'"),
        (Method::GET, root, "cluster=airweave&slices=2", "None or both of 'slices' and 'sliceId' must be set"),
        (Method::GET, root, "cluster=airweave&slices=2&sliceId=2", "sliceId must be in [0, 2), but was 2"),
        (Method::GET, root, "cluster=airweave&continuation=!!!", "Failed parsing '!!!': BufferUnderflowException"),
        (Method::GET, root, "cluster=airweave&wantedDocumentCount=x", "Failed parsing 'x': For input string: \"x\""),
        (
            Method::GET,
            root,
            "cluster=airweave&timeout=abc",
            "Failed parsing 'abc': Error parsing 'abc': Invalid number 'abc'",
        ),
        (Method::GET, root, "cluster=airweave&fieldSet=bogus:x", "Unknown document type bogus"),
        (
            Method::GET,
            root,
            "cluster=airweave&bucketSpace=x",
            "Bucket space 'x' is not a known bucket space; expected one of default, global",
        ),
        (Method::DELETE, root, "cluster=airweave", "Must specify 'selection' at '/document/v1/'"),
        (Method::DELETE, root, "selection=true", "Must specify 'cluster' at '/document/v1/'"),
        (
            Method::DELETE,
            root,
            "selection=&cluster=airweave",
            "Expected non-empty value for request property 'selection'",
        ),
        (
            Method::DELETE,
            typed,
            "selection=true&cluster=airweave&concurrency=2",
            "May not specify 'concurrency' at '/document/v1/airweave/base_entity/docid/'",
        ),
        (
            Method::DELETE,
            root,
            "selection=true&cluster=airweave&fieldSet=%5Bid%5D",
            "May not specify 'fieldSet' at '/document/v1/'",
        ),
        (
            Method::DELETE,
            root,
            "selection=true&cluster=airweave&wantedDocumentCount=2",
            "May not specify 'wantedDocumentCount' at '/document/v1/'",
        ),
        (
            Method::DELETE,
            root,
            "selection=true&cluster=airweave&timeChunk=abc",
            "Failed parsing 'abc': Error parsing 'abc': Invalid number 'abc'",
        ),
    ] {
        let (status, answer) = standin.send(method, &format!("{path}?{query}"), None).await;
        assert_eq!(status, 400, "{path}?{query}: {answer}");
        assert_eq!(answer, json!({"pathId": path, "message": text}));
    }
    let (status, answer) = standin.get("/document/v1/airweave/nosuch/docid/").await;
    assert_eq!(status, 400);
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .starts_with("There is no document type 'nosuch' in cluster 'airweave', only ")
    );
}

#[tokio::test]
async fn methods_and_paths() {
    let standin = Standin::start().await;
    let (status, answer) = standin.send(Method::PUT, "/document/v1/", None).await;
    assert_eq!((status.as_u16(), answer["pathId"].as_str()), (405, Some("/document/v1/")));
    let (status, answer) = standin.send(Method::PATCH, "/document/v1/airweave/base_entity/docid/x", None).await;
    assert_eq!(status, 405);
    assert!(answer["message"].as_str().unwrap().starts_with("'PATCH' not allowed at '"));
    let (status, answer) = standin.get("/document/v1/airweave").await;
    assert_eq!(status, 404);
    assert!(
        answer["message"].as_str().unwrap().starts_with("Nothing at '/document/v1/airweave'. Available paths are:\n")
    );
    let options = standin.client.request(Method::OPTIONS, standin.url("/document/v1/airweave/base_entity/docid/x"));
    let options = options.send().await.unwrap();
    assert_eq!((options.status().as_u16(), options.headers()["allow"].to_str().unwrap()), (204, "GET,POST,PUT,DELETE"));
    assert_eq!(standin.client.get(standin.url("/status.html")).send().await.unwrap().status(), 200);
    assert_eq!(standin.get("/state/v1/health").await.1["status"]["code"], "up");
    let (_, handlers) = standin.get("/").await;
    assert!(handlers["handlers"][0]["class"].as_str().unwrap().ends_with("DocumentV1ApiHandler"));
}

#[tokio::test]
async fn the_global_bucket_space_is_empty() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 1).await;
    let (status, answer) =
        standin.get("/document/v1/?cluster=airweave&bucketSpace=global&wantedDocumentCount=10").await;
    assert_eq!((status.as_u16(), &answer["documents"], &answer["documentCount"]), (200, &json!([]), &json!(0)));
    assert_eq!(answer.get("continuation"), None);
}
