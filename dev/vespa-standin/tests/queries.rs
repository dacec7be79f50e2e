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

/// A shelf of texts, and what a question finds on it.
struct Shelf(Standin);

impl Shelf {
    async fn new() -> Self {
        let standin = Standin::start().await;
        for (id, name, text) in [
            ("once", "notes", "a deletion among many other words that say nothing of the matter at hand"),
            ("often", "deletion", "deletion deletion deletions"),
            ("never", "weather", "rain and wind"),
            ("both", "weather", "rain and a deletion"),
        ] {
            let fields =
                json!({"name": name, "textual_representation": text, "airweave_system_metadata_sync_id": SYNC_A});
            standin.put("base_entity", id, fields).await;
        }
        Self(standin)
    }

    /// The ids, the best first; what the query was refused with.
    async fn find(&self, condition: &str, question: &str) -> Result<Vec<String>, String> {
        let yql = format!("select documentid from sources * where {condition}");
        let (status, answer) = self.0.query(&[("yql", &yql), ("q", question)]).await;
        if status != 200 {
            assert_eq!(status, 400, "{answer}");
            return Err(message(&answer).to_owned());
        }
        let children = answer["root"]["children"].as_array().cloned().unwrap_or_default();
        let scores: Vec<f64> = children.iter().map(|hit| hit["relevance"].as_f64().unwrap()).collect();
        assert!(scores.is_sorted_by(|left, right| left >= right), "{scores:?}");
        Ok(ids(&answer).iter().map(|id| id.rsplit(':').next().unwrap().to_owned()).collect())
    }

    async fn set(&self, condition: &str, question: &str) -> String {
        let mut found = self.find(condition, question).await.unwrap();
        found.sort();
        found.join(" ")
    }
}

const TOKENIZE: &str = "nonEmpty(({targetHits:10, defaultIndex:\"default\", grammar:\"tokenize\"}userInput(@q)))";
const WEAK_AND: &str = "({targetHits:10, defaultIndex:\"default\", grammar:\"weakAnd\"}userInput(@q))";

#[tokio::test]
async fn words_are_found_as_they_are_and_the_better_match_comes_first() {
    let shelf = Shelf::new().await;
    assert_eq!(shelf.find("userInput(@q)", "Deletion").await.unwrap(), ["often", "both", "once"]);
    assert_eq!(shelf.set("userInput(@q)", "deletions").await, "often", "no word is stemmed");
    assert_eq!(shelf.set("userInput(@q)", "rain deletion").await, "both never often once");
    let all = "({defaultIndex:\"default\", grammar:\"all\"}userInput(@q)) \
               and airweave_system_metadata_sync_id contains \"11111111-1111-4111-8111-111111111111\"";
    assert_eq!(shelf.set(all, "rain deletion").await, "both");
    assert_eq!(shelf.set("textual_representation contains \"rain and\"", "").await, "both never");
}

/// What Vespa's parsers make of what a person types: `weakAnd` is a query language, `tokenize` takes words.
#[tokio::test]
async fn a_question_means_something_else_than_its_words_only_to_weak_and() {
    let shelf = Shelf::new().await;
    for (question, weak_and, tokenize) in [
        ("rain", "both never", "both never"),
        ("-rain", "often once", "both never"),
        ("deletion -rain", "often once", "both never often once"),
        ("name:weather", "both never", "both never"),
        ("name:rain", "", "both never"),
        ("textual_representation:weather", "", "both never"),
        ("wind*", "", "never"),
        ("rain_wind", "never", "both never"),
        ("\"rain and wind\"", "never", "both never"),
        ("(deletion) +rain", "both never often once", "both never often once"),
        ("deletion rain wind!", "both never often once", "both never often once"),
    ] {
        assert_eq!(shelf.set(WEAK_AND, question).await, weak_and, "weakAnd {question}");
        assert_eq!(shelf.set(TOKENIZE, question).await, tokenize, "tokenize {question}");
    }
}

