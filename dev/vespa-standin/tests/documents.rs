//! One document: put, get, update, remove, conditions.

use reqwest::Method;
use serde_json::json;
use vespa_standin::document_id;

use crate::support::{SYNC_A, Standin, encoded};

const DOC: &str = "/document/v1/airweave/base_entity/docid/";

#[tokio::test]
async fn what_was_put_is_got_and_what_was_removed_is_gone() {
    let standin = Standin::start().await;
    let path = format!("{DOC}one");
    let (status, answer) = standin
        .send(Method::POST, &path, Some(json!({"fields": {"name": "One", "created_at": 7, "payload": null}})))
        .await;
    assert_eq!(status, 200);
    assert_eq!(answer, json!({"pathId": path, "id": "id:airweave:base_entity::one"}));

    let (status, answer) = standin.get(&path).await;
    assert_eq!(status, 200);
    assert_eq!(answer["fields"], json!({"name": "One", "created_at": 7}));

    let (status, answer) = standin.delete(&path).await;
    assert_eq!((status.as_u16(), answer), (200, json!({"pathId": path, "id": "id:airweave:base_entity::one"})));
    let (status, answer) = standin.get(&path).await;
    assert_eq!((status.as_u16(), answer), (404, json!({"pathId": path, "id": "id:airweave:base_entity::one"})));
}

#[tokio::test]
async fn removing_what_is_not_there_is_no_error() {
    let standin = Standin::start().await;
    assert_eq!(standin.delete(&format!("{DOC}nothing")).await.0, 200);
    assert_eq!(standin.delete("/document/v1/airweave/nosuch/docid/nothing").await.0, 200);
    assert_eq!(standin.get("/document/v1/airweave/nosuch/docid/nothing").await.0, 404);
}

#[tokio::test]
async fn a_slash_is_the_same_raw_and_encoded_and_the_path_is_echoed_raw() {
    let standin = Standin::start().await;
    let (_, answer) = standin.send(Method::POST, &format!("{DOC}a%2Fb%20c"), Some(json!({"fields": {}}))).await;
    assert_eq!(answer["pathId"], format!("{DOC}a%2Fb%20c"));
    assert_eq!(answer["id"], "id:airweave:base_entity::a/b c");
    let (status, answer) = standin.get(&format!("{DOC}a/b%20c")).await;
    assert_eq!((status.as_u16(), &answer["id"]), (200, &json!("id:airweave:base_entity::a/b c")));
}

#[tokio::test]
async fn ids_with_a_number_or_a_group() {
    let standin = Standin::start().await;
    for (path, id) in [
        ("/document/v1/airweave/base_entity/number/42/x", "id:airweave:base_entity:n=42:x"),
        ("/document/v1/airweave/base_entity/group/a%20b/x", "id:airweave:base_entity:g=a b:x"),
    ] {
        let (status, answer) = standin.send(Method::POST, path, Some(json!({"fields": {}}))).await;
        assert_eq!((status.as_u16(), &answer["id"]), (200, &json!(id)));
        assert_eq!(standin.get(path).await.0, 200);
    }
    let (_, answer) = standin.get("/document/v1/airweave/base_entity/group/a%20b/?wantedDocumentCount=9").await;
    assert_eq!(answer["documentCount"], 1, "{answer}");
}

#[tokio::test]
async fn an_update_assigns_and_clears_and_creates_only_when_told() {
    let standin = Standin::start().await;
    let path = format!("{DOC}one");
    let change = json!({"fields": {"name": {"assign": "Two"}, "url": {"assign": null}}});
    assert_eq!(standin.send(Method::PUT, &path, Some(change.clone())).await.0, 200);
    assert_eq!(standin.get(&path).await.0, 404, "an update of a missing document changes nothing");

    standin.put("base_entity", "one", json!({"name": "One", "url": "http://x"})).await;
    assert_eq!(standin.send(Method::PUT, &path, Some(change.clone())).await.0, 200);
    assert_eq!(standin.get(&path).await.1["fields"], json!({"name": "Two"}));

    assert_eq!(standin.send(Method::PUT, &format!("{DOC}new?create=true"), Some(change)).await.0, 200);
    assert_eq!(standin.get(&format!("{DOC}new")).await.1["fields"], json!({"name": "Two"}));
}

#[tokio::test]
async fn a_failing_condition_changes_nothing() {
    let standin = Standin::start().await;
    standin.put("base_entity", "one", json!({"name": "One"})).await;
    let path = format!("{DOC}one");
    let holds = encoded("base_entity.name=='One'");
    let fails = encoded("base_entity.name=='Two'");

    let (status, answer) = standin.delete(&format!("{path}?condition={fails}")).await;
    assert_eq!(status, 412);
    assert!(answer["message"].as_str().unwrap().contains("TEST_AND_SET_CONDITION_FAILED"), "{answer}");
    let put = json!({"fields": {"name": "Other"}});
    assert_eq!(standin.send(Method::POST, &format!("{path}?condition={fails}"), Some(put.clone())).await.0, 412);
    assert_eq!(standin.get(&path).await.1["fields"]["name"], "One");

    assert_eq!(standin.send(Method::POST, &format!("{path}?condition={holds}"), Some(put.clone())).await.0, 200);
    assert_eq!(standin.get(&path).await.1["fields"]["name"], "Other");
    // `create` lets a missing document pass, and nothing else.
    let create = format!("condition={fails}&create=true");
    assert_eq!(standin.send(Method::POST, &format!("{path}?{create}"), Some(put.clone())).await.0, 412);
    assert_eq!(standin.send(Method::POST, &format!("{DOC}new?{create}"), Some(put)).await.0, 200);
    assert_eq!(standin.delete(&format!("{path}?condition={}", encoded("base_entity.name=='Other'"))).await.0, 200);
    assert_eq!(standin.get(&path).await.0, 404);
}

