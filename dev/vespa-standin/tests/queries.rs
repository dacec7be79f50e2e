//! `/search/`: counts, coverage, lists, ranking, grouping, refusals.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{SYNC_A, SYNC_B, Standin, message};

const ALL: &str = "base_entity, file_entity, code_file_entity, email_entity, web_entity";

fn ids(answer: &Value) -> Vec<String> {
    let children = answer["root"]["children"].as_array().cloned().unwrap_or_default();
    children.iter().map(|hit| hit["fields"]["documentid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_count_comes_with_coverage_summed_over_the_schemas() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 3).await;
    standin.feed(SYNC_B, 2).await;
    let yql = format!(
        "select documentid from sources {ALL} where airweave_system_metadata_sync_id contains \"{SYNC_A}\" limit 0"
    );
    let (status, answer) =
        standin.query(&[("yql", yql.as_str()), ("timeout", "10s"), ("ranking.softtimeout.enable", "false")]).await;
    assert_eq!(status, 200);
    assert_eq!(
        answer,
        json!({"root": {"id": "toplevel", "relevance": 1.0, "fields": {"totalCount": 15}, "coverage": {
            "coverage": 100, "documents": 25, "full": true, "nodes": 5, "results": 5, "resultsFull": 5}}})
    );
    let one = format!(
        "select documentid from base_entity where airweave_system_metadata_sync_id contains \"{SYNC_A}\" limit 0"
    );
    let (_, answer) = standin.query(&[("yql", &one)]).await;
    assert_eq!(answer["root"]["fields"]["totalCount"], 3, "a parent does not bring in its children");
    assert_eq!(answer["root"]["coverage"]["results"], 1);
    assert_eq!(answer["root"]["coverage"]["documents"], 5);
}

#[tokio::test]
async fn a_page_of_ids_and_the_rest_by_offset() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 4).await;
    let yql =
        format!("select documentid from sources {ALL} where airweave_system_metadata_sync_id contains \"{SYNC_A}\"");
    let (_, first) = standin.query(&[("yql", yql.as_str()), ("hits", "15")]).await;
    let (_, second) = standin.query(&[("yql", yql.as_str()), ("hits", "15"), ("offset", "15")]).await;
    let mut all = ids(&first);
    assert_eq!((all.len(), ids(&second).len()), (15, 5));
    all.extend(ids(&second));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 20);
    let hit = &first["root"]["children"][0];
    assert_eq!(hit["id"], hit["fields"]["documentid"]);
    assert_eq!(hit["fields"].as_object().unwrap().len(), 1, "only what was selected: {hit}");
    // In YQL the limit counts from the start, not from the offset.
    let (_, answer) = standin.query(&[("yql", &format!("{yql} limit 5 offset 3"))]).await;
    assert_eq!(ids(&answer).len(), 2);
}

#[tokio::test]
async fn lists_references_and_case() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 1).await;
    standin.feed(SYNC_B, 1).await;
    let total = async |filter: &str, parameters: &[(&str, &str)]| {
        let yql = format!("select * from sources * where {filter} limit 0");
        let mut all = vec![("yql", yql.as_str())];
        all.extend(parameters);
        let (status, answer) = standin.query(&all).await;
        assert_eq!(status, 200, "{answer}");
        answer["root"]["fields"]["totalCount"].as_u64().unwrap()
    };
    let field = "airweave_system_metadata_sync_id";
    let list = format!("{SYNC_A}, '{SYNC_B}',absent");
    assert_eq!(total(&format!("{field} in (\"{SYNC_A}\", \"{SYNC_B}\")"), &[]).await, 10);
    assert_eq!(total(&format!("{field} in (@ids)"), &[("ids", &list)]).await, 10);
    assert_eq!(total(&format!("{field} contains @sid"), &[("sid", SYNC_A)]).await, 5);
    assert_eq!(total("airweave_system_metadata_source_name contains \"STUB\"", &[]).await, 10);
    assert_eq!(total("airweave_system_metadata_source_name contains \"stu\"", &[]).await, 0);
    assert_eq!(total(&format!("{field} contains \"{SYNC_A}\" and !({field} contains \"{SYNC_A}\")"), &[]).await, 0);
    assert_eq!(total(&format!("true and !({field} contains \"{SYNC_A}\")"), &[]).await, 5);
    assert_eq!(total("airweave_system_metadata_chunk_index >= 0 and range(created_at, 0, Infinity)", &[]).await, 0);
    assert_eq!(total("airweave_system_metadata_chunk_index < 1", &[]).await, 10);
    assert_eq!(total("true", &[]).await, 10);
    assert_eq!(total("mime_type contains \"x\" or true", &[]).await, 10);
}

