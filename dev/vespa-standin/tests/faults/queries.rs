//! Queries that leave documents out.

use serde_json::{Value, json};
use vespa_standin::document_id::bucket;

use super::{FAULTS, always, ask, switch_on};
use crate::support::{SYNC_A, SYNC_B, Standin};

/// The answer to a count, a list and groups of a sync's documents.
async fn count(standin: &Standin, hits: u64) -> Value {
    let yql = format!(
        "select documentid from sources * where airweave_system_metadata_sync_id contains \"{SYNC_A}\" limit {hits} \
         | all(group(airweave_system_metadata_sync_id) max(10) each(output(count())))"
    );
    let (status, answer) = standin.query(&[("yql", &yql)]).await;
    assert_eq!(status, 200, "{answer}");
    answer["root"].clone()
}

#[tokio::test]
async fn partial_answers_say_so_each_in_its_way() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 30).await;
    standin.feed(SYNC_B, 10).await;
    let degraded = |by: &str| {
        let reasons = ["match-phase", "timeout", "adaptive-timeout", "anntimeout", "non-ideal-state"];
        Value::from_iter(reasons.map(|reason| (reason, Value::from(reason == by))))
    };
    for (looks, by, is_full, results_full) in [
        ("timeout", Some("timeout"), false, 0),
        ("adaptive_timeout", Some("adaptive-timeout"), false, 0),
        ("match_phase", Some("match-phase"), false, 0),
        ("non_ideal_state", Some("non-ideal-state"), true, 5),
        ("unnoticed", None, true, 5),
    ] {
        switch_on(&standin, always("query", json!({"partial": {"hides": 0.5, "looks": looks}}))).await;
        let root = count(&standin, 0).await;
        let total = root["fields"]["totalCount"].as_u64().unwrap();
        assert!(total > 30 && total < 120, "{looks}: {root}");
        assert_eq!(root["children"][0]["children"][0]["children"][0]["fields"]["count()"], total, "{looks}");
        let coverage = &root["coverage"];
        let documents = coverage["documents"].as_u64().unwrap();
        assert!(documents > total && documents < 200, "{looks}: {root}");
        let is_seen = looks == "unnoticed";
        assert_eq!(coverage["coverage"] == 100, is_seen, "{looks}: {root}");
        assert_eq!(coverage.get("degraded"), by.map(degraded).as_ref(), "{looks}");
        assert_eq!((&coverage["full"], &coverage["results"]), (&json!(is_full), &json!(5)), "{looks}");
        assert_eq!(coverage["resultsFull"], results_full, "{looks}");
        standin.delete(FAULTS).await;
    }
    assert_eq!(count(&standin, 0).await["fields"]["totalCount"], 150);
}

#[tokio::test]
async fn a_zero_can_look_full_for_a_while() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 2).await;
    let fault = json!({"partial": {"hides": 1, "looks": "unnoticed"}});
    switch_on(&standin, json!([{"on": ["query"], "fault": fault, "times": 2}])).await;
    for _ in 0..2 {
        let coverage =
            json!({"coverage": 100, "documents": 0, "full": true, "nodes": 5, "results": 5, "resultsFull": 5});
        let root = count(&standin, 10).await;
        assert_eq!((&root["fields"]["totalCount"], &root["coverage"]), (&json!(0), &coverage));
    }
    assert_eq!(standin.count(SYNC_A).await, 10);
    // The last half percent of what isn't active goes unsaid.
    standin.feed(SYNC_B, 60).await;
    let in_first_bucket = |number: &usize| bucket(&format!("id:airweave:base_entity::{number}")) == 0;
    let number = (0..).find(in_first_bucket).unwrap();
    standin.put("base_entity", &number.to_string(), json!({})).await;
    let fault = json!({"partial": {"hides": 0.003, "looks": "non_ideal_state"}});
    switch_on(&standin, always("query", fault)).await;
    let coverage = &count(&standin, 0).await["coverage"];
    assert_eq!((&coverage["coverage"], coverage.get("degraded")), (&json!(100), None), "{coverage}");
    assert!(coverage["documents"].as_u64().unwrap() < 311, "{coverage}");
}

#[tokio::test]
async fn an_answer_without_a_type_and_one_with_an_error_beside_its_hits() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 3).await;
    switch_on(&standin, always("query", "missing_type")).await;
    let root = count(&standin, 0).await;
    assert_eq!(root["fields"]["totalCount"], 12);
    let coverage = json!({"coverage": 100, "documents": 12, "full": true, "nodes": 4, "results": 4, "resultsFull": 4});
    assert_eq!(root["coverage"], coverage);
    standin.delete(FAULTS).await;

    switch_on(&standin, always("query", json!({"partial": {"hides": 0.5, "looks": "error"}}))).await;
    let root = count(&standin, 10).await;
    assert_eq!((&root["errors"][0]["code"], &root["errors"][0]["summary"]), (&json!(12), &json!("Timed out")));
    let (status, body) = ask(&standin, "query").await;
    assert_eq!(status, 200, "{body}");
    let yql = "select documentid from sources * where true limit 0";
    let (status, answer) = standin.query(&[("yql", yql)]).await;
    assert_eq!((status.as_u16(), &answer["root"]["errors"][0]["code"]), (504, &json!(12)));
}
