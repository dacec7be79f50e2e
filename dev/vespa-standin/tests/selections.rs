//! What a selection selects: exact types, three values, refusals.

use reqwest::Method;
use serde_json::json;

use crate::support::{SYNC_A, SYNC_B, Standin, encoded, of_sync};

async fn selected(standin: &Standin, selection: &str) -> u64 {
    let path = format!(
        "/document/v1/?cluster=airweave&wantedDocumentCount=100000&fieldSet=%5Bid%5D&selection={}",
        encoded(selection)
    );
    let (status, answer) = standin.get(&path).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer.get("continuation"), None);
    answer["documentCount"].as_u64().unwrap()
}

#[tokio::test]
async fn a_field_of_a_type_is_not_a_field_of_the_types_that_inherit_it() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 2).await;
    standin.feed(SYNC_B, 1).await;
    let base = format!("base_entity.airweave_system_metadata_sync_id=='{SYNC_A}'");
    assert_eq!(selected(&standin, &base).await, 2);
    assert_eq!(selected(&standin, "base_entity").await, 3);
    assert_eq!(selected(&standin, &of_sync(SYNC_A)).await, 10);
    assert_eq!(selected(&standin, &format!("not ({base})")).await, 1, "invalid is not false");
    assert_eq!(selected(&standin, &format!("not file_entity and ({})", of_sync(SYNC_A))).await, 8);
}

#[tokio::test]
async fn a_misspelled_field_selects_nothing_and_says_nothing() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 1).await;
    for selection in [
        format!("base_entity.sync_id=='{SYNC_A}'"),
        format!("not (base_entity.sync_id=='{SYNC_A}')"),
        "base_entity.sync_id != null".to_owned(),
        "base_entity.mime_type == null".to_owned(),
    ] {
        assert_eq!(selected(&standin, &selection).await, 0, "{selection}");
    }
    let path = format!("/document/v1/?cluster=airweave&selection={}", encoded("base_entity.sync_id=='x'"));
    let (status, answer) = standin.delete(&path).await;
    assert_eq!((status.as_u16(), answer), (200, json!({"pathId": "/document/v1/", "documentCount": 0})));
}

#[tokio::test]
async fn comparisons_nulls_and_ids() {
    let standin = Standin::start().await;
    standin.put("base_entity", "a", json!({"name": "Alpha", "created_at": 5, "access_is_public": true})).await;
    standin.put("base_entity", "b", json!({"name": "beta", "payload": "p", "access_viewers": ["u", "v"]})).await;
    for (selection, count) in [
        ("base_entity.name == 'Alpha'", 1),
        ("base_entity.name == 'alpha'", 0),
        ("base_entity.name = 'A*a'", 1),
        ("base_entity.name = '*?'", 2),
        ("base_entity.name = 'A?a'", 0),
        ("'Alpha' == base_entity.name", 1),
        ("base_entity.created_at >= 5 and base_entity.created_at < 6", 1),
        ("base_entity.created_at > 4.5", 1),
        ("base_entity.created_at == '5'", 0),
        ("base_entity.created_at == null", 1),
        ("base_entity.created_at != null", 1),
        ("base_entity.created_at < 9 or true", 2),
        ("base_entity.created_at != 5", 1),
        ("not base_entity.created_at > 4", 0),
        ("base_entity.payload", 1),
        ("base_entity.payload == \"p\"", 1),
        ("base_entity.access_is_public == true", 1),
        ("base_entity.access_viewers == 'v'", 1),
        ("id == 'id:airweave:base_entity::a'", 1),
        ("id.namespace == 'airweave' AND id.type == 'base_entity' and id.specific != 'a'", 1),
        ("id.user == 1", 0),
        ("true", 2),
        ("false", 0),
        ("not not true", 2),
        ("base_entity.name == 'Alph\\x61'", 1),
        ("false and false or true", 2),
        ("false and (false or true)", 0),
        ("not false and false", 0),
    ] {
        assert_eq!(selected(&standin, selection).await, count, "{selection}");
    }
}

#[tokio::test]
async fn what_the_content_node_refuses_is_500_and_what_the_container_refuses_400() {
    let standin = Standin::start().await;
    let too_deep = vec!["true"; 1100].join(" or ");
    let nested = format!("{}true{}", "not (".repeat(1100), ")".repeat(1100));
    for (selection, status, text) in [
        ("nosuch.name=='x'", 500, "Document type 'nosuch' not found at column 1"),
        ("base_entity or nosuch", 500, "ILLEGAL_PARAMETERS"),
        ("name=='x'", 500, "ILLEGAL_PARAMETERS"),
        ("base_entity.name=='it\\'s'", 500, "Illegal escape sequence \\' found"),
        (too_deep.as_str(), 500, "too deeply nested (max 1024 levels)"),
        (nested.as_str(), 500, "too deeply nested (max 1024 levels)"),
        ("base_entity.name in ('a')", 400, "Encountered"),
        ("base_entity.name ==", 400, "Encountered"),
        ("(base_entity.name == 'a'", 400, "Encountered"),
        ("base_entity.name == 'a", 400, "Lexical error"),
        ("base_entity.name == 'a' bar", 400, "Encountered \" <IDENTIFIER> \"bar \"\""),
        ("nosuch == 'x' and", 400, "Encountered"),
    ] {
        let path = format!("/document/v1/?cluster=airweave&selection={}", encoded(selection));
        for method in [Method::GET, Method::DELETE] {
            let (answered, answer) = standin.send(method, &path, None).await;
            assert_eq!(answered, status, "{selection}: {answer}");
            assert!(answer["message"].as_str().unwrap().contains(text), "{answer}");
            assert_eq!(answer.get("continuation"), None);
        }
    }
}

#[tokio::test]
async fn a_thousand_terms_are_not_too_many() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 1).await;
    let mut terms = vec!["base_entity.name=='x'".to_owned(); 1000];
    terms.push(of_sync(SYNC_A));
    assert_eq!(selected(&standin, &terms.join(" or ")).await, 5);
}