#[tokio::test]
async fn words_are_found_by_stem_and_the_better_match_comes_first() {
    let standin = Standin::start().await;
    let put = async |id: &str, name: &str, text: &str| {
        let fields = json!({"name": name, "textual_representation": text, "airweave_system_metadata_sync_id": SYNC_A});
        standin.put("base_entity", id, fields).await;
    };
    put("once", "notes", "a deletion among many other words that say nothing of the matter at hand").await;
    put("often", "deletion", "deletion deletion deletions").await;
    put("never", "weather", "rain and wind").await;
    put("both", "weather", "rain and a deletion").await;
    let found = async |yql: &str, q: &str| {
        let (status, answer) = standin.query(&[("yql", yql), ("q", q)]).await;
        assert_eq!(status, 200, "{answer}");
        let scores: Vec<f64> = answer["root"]["children"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|h| h["relevance"].as_f64().unwrap())
            .collect();
        assert!(scores.is_sorted_by(|left, right| left >= right), "{scores:?}");
        ids(&answer).iter().map(|id| id.rsplit(':').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let any = "select documentid from sources * where userInput(@q)";
    assert_eq!(found(any, "Deletions").await, ["often", "both", "once"]);
    assert_eq!(found(any, "rain deletion").await.len(), 4);
    let all = "select documentid from sources * where ({defaultIndex:\"default\", grammar:\"all\"}userInput(@q)) \
               and airweave_system_metadata_sync_id contains \"11111111-1111-4111-8111-111111111111\"";
    assert_eq!(found(all, "rain deletion").await, ["both"]);
    assert_eq!(found(any, "\"NOT (rain* OR\" - {}").await.len(), 2, "a text is never read as a query language");
    let (status, answer) = standin.query(&[("yql", any), ("q", "!?")]).await;
    assert_eq!(status, 400);
    assert!(message(&answer).contains("Parsing '!?' only resulted in NullItem."), "{answer}");
    let by_field = "select documentid from sources * where textual_representation contains \"rain and\"";
    assert_eq!(found(by_field, "").await.len(), 2);
}

#[tokio::test]
async fn all_fields_on_request_and_an_order_by_field() {
    let standin = Standin::start().await;
    for (id, created) in [("a", 2), ("b", 3), ("c", 1)] {
        standin.put("file_entity", id, json!({"name": id, "created_at": created, "mime_type": "text/plain"})).await;
    }
    let yql = "select * from sources * where true order by created_at desc";
    let (_, answer) = standin.query(&[("yql", yql)]).await;
    let names: Vec<_> =
        answer["root"]["children"].as_array().unwrap().iter().map(|hit| hit["fields"]["name"].clone()).collect();
    assert_eq!(names, ["b", "a", "c"]);
    let fields = &answer["root"]["children"][0]["fields"];
    assert_eq!(fields["sddocname"], "file_entity");
    assert_eq!(fields["mime_type"], "text/plain");
}

#[tokio::test]
async fn groups_count_documents_by_value() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 2).await;
    standin.feed(SYNC_B, 1).await;
    let yql = "select * from sources * where true limit 0 \
               | all(group(airweave_system_metadata_sync_id) max(10000) each(output(count())))";
    let (status, answer) = standin.query(&[("yql", yql)]).await;
    assert_eq!(status, 200, "{answer}");
    let root = &answer["root"]["children"][0];
    assert_eq!(root["id"], "group:root:0");
    let list = &root["children"][0];
    assert_eq!(list["label"], "airweave_system_metadata_sync_id");
    assert_eq!(
        list["children"][0],
        json!({
        "id": format!("group:string:{SYNC_A}"), "relevance": 0.0, "value": SYNC_A, "fields": {"count()": 10}})
    );
    assert_eq!(list["children"][1]["fields"]["count()"], 5);
    let (_, answer) = standin.query(&[("yql", &yql.replace("10000", "1"))]).await;
    assert_eq!(answer["root"]["children"][0]["children"][0]["children"].as_array().unwrap().len(), 1);
    assert_eq!(standin.query(&[("yql", &yql.replace("10000", "10001"))]).await.0, 400);
}

#[tokio::test]
async fn a_query_by_post() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 2).await;
    let body = json!({
        "yql": "select documentid from sources * where airweave_system_metadata_sync_id contains @sid",
        "sid": SYNC_A, "hits": 3, "timeout": "10s", "ranking": {"softtimeout": {"enable": false}}});
    let (status, answer) = standin.send(Method::POST, "/search/", Some(body)).await;
    assert_eq!((status.as_u16(), ids(&answer).len()), (200, 3));
    assert_eq!(answer["root"]["fields"]["totalCount"], 10);
}

#[tokio::test]
async fn refusals_have_vespas_texts() {
    let standin = Standin::start().await;
    let everything = "select * from sources * where true";
    for (parameters, text) in [
        (vec![("yql", "select * from sources * where nosuch contains \"x\"")], "Field 'nosuch' does not exist."),
        (
            vec![("yql", "select * from base_entity where mime_type contains \"x\"")],
            "Field 'mime_type' does not exist.",
        ),
        (vec![("yql", "select * from sources nosuch where true")], "Could not resolve source ref 'nosuch'."),
        (vec![("yql", "select * from sources * where (true")], "Could not create query from YQL"),
        (vec![("yql", everything), ("hits", "10001")], "10001 hits requested, configured limit: 10000."),
        (vec![("yql", everything), ("offset", "10001")], "configured limit: 10000."),
        (
            vec![("yql", "select * from sources * where true limit 10001")],
            "Requested 10001 hits returned, but max hits allowed is 10000.",
        ),
        (vec![], "No query"),
    ] {
        let (status, answer) = standin.query(&parameters).await;
        assert_eq!(status, 400, "{answer}");
        assert!(message(&answer).contains(text), "{answer}");
    }
}

#[tokio::test]
async fn a_removed_document_is_out_of_the_count_as_soon_as_the_removal_is_answered() {
    let standin = Standin::start().await;
    standin.feed(SYNC_A, 1).await;
    for (left, doc_type) in crate::support::TYPES.into_iter().enumerate().map(|(done, it)| (4 - done, it)) {
        standin.delete(&format!("/document/v1/airweave/{doc_type}/docid/{SYNC_A}.0.0")).await;
        assert_eq!(standin.count(SYNC_A).await, u64::try_from(left).unwrap());
    }
}