#[tokio::test]
async fn a_question_without_words_is_refused_or_finds_everything() {
    let shelf = Shelf::new().await;
    for question in ["!?", "½", "①²", "-", "«»"] {
        let refused = shelf.find(TOKENIZE, question).await.unwrap_err();
        assert!(refused.ends_with("Empty composite operator (WEAKAND) inside nonEmpty()"), "{refused}");
        let open = TOKENIZE.replace("nonEmpty", "");
        assert_eq!(shelf.set(&open, question).await, "both never often once", "nobody asked for all of them");
        let refused = shelf.find(WEAK_AND, question).await.unwrap_err();
        assert!(refused.ends_with(&format!("Parsing '{question}' only resulted in NullItem.")), "{refused}");
    }
    let refused = shelf.find("({grammar:\"web\"}userInput(@q))", "rain").await.unwrap_err();
    assert!(refused.contains("'web' is not spoken"), "{refused}");
}

/// Computed by hand: `ln(1 + (N - n + 0.5) / (n + 0.5)) * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length / average))`.
#[tokio::test]
async fn scores_are_those_of_vespas_bm25() {
    let standin = Standin::start().await;
    for (id, text) in [("a", "apple apple pear"), ("b", "apple"), ("c", "plum plum plum plum plum")] {
        standin.put("base_entity", id, json!({"textual_representation": text})).await;
    }
    // Another type has statistics of its own.
    standin.put("web_entity", "w", json!({"textual_representation": "apple"})).await;
    let yql = format!("select documentid from sources base_entity where {TOKENIZE}");
    let scores = async |question: &str| -> Vec<(String, f64)> {
        let (status, answer) = standin.query(&[("yql", &yql), ("q", question)]).await;
        assert_eq!(status, 200, "{answer}");
        let hits = answer["root"]["children"].as_array().unwrap();
        let id = |hit: &Value| hit["id"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        hits.iter().map(|hit| (id(hit), hit["relevance"].as_f64().unwrap())).collect()
    };
    let expect = |found: &[(String, f64)], expected: &[(&str, f64)]| {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((id, score), (expected_id, expected_score)) in found.iter().zip(expected) {
            assert_eq!(id, expected_id);
            assert!((score - expected_score).abs() < 1e-9, "{found:?} {expected:?}");
        }
    };
    let idf = |frequency: f64| (1.0 + (3.0 - frequency + 0.5) / (frequency + 0.5)).ln();
    let weight = |count: f64, length: f64| count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / 3.0));
    expect(&scores("apple").await, &[("a", idf(2.0) * weight(2.0, 3.0)), ("b", idf(2.0) * weight(1.0, 1.0))]);
    expect(&scores("plum pear").await, &[("c", idf(1.0) * weight(5.0, 5.0)), ("a", idf(1.0) * weight(1.0, 3.0))]);
    // A word that most documents have still counts for them, and what is removed or written again counts once.
    standin.put("base_entity", "c", json!({"textual_representation": "apple plum plum plum plum"})).await;
    standin.put("base_entity", "d", json!({"textual_representation": "apple"})).await;
    standin.delete("/document/v1/airweave/base_entity/docid/d").await;
    let found = scores("apple").await;
    let weight = |count: f64, length: f64| count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / 3.0));
    let idf = idf(3.0);
    expect(&found, &[("a", idf * weight(2.0, 3.0)), ("b", idf * weight(1.0, 1.0)), ("c", idf * weight(1.0, 5.0))]);
    assert!(found.iter().all(|(_, score)| *score > 0.1), "{found:?}");
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
    assert_eq!(standin.query(&[("yql", &yql.replace("10000", "1000001"))]).await.0, 400);
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
        (vec![("yql", "select * from sources * where range(created_at, 9223372036854775808, 0)")], "For input string"),
        (
            vec![("yql", "select * from sources * where range(created_at, @a, 5L)"), ("a", "1")],
            "Expected a numerical argument (or 'Infinity') to range but got 'a'",
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
