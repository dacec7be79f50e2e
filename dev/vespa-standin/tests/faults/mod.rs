//! Each fault by itself, as a plain client sees it; none unless it is switched on.

mod connections;
mod queries;

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{SYNC_A, Standin, encoded, h1, message, of_sync};

const FAULTS: &str = "/standin/v1/faults";
const DOCUMENT: &str = "/document/v1/airweave/base_entity/docid/x";

async fn switch_on(standin: &Standin, rules: Value) {
    let (status, answer) = standin.send(Method::POST, FAULTS, Some(rules)).await;
    assert_eq!(status, 200, "{answer}");
}

/// A rule without a schedule.
fn always(on: &str, fault: impl Into<Value>) -> Value {
    json!([{"on": [on], "fault": fault.into()}])
}

async fn fired(standin: &Standin) -> u64 {
    let (_, rules) = standin.get(FAULTS).await;
    rules.as_array().unwrap().iter().map(|rule| rule["fired"].as_u64().unwrap()).sum()
}

/// One request of each kind.
async fn ask(standin: &Standin, kind: &str) -> (StatusCode, String) {
    let selection = encoded(&of_sync(SYNC_A));
    let bulk = format!("/document/v1/?cluster=airweave&selection={selection}");
    let visit = format!("{bulk}&wantedDocumentCount=1000");
    let query = format!("/search/?yql={}", encoded("select documentid from sources * where true"));
    let (method, path, body) = match kind {
        "put" => (Method::POST, DOCUMENT, json!({"fields": {}})),
        "get" => (Method::GET, DOCUMENT, Value::Null),
        "remove" => (Method::DELETE, DOCUMENT, Value::Null),
        "update" => (Method::PUT, DOCUMENT, json!({"fields": {"name": {"assign": "n"}}})),
        "visit" => (Method::GET, visit.as_str(), Value::Null),
        "bulk_delete" => (Method::DELETE, bulk.as_str(), Value::Null),
        _ => (Method::GET, query.as_str(), Value::Null),
    };
    let request = standin.client.request(method, standin.url(path)).json(&body);
    let response = request.send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

#[tokio::test]
async fn refusals_come_to_each_kind_as_vespa_gives_them_and_nothing_is_done() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 2).await;
    let before = standin.checksum(SYNC_A).await;
    standin.send(Method::POST, "/standin/v1/counters/reset", None).await;
    for (fault, kinds, status, text) in [
        ("overload", "put get remove update visit bulk_delete", 429, "Rejecting execution due to overload"),
        ("overload", "query", 429, "Too many requests"),
        ("unavailable", "put get remove update visit bulk_delete", 503, "<h2>HTTP ERROR 503"),
        ("unavailable", "query", 503, "No backends in service. Try later"),
        ("timeout", "put get remove update", 504, "Timeout after 180000ms"),
        ("timeout", "visit", 504, "No buckets visited within timeout of 180000ms (request timeout -5s)"),
        ("timeout", "query", 504, "Timed out"),
        ("no_space", "put", 507, "Put operation rejected for document 'id:airweave:base_entity::x'"),
        ("no_space", "update", 507, "Update operation rejected"),
        ("error", "put get remove update", 500, "ReturnCode(INTERNAL_FAILURE"),
        ("error", "query", 500, "Unspecified error"),
        (r#"{"unknown_field": {"name": "f"}}"#, "put get update", 400, "No field 'f' in the structure of type"),
        (r#"{"unknown_field": {"name": "f"}}"#, "query", 400, "Field 'f' does not exist."),
    ] {
        for kind in kinds.split(' ') {
            let fault = serde_json::from_str(fault).unwrap_or(json!(fault));
            switch_on(&standin, always(kind, fault.clone())).await;
            let (answered, body) = ask(&standin, kind).await;
            assert_eq!(answered.as_u16(), status, "{fault} {kind}: {body}");
            assert!(body.contains(text), "{fault} {kind}: {body}");
            assert_eq!(fired(&standin).await, 1);
            assert_eq!(standin.counters().await[kind]["operations"], 0, "{fault} {kind}");
            assert_eq!(standin.delete(FAULTS).await, (StatusCode::OK, json!([])));
            standin.send(Method::POST, "/standin/v1/counters/reset", None).await;
        }
    }
    assert_eq!(standin.checksum(SYNC_A).await, before);
    assert_eq!(standin.get(DOCUMENT).await.0, 404);
}

#[tokio::test]
async fn nothing_goes_wrong_unless_a_rule_says_so_and_no_rule_outlives_the_process() {
    let standin = Standin::start().await;
    assert_eq!(standin.get(FAULTS).await, (StatusCode::OK, json!([])));
    switch_on(&standin, json!([{"on": ["put", "update"], "fault": "overload", "times": 1}])).await;
    switch_on(&standin, always("query", "timeout")).await;
    assert_eq!(ask(&standin, "put").await.0, 429);
    assert_eq!(ask(&standin, "put").await.0, 200);
    assert_eq!(ask(&standin, "get").await.0, 200);
    let shown = json!([
        {"on": ["put", "update"], "fault": "overload", "after": 0, "times": 1, "matched": 2, "fired": 1},
        {"on": ["query"], "fault": "timeout", "after": 0, "matched": 0, "fired": 0},
    ]);
    assert_eq!(standin.get(FAULTS).await.1, shown);
    let again = Standin::start_in(standin.stop().await).await;
    assert_eq!(again.get(FAULTS).await, (StatusCode::OK, json!([])));
    assert_eq!(ask(&again, "query").await.0, 200);
}

#[tokio::test]
async fn nonsense_is_refused_and_told_what_there_is() {
    let standin = Standin::start().await;
    for (rules, text) in [
        (json!([{"on": ["put"], "fault": "nosuch"}]), "unknown variant `nosuch`, expected one of `overload`"),
        (json!([{"on": ["search"], "fault": "overload"}]), "unknown variant `search`, expected one of `put`"),
        (json!([{"on": ["put"], "fault": "overload", "time": 1}]), "unknown field `time`, expected one of `on`"),
        (json!([{"on": ["put"], "fault": {"latency": {"seconds": 1}}}]), "unknown field `seconds`, expected `millis`"),
        (json!([{"on": ["query"], "fault": {"partial": {"hides": 1, "looks": "odd"}}}]), "expected one of `timeout`"),
        (json!([{"on": [], "fault": "overload"}]), "'on' names no kind of request"),
        (json!([{"on": ["remove"], "fault": "no_space"}]), "this fault happens to put, update, not to remove"),
        (json!([{"on": ["visit"], "fault": "unchanged_token"}]), "happens to bulk_delete, not to visit"),
        (json!([{"on": ["put"], "fault": "overload", "times": 0}]), "must be at least 1"),
        (json!([{"on": ["put"], "fault": "overload", "probability": 0.5}]), "'probability' needs a 'seed'"),
        (json!([{"on": ["put"], "fault": "overload", "probability": 1.5, "seed": 1}]), "above 0 and at most 1"),
        (json!([{"on": ["put"], "fault": "overload", "seed": 1}]), "'seed' goes with 'probability'"),
        (
            json!([{"on": ["put"], "fault": "overload", "every": 2, "probability": 0.5, "seed": 1}]),
            "exclude each other",
        ),
        (json!([{"on": ["query"], "fault": {"partial": {"hides": 0, "looks": "timeout"}}}]), "above 0 and at most 1"),
        (json!([{"on": ["visit"], "fault": {"broken_walk": {"buckets": 256}}}]), "a walk ends after 256 buckets"),
        (json!({}), "invalid type: map, expected a sequence"),
    ] {
        // A good rule beside it doesn't get in.
        let mut both = rules.clone();
        if let Some(both) = both.as_array_mut() {
            both.insert(0, json!({"on": ["put"], "fault": "overload"}));
        }
        for rules in [rules, both] {
            let (status, answer) = standin.send(Method::POST, FAULTS, Some(rules)).await;
            assert_eq!(status, 400, "{answer}");
            assert!(message(&answer).contains(text), "{answer}");
        }
    }
    assert_eq!(standin.get(FAULTS).await.1, json!([]));
    assert_eq!(standin.send(Method::PUT, FAULTS, Some(json!([]))).await.0, 405);
}

#[tokio::test]
async fn latency_delays_and_changes_nothing_else() {
    let standin = Standin::start().await;
    switch_on(&standin, always("put", json!({"latency": {"millis": 300}}))).await;
    let started = Instant::now();
    assert_eq!(ask(&standin, "put").await.0, 200);
    assert!(started.elapsed() >= Duration::from_millis(300), "{:?}", started.elapsed());
    assert_eq!(ask(&standin, "get").await.0, 200);
}

/// Asks until the document is there, or is gone.
async fn wait_until(standin: &Standin, status: u16) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while standin.get(DOCUMENT).await.0.as_u16() != status {
        assert!(Instant::now() < deadline, "still not {status}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_late_write_happens_though_the_client_has_given_up() {
    let standin = Standin::start().await;
    let rule = json!({"late_write": {"millis": 1000}});
    switch_on(&standin, json!([{"on": ["put", "remove"], "fault": rule}])).await;
    // Told so.
    let (status, answer) =
        standin.send(Method::POST, &format!("{DOCUMENT}?timeout=50ms"), Some(json!({"fields": {}}))).await;
    assert_eq!((status.as_u16(), message(&answer)), (504, "Timeout after 50ms"));
    assert_eq!(standin.get(DOCUMENT).await.0, 404);
    wait_until(&standin, 200).await;
    // Not told anything: the connection is gone.
    for client in [h1(), crate::support::h2()] {
        standin.put_again().await;
        let gone = client.delete(standin.url(DOCUMENT)).timeout(Duration::from_millis(50)).send().await;
        assert!(gone.unwrap_err().is_timeout());
        drop(client);
        assert_eq!(standin.get(DOCUMENT).await.0, 200);
        wait_until(&standin, 404).await;
    }
    assert_eq!(standin.counters().await["remove"]["operations"], 2);
}

impl Standin {
    /// Writes the document without waiting for a fault on puts.
    async fn put_again(&self) {
        let update = json!({"fields": {"name": {"assign": "n"}}, "create": true});
        assert_eq!(self.send(Method::PUT, DOCUMENT, Some(update)).await.0, 200);
    }
}

#[tokio::test]
async fn a_walk_breaks_in_the_middle() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 40).await;
    switch_on(&standin, json!([{"on": ["visit", "bulk_delete"], "fault": {"broken_walk": {"buckets": 100}}}])).await;
    let (status, body) = ask(&standin, "visit").await;
    let answer: Value = body.parse().unwrap();
    assert_eq!(status, 500, "{answer}");
    let seen = answer["documentCount"].as_u64().unwrap();
    assert!(seen > 0 && seen < 200, "{answer}");
    assert!(message(&answer).contains("Connection error"), "{answer}");
    assert!(answer.get("continuation").is_none() && answer.get("documents").is_none(), "{answer}");
    // A stream has begun with 200 already.
    let selection = encoded(&of_sync(SYNC_A));
    let stream = format!("/document/v1/?cluster=airweave&stream=true&selection={selection}");
    let (status, answer) = standin.get(&stream).await;
    assert_eq!((status.as_u16(), answer["documentCount"].as_u64()), (200, Some(seen)));
    assert!(answer.get("message").is_some() && answer.get("continuation").is_none(), "{answer}");

    let (status, body) = ask(&standin, "bulk_delete").await;
    let answer: Value = body.parse().unwrap();
    assert_eq!((status.as_u16(), answer["documentCount"].as_u64()), (500, Some(seen)));
    assert!(answer.get("message").is_some() && answer.get("continuation").is_none(), "{answer}");
    assert_eq!(standin.count(SYNC_A).await, 200 - seen, "what was found before is removed");
}

