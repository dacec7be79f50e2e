//! The tensor field of documents: written, shown, kept, refused.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use vespa_standin::store::{Store, StoreError};
use vespa_standin::tensor::Dimensions;

use crate::support::{SYNC_A, Standin, encoded, message, of_sync, specifics};

const PATH: &str = "/document/v1/airweave/base_entity/docid/a";

fn three() -> Dimensions {
    Dimensions::new(3).unwrap()
}

async fn start() -> Standin {
    Standin::with_dimensions(TempDir::new().unwrap(), three()).await
}

fn shown(values: Value) -> Value {
    json!({"type": "tensor<float>(x[3])", "values": values})
}

async fn stored(standin: &Standin) -> Value {
    standin.get(PATH).await.1["fields"]["dense_embedding"].clone()
}

#[tokio::test]
async fn a_vector_is_shown_by_get_and_visit_and_in_no_hit() {
    let standin = start().await;
    standin.put("base_entity", "a", json!({"name": "n", "dense_embedding": [1, 0.5, -2]})).await;
    standin.put("base_entity", "empty", json!({"dense_embedding": {"values": [1, 2, 3]}})).await;
    assert_eq!(stored(&standin).await, shown(json!([1.0, 0.5, -2.0])));
    assert_eq!(standin.get(PATH).await.1["fields"]["name"], "n");
    let visit = "/document/v1/?cluster=airweave&wantedDocumentCount=9";
    let (_, answer) = standin.get(visit).await;
    let fields: Vec<Value> =
        answer["documents"].as_array().unwrap().iter().map(|it| it["fields"]["dense_embedding"].clone()).collect();
    assert!(fields.contains(&shown(json!([1.0, 0.5, -2.0]))) && fields.contains(&shown(json!([1.0, 2.0, 3.0]))));
    let (_, answer) = standin.get(&format!("{visit}&fieldSet=base_entity:name,dense_embedding")).await;
    assert_eq!(answer["documents"].to_string().matches("tensor<float>").count(), 2);
    let (_, answer) = standin.get(&format!("{PATH}?fieldSet=base_entity:name")).await;
    assert_eq!(answer["fields"], json!({"name": "n"}));
    for fields in ["*", "dense_embedding, name"] {
        let yql = format!("select {fields} from sources * where name_exact contains \"n\"");
        let (_, answer) = standin.query(&[("yql", &yql)]).await;
        let hit = &answer["root"]["children"][0]["fields"];
        assert_eq!((hit.get("dense_embedding"), &hit["name"]), (None, &json!("n")));
        assert_eq!(hit.get("name_exact"), None);
    }
    let selection = encoded("base_entity.dense_embedding and base_entity.name == null");
    let (_, answer) = standin.get(&format!("{visit}&selection={selection}")).await;
    assert_eq!(answer["documents"][0]["id"], "id:airweave:base_entity::empty");
    let (status, _) = standin.get(&format!("{PATH}?format.tensors=hex")).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn an_update_keeps_replaces_or_clears_the_vector() {
    let standin = start().await;
    standin.put("base_entity", "a", json!({"name": "n", "dense_embedding": [1, 2, 3]})).await;
    let update = async |fields: Value| {
        let (status, answer) = standin.send(Method::PUT, PATH, Some(json!({ "fields": fields }))).await;
        assert_eq!(status, 200, "{answer}");
    };
    update(json!({"name": {"assign": "m"}})).await;
    assert_eq!(stored(&standin).await, shown(json!([1.0, 2.0, 3.0])));
    update(json!({"dense_embedding": {"assign": {"values": [4, 5, 6]}}})).await;
    assert_eq!(stored(&standin).await, shown(json!([4.0, 5.0, 6.0])));
    update(json!({"dense_embedding": {"assign": null}})).await;
    assert_eq!(stored(&standin).await, Value::Null);
    update(json!({"dense_embedding": {"assign": [7, 8, 9]}})).await;
    standin.put("base_entity", "a", json!({"name": "again"})).await;
    assert_eq!(stored(&standin).await, Value::Null, "a put replaces the whole document");
}

#[tokio::test]
async fn a_vector_that_does_not_fit_is_refused_and_nothing_is_written() {
    let standin = start().await;
    let head = "In document 'id:airweave:base_entity::a': Could not parse field 'dense_embedding' of type \
                tensor<float>(x[3]): ";
    for (value, text) in [
        (json!([1, 2]), "Expected 3 values, but got 2"),
        (json!({"values": [1, 2, 3, 4]}), "Expected 3 values, but got 4"),
        (json!([1, "NaN", 3]), "Expected a number but got 'NaN'"),
    ] {
        for (method, fields) in [
            (Method::POST, json!({"dense_embedding": value})),
            (Method::PUT, json!({"dense_embedding": {"assign": value}})),
        ] {
            let (status, answer) = standin.send(method, PATH, Some(json!({ "fields": fields }))).await;
            assert_eq!((status.as_u16(), message(&answer)), (400, format!("{head}{text}").as_str()));
        }
    }
    // JSON has no word for it.
    let body = "{\"fields\": {\"dense_embedding\": [1, NaN, 3]}}";
    assert_eq!(standin.client.post(standin.url(PATH)).body(body).send().await.unwrap().status(), 400);
    let (status, answer) = standin.send(Method::POST, PATH, Some(json!({"fields": {"name_exact": "x"}}))).await;
    assert!(status == 400 && message(&answer).contains("No field 'name_exact'"), "{answer}");
    assert_eq!(standin.get(PATH).await.0, 404);
}

#[tokio::test]
async fn vectors_survive_a_restart_and_go_with_their_documents() {
    let standin = start().await;
    for (id, x) in [("a", 1), ("b", -1)] {
        let fields = json!({"dense_embedding": [x, 0, 0], "airweave_system_metadata_sync_id": SYNC_A});
        standin.put("base_entity", id, fields).await;
    }
    let before = standin.checksum(SYNC_A).await;
    let standin = Standin::with_dimensions(standin.stop().await, three()).await;
    assert_eq!(standin.checksum(SYNC_A).await, before);
    let yql = "select documentid from sources * where ({targetHits:5}nearestNeighbor(dense_embedding, q_embedding))";
    let ask = [("yql", yql), ("ranking", "semantic"), ("input.query(q_embedding)", "[1, 1, 0]")];
    assert_eq!(specifics(&standin.query(&ask).await.1), ["a", "b"]);
    let turned = json!({"fields": {"dense_embedding": {"assign": [0, 1, 0]}}});
    standin.send(Method::PUT, PATH, Some(turned)).await;
    assert_ne!(standin.checksum(SYNC_A).await["sha256"], before["sha256"], "a checksum covers the vectors");
    standin.delete(PATH).await;
    assert_eq!(specifics(&standin.query(&ask).await.1), ["b"]);
    standin.delete(&format!("/document/v1/?cluster=airweave&selection={}", encoded(&of_sync(SYNC_A)))).await;
    assert_eq!(standin.query(&ask).await.1["root"]["fields"]["totalCount"], 0);
    let folder = standin.stop().await;
    let database = rusqlite::Connection::open(folder.path().join("documents.sqlite")).unwrap();
    let left: i64 = database.query_row("SELECT count(*) FROM embedding", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_folder_with_vectors_of_another_size_is_refused() {
    let standin = start().await;
    standin.put("base_entity", "a", json!({"dense_embedding": [1, 2, 3]})).await;
    let folder = standin.stop().await;
    let refused = Store::open(folder.path(), Dimensions::DEFAULT).err();
    assert!(matches!(refused, Some(StoreError::Dimensions { stored: 3, wanted: 1536 })), "{refused:?}");
}

#[tokio::test]
async fn a_folder_of_the_first_version_is_brought_up_to_date() {
    let standin = start().await;
    let fields = json!({"name": "n", "breadcrumbs": [{"entity_id": "x", "name": "Folder"}]});
    standin.put("base_entity", "a", fields.clone()).await;
    let folder = standin.stop().await;
    let database = rusqlite::Connection::open(folder.path().join("documents.sqlite")).unwrap();
    let back = "DROP TABLE embedding; ALTER TABLE document DROP COLUMN breadcrumbs; DROP TABLE words_instance;
        DROP TABLE words; DROP TABLE word_count; DROP TABLE word_total;
        CREATE VIRTUAL TABLE words USING fts5(name, textual_representation, payload, content='',
            contentless_delete=1, tokenize='porter unicode61 remove_diacritics 2');
        DROP INDEX document_by_purge_key; DROP INDEX document_by_cased_sync;
        ALTER TABLE document DROP COLUMN airweave_system_metadata_purge_key;
        PRAGMA user_version = 1;";
    database.execute_batch(back).unwrap();
    drop(database);
    let standin = Standin::with_dimensions(folder, three()).await;
    assert_eq!(standin.get(PATH).await.1["fields"], fields);
    let yql = "select documentid from sources * where breadcrumbs contains sameElement(name contains \"folder\")";
    assert_eq!(specifics(&standin.query(&[("yql", yql)]).await.1), ["a"]);
    standin.put("base_entity", "b", json!({"name": "n", "dense_embedding": [1, 2, 3]})).await;
    let yql = "select documentid from sources * where userInput(\"n\")";
    assert_eq!(specifics(&standin.query(&[("yql", yql)]).await.1).len(), 2, "words are found as before");
}