#[tokio::test]
async fn a_condition_on_a_missing_document_fails_unless_its_bucket_is_missing_too() {
    let standin = Standin::start().await;
    let condition = encoded("base_entity.name=='x'");
    assert_eq!(standin.delete(&format!("{DOC}missing?condition={condition}")).await.0, 200);
    let bucket = |specific: &str| document_id::bucket(&format!("id:airweave:base_entity::{specific}"));
    let neighbour = (0..).map(|n| format!("n{n}")).find(|it| bucket(it) == bucket("missing")).unwrap();
    standin.put("base_entity", &neighbour, json!({})).await;
    assert_eq!(standin.delete(&format!("{DOC}missing?condition={condition}")).await.0, 412);
}

#[tokio::test]
async fn what_vespa_refuses_in_a_document_is_refused() {
    let standin = Standin::start().await;
    for (doc_type, body, message) in [
        ("nosuch", json!({"fields": {}}), "Document type nosuch does not exist"),
        (
            "base_entity",
            json!({"fields": {"name": "a\u{3}b"}}),
            "In document 'id:airweave:base_entity::x': Could not parse field 'name' of type string: \
             The string field value contains illegal code point 0x3",
        ),
        (
            "base_entity",
            json!({"fields": {"access_viewers": ["a\u{fdd0}"]}}),
            "In document 'id:airweave:base_entity::x': Could not parse field 'access_viewers' of type Array<string>: \
             The string field value contains illegal code point 0xFDD0",
        ),
        (
            "base_entity",
            json!({"fields": {"mime_type": "x"}}),
            "No field 'mime_type' in the structure of type 'base_entity'",
        ),
        ("base_entity", json!({"fields": {"created_at": "soon"}}), "Could not parse field 'created_at' of type long"),
        ("base_entity", json!({}), "is missing a 'fields' map"),
    ] {
        let path = format!("/document/v1/airweave/{doc_type}/docid/x");
        let (status, answer) = standin.send(Method::POST, &path, Some(body)).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(message), "{answer}");
    }
    let broken = standin.client.post(standin.url(&format!("{DOC}x"))).body("{\"fields\":").send().await.unwrap();
    assert_eq!(broken.status(), 400);
    assert!(broken.text().await.unwrap().contains("failed parsing document"));
}

#[tokio::test]
async fn a_child_type_has_its_parents_fields_and_its_siblings_have_not_its_own() {
    let standin = Standin::start().await;
    standin.put("code_file_entity", "x", json!({"name": "a", "mime_type": "text/x", "language": "rust"})).await;
    let path = "/document/v1/airweave/email_entity/docid/x";
    let (status, _) = standin.send(Method::POST, path, Some(json!({"fields": {"language": "rust"}}))).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_gzipped_body_is_unpacked() {
    use std::io::Write;
    let standin = Standin::start().await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&serde_json::to_vec(&json!({"fields": {"name": "packed"}})).unwrap()).unwrap();
    let request = standin.client.post(standin.url(&format!("{DOC}x"))).header("content-encoding", "gzip");
    assert_eq!(request.body(packed.finish().unwrap()).send().await.unwrap().status(), 200);
    assert_eq!(standin.get(&format!("{DOC}x")).await.1["fields"]["name"], "packed");
}

#[tokio::test]
async fn a_document_put_over_and_over_leaves_one_trace() {
    let standin = Standin::start().await;
    let puts = (0..40).map(|number| {
        let fields =
            json!({"textual_representation": format!("word{number}"), "airweave_system_metadata_sync_id": SYNC_A});
        standin.put("base_entity", "same", fields)
    });
    futures::future::join_all(puts).await;
    standin.put("base_entity", "same", json!({"textual_representation": "last", "name": "n"})).await;
    let yql = "select documentid from sources * where userInput(@q)";
    for number in 0..40 {
        let (_, answer) = standin.query(&[("yql", yql), ("q", &format!("word{number}"))]).await;
        assert_eq!(answer["root"]["fields"]["totalCount"], 0, "word{number} is still found");
    }
    assert_eq!(standin.query(&[("yql", yql), ("q", "last")]).await.1["root"]["fields"]["totalCount"], 1);
    assert_eq!(standin.count(SYNC_A).await, 0);
    let everything = "select documentid from sources * where true limit 0";
    let (_, answer) = standin.query(&[("yql", everything)]).await;
    assert_eq!(answer["root"]["coverage"]["documents"], 1);
}

#[tokio::test]
async fn counters_and_checksum_tell_what_was_done() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 2).await;
    let before = standin.checksum(SYNC_A).await;
    assert_eq!(before["documents"], 10);
    assert_eq!(standin.counters().await["put"]["operations"], 10);

    standin.put("base_entity", "other", json!({"airweave_system_metadata_sync_id": "other"})).await;
    assert_eq!(standin.checksum(SYNC_A).await, before, "another sync's document changes nothing");
    standin.put("base_entity", &format!("{SYNC_A}.0.0"), json!({"airweave_system_metadata_sync_id": SYNC_A})).await;
    assert_ne!(standin.checksum(SYNC_A).await["sha256"], before["sha256"]);

    assert_eq!(standin.send(Method::POST, "/standin/v1/counters/reset", None).await.0, 200);
    assert_eq!(standin.counters().await["put"]["operations"], 0);
}