#[tokio::test]
async fn a_removal_by_selection_says_that_it_has_finished_and_leaves_documents() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 4).await;
    switch_on(&standin, json!([{"on": ["bulk_delete"], "fault": {"leftover": {"documents": 3}}, "times": 1}])).await;
    let (status, body) = ask(&standin, "bulk_delete").await;
    let answer: Value = body.parse().unwrap();
    assert_eq!((status.as_u16(), answer["documentCount"].as_u64()), (200, Some(20)));
    assert!(answer.get("message").is_none() && answer.get("continuation").is_none(), "{answer}");
    assert_eq!(standin.count(SYNC_A).await, 3);
    assert_eq!(ask(&standin, "bulk_delete").await.0, 200);
    assert_eq!(standin.count(SYNC_A).await, 0);
}

#[tokio::test]
async fn a_removal_by_selection_makes_no_progress() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 4).await;
    let selection = encoded(&of_sync(SYNC_A));
    let bulk = format!("/document/v1/?cluster=airweave&selection={selection}&timeChunk=0s");
    switch_on(&standin, json!([{"on": ["bulk_delete"], "fault": "unchanged_token", "every": 2}])).await;
    let (_, first) = standin.delete(&bulk).await;
    let token = first["continuation"].as_str().unwrap();
    let left = standin.count(SYNC_A).await;
    let (status, second) = standin.delete(&format!("{bulk}&continuation={}", encoded(token))).await;
    assert_eq!(status, 200);
    let path = "/document/v1/";
    assert_eq!(second, json!({"pathId": path, "documentCount": 0, "continuation": token}));
    assert_eq!(standin.count(SYNC_A).await, left);
    let (_, third) = standin.delete(&format!("{bulk}&continuation={}", encoded(token))).await;
    assert_ne!(third["continuation"], token);
}
