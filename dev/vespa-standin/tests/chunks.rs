//! Removal by selection in chunks and slices: disjoint, complete, and nothing else touched.

use serde_json::{Value, json};
use vespa_standin::document::{Fields, Prepared};
use vespa_standin::schema::DocType;
use vespa_standin::store::{Found, Operation, Outcome, Scan, Store};
use vespa_standin::tensor::Dimensions;
use vespa_standin::{document_id, selection};

use crate::support::{SYNC_A, SYNC_B, Standin, encoded, of_sync};

/// Follows a chain of tokens to its end; counts of each request.
async fn drain(standin: &Standin, query: &str) -> Vec<u64> {
    let mut counts = Vec::new();
    let mut continuation = String::new();
    loop {
        let (status, answer) = standin.delete(&format!("/document/v1/?cluster=airweave&{query}{continuation}")).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer.get("message"), None);
        counts.push(answer["documentCount"].as_u64().unwrap());
        match answer.get("continuation").and_then(Value::as_str) {
            Some(token) => continuation = format!("&continuation={}", encoded(token)),
            None => return counts,
        }
    }
}

#[tokio::test]
async fn one_pass_removes_the_selected_and_leaves_the_rest_as_it_was() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 20).await;
    standin.feed(SYNC_B, 20).await;
    let other = standin.checksum(SYNC_B).await;
    let path = format!("/document/v1/?cluster=airweave&selection={}", encoded(&of_sync(SYNC_A)));
    let (status, answer) = standin.delete(&path).await;
    assert_eq!((status.as_u16(), answer), (200, json!({"pathId": "/document/v1/", "documentCount": 100})));
    assert_eq!(standin.count(SYNC_A).await, 0);
    assert_eq!(standin.checksum(SYNC_B).await, other);
    let counters = standin.counters().await;
    assert_eq!(counters["bulk_delete"]["documents_examined"], 200, "a walk looks at everything");
    assert_eq!(counters["bulk_delete"]["operations"], 100);
    assert_eq!(standin.delete(&path).await.1["documentCount"], 0);
}

#[tokio::test]
async fn a_short_time_chunk_ends_with_a_token_and_the_chain_is_complete() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 30).await;
    let counts = drain(&standin, &format!("selection={}&timeChunk=0ms", encoded(&of_sync(SYNC_A)))).await;
    assert_eq!(counts.len(), 256, "one bucket each");
    assert_eq!(counts.iter().sum::<u64>(), 150);
    assert!(counts.contains(&0), "a chunk that finds nothing is no end");
    assert_eq!(standin.count(SYNC_A).await, 0);
}

#[tokio::test]
async fn slices_are_disjoint_and_together_complete() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 30).await;
    let selection = encoded(&of_sync(SYNC_A));
    let mut total = 0;
    for slice in 0..3 {
        let counts = drain(&standin, &format!("selection={selection}&slices=3&sliceId={slice}&timeChunk=0ms")).await;
        let removed: u64 = counts.iter().sum();
        assert!(removed > 0 && removed < 150, "slice {slice} removed {removed}");
        total += removed;
        assert_eq!(standin.count(SYNC_A).await, 150 - total);
    }
    assert_eq!(total, 150, "no document in two slices, none in no slice");
    assert_eq!(drain(&standin, &format!("selection={selection}&slices=1000&sliceId=999")).await, [0]);
    let counters = standin.counters().await;
    assert_eq!(counters["bulk_delete"]["operations"], 150);
}

#[tokio::test]
async fn the_typed_path_removes_its_type_in_its_namespace() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 3).await;
    let query = format!("cluster=airweave&selection={}", encoded(&of_sync(SYNC_A)));
    let (_, answer) = standin.delete(&format!("/document/v1/other/file_entity/docid/?{query}")).await;
    assert_eq!(answer["documentCount"], 0);
    let (_, answer) = standin.delete(&format!("/document/v1/airweave/file_entity/docid?{query}")).await;
    assert_eq!(answer, json!({"pathId": "/document/v1/airweave/file_entity/docid", "documentCount": 3}));
    assert_eq!(standin.count(SYNC_A).await, 12);
}

#[tokio::test]
async fn a_token_has_vespas_form() {
    let standin = Standin::start().await;
    let (_, answer) = standin.delete("/document/v1/?cluster=airweave&selection=true&timeChunk=0ms").await;
    assert_eq!(answer["continuation"], "AAAACAAAAAAAAAABAAAAAAAAAAEAAAAAAAABAAAAAAA=");
}

#[test]
fn a_document_rewritten_between_match_and_removal_survives() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Dimensions::DEFAULT).unwrap();
    let id = "id:airweave:base_entity::x";
    let put = |name: &str| {
        let fields = Fields::from_iter([("name".to_owned(), Value::from(name))]);
        let document = Box::new(Prepared::new(DocType::Base, fields));
        store.write_blocking(Operation::Put { id: id.to_owned(), document, condition: None, create: false }).unwrap();
    };
    let found = |name: &str| {
        let selection = selection::parse(&format!("base_entity.name=='{name}'")).unwrap();
        store.walk(document_id::bucket(id), &Scan::new(&DocType::ALL, &selection, false)).unwrap().0
    };
    let remove = |found: &[Found]| {
        let documents = found.iter().map(|found| (found.id.clone(), found.serial)).collect();
        store.write_blocking(Operation::RemoveSelected(documents)).unwrap()
    };
    put("old");
    let matched = found("old");
    put("new");
    assert_eq!(remove(&matched), Outcome::Done { changed: 0, examined: 0, bytes: 0 });
    assert_eq!(remove(&found("new")), Outcome::Done { changed: 1, examined: 0, bytes: 0 });
    assert_eq!(store.get(id).unwrap(), None);
}
