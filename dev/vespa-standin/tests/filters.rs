//! The where clause: what each condition finds, and what a search has to look at.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{SYNC_A, SYNC_B, Standin, message, specifics};

const SYNC: &str = "airweave_system_metadata_sync_id";

/// Three documents that differ in everything.
async fn library() -> Standin {
    let standin = Standin::start().await;
    let crumb = |id: &str, name: &str| json!({"entity_id": id, "name": name, "entity_type": "FolderEntity"});
    let documents = [
        json!({"name": "Annual Report (2025).pdf", "created_at": 100, "airweave_system_metadata_chunk_index": 0,
            "airweave_system_metadata_source_name": "GitHub", "access_is_public": true, "access_viewers": ["Ann", "Bob"],
            "textual_representation": "Profits rose", "breadcrumbs": [crumb("f1", "Finance"), crumb("f2", "Reports")]}),
        json!({"name": "report", "created_at": 200, "airweave_system_metadata_chunk_index": 1, "access_is_public": false,
            "airweave_system_metadata_source_name": "Files", "textual_representation": "profits fell",
            "breadcrumbs": [crumb("f1", "Reports"), crumb("f2", "Finance")]}),
        json!({"name": "Notes \"of\" 20\\25", "created_at": 4_000_000_000_i64, "airweave_system_metadata_chunk_index": 2}),
    ];
    for (id, mut fields) in ["a", "b", "c"].into_iter().zip(documents) {
        fields[SYNC] = SYNC_A.into();
        standin.put("base_entity", id, fields).await;
    }
    standin
}

async fn found(standin: &Standin, filter: &str) -> String {
    let yql = format!("select documentid from sources * where {SYNC} contains \"{SYNC_A}\" and ({filter})");
    let (status, answer) = standin.query(&[("yql", &yql), ("p", "GITHUB"), ("list", "'files', github")]).await;
    assert_eq!(status, 200, "{filter}: {answer}");
    let mut ids = specifics(&answer);
    assert_eq!(answer["root"]["fields"]["totalCount"], ids.len());
    ids.sort();
    ids.concat()
}

#[tokio::test]
async fn texts_are_compared_without_case_as_a_whole_or_by_pattern() {
    let standin = library().await;
    for (filter, expected) in [
        ("airweave_system_metadata_source_name contains \"gitHUB\"", "a"),
        ("airweave_system_metadata_source_name contains \"git\"", ""),
        ("airweave_system_metadata_source_name contains @p", "a"),
        ("airweave_system_metadata_source_name in (\"github\", 'FILES')", "ab"),
        ("airweave_system_metadata_source_name in (@list)", "ab"),
        ("airweave_system_metadata_source_name matches \"^git\"", "a"),
        ("airweave_system_metadata_source_name matches \"I\"", "ab"),
        ("airweave_system_metadata_source_name matches \"hub|les$\"", "ab"),
        ("access_viewers contains \"bob\"", "a"),
        ("access_viewers matches \"^b\"", "a"),
        // The name by word, and the name as a whole.
        ("name contains \"report\"", "ab"),
        ("name contains \"annual report\"", "a"),
        ("name contains phrase(\"report\", \"2025\")", "a"),
        ("name in (\"report\", \"annual report (2025).pdf\")", "ab"),
        ("name matches \"re.ort\"", ""),
        ("name_exact contains \"REPORT\"", "b"),
        ("name_exact in (\"report\", \"annual report (2025).pdf\")", "ab"),
        ("name_exact matches \"re.ort\"", "ab"),
        ("name_exact matches \"\\\\(2025\\\\)\\\\.PDF\"", "a"),
        ("name_exact contains \"notes \\\"of\\\" 20\\\\25\"", "c"),
        ("name_exact matches 'notes \"\\u006ff\" 20\\\\\\\\25'", "c"),
        ("textual_representation contains \"profits\" and name_exact contains \"report\"", "b"),
    ] {
        assert_eq!(found(&standin, filter).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn numbers_are_compared_and_what_has_none_matches_nothing() {
    let standin = library().await;
    standin.put("base_entity", "none", json!({"name": "none", SYNC: SYNC_A})).await;
    for (filter, expected) in [
        ("created_at = 100", "a"),
        ("created_at < 200", "a"),
        ("created_at <= 200", "ab"),
        ("created_at > 200", "c"),
        ("created_at >= 4000000000L", "c"),
        ("range(created_at, 100, 200)", "ab"),
        ("range(created_at, -Infinity, 150)", "a"),
        ("range(created_at, -Infinity, Infinity)", "abc"),
        ("!(range(created_at, -Infinity, Infinity))", "none"),
        ("created_at in (200, 4000000000)", "bc"),
        ("airweave_system_metadata_chunk_index = 1 or airweave_system_metadata_chunk_index > 1", "bc"),
        ("updated_at >= 0", ""),
    ] {
        assert_eq!(found(&standin, filter).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn conditions_on_one_element_hold_for_one_and_the_same() {
    let standin = library().await;
    for (filter, expected) in [
        ("breadcrumbs contains sameElement(entity_id contains \"f1\", name contains \"finance\")", "a"),
        ("breadcrumbs contains sameElement(entity_id contains \"F1\" and name matches \"^rep\")", "b"),
        ("breadcrumbs contains sameElement(name contains \"finance\")", "ab"),
        ("breadcrumbs contains sameElement(entity_id contains \"f1\", !(name contains \"finance\"))", "b"),
        ("breadcrumbs contains sameElement(entity_id contains \"x\" or name in (\"reports\"))", "ab"),
        ("breadcrumbs contains sameElement(entity_id contains \"f1\", entity_id contains \"f2\")", ""),
        ("breadcrumbs.entity_id contains \"f1\" and breadcrumbs.entity_id contains \"f2\"", "ab"),
        ("breadcrumbs.name matches \"^fin\"", "ab"),
        ("!(breadcrumbs contains sameElement(entity_type contains \"folderentity\"))", "c"),
    ] {
        assert_eq!(found(&standin, filter).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn and_binds_more_tightly_than_or_and_brackets_more_than_both() {
    let standin = library().await;
    for (filter, expected) in [
        ("created_at = 100 or created_at = 200 and name_exact contains \"x\"", "a"),
        ("(created_at = 100 or created_at = 200) and name_exact contains \"report\"", "b"),
        ("created_at = 200 AND true OR created_at = 100", "ab"),
        ("!(created_at = 100)", "bc"),
        ("!(created_at = 100 or !(created_at = 200))", "b"),
        ("created_at > 0 and !(created_at = 100) and !(created_at = 200)", "c"),
        ("false or (true and !(false))", "abc"),
    ] {
        assert_eq!(found(&standin, filter).await, expected, "{filter}");
    }
    // A negation alone matches all that don't, as Vespa puts `true` beside it.
    let yql = "select documentid from sources * where !(created_at = 100)";
    assert_eq!(specifics(&standin.query(&[("yql", yql)]).await.1).len(), 2);
}

#[tokio::test]
async fn words_and_filters_go_together_and_the_ranking_stays() {
    let standin = library().await;
    let yql = format!(
        "select documentid from sources * where {SYNC} in (\"{SYNC_A}\") and (created_at < 150 or created_at > 300) \
         and ({{targetHits:10, defaultIndex:\"default\", grammar:\"weakAnd\"}}userInput(@q))"
    );
    let (_, answer) = standin.query(&[("yql", yql.as_str()), ("q", "profits"), ("ranking.profile", "keyword")]).await;
    assert_eq!(specifics(&answer), ["a"]);
    assert!(answer["root"]["children"][0]["relevance"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn a_condition_that_can_t_be_asked_is_refused() {
    let standin = library().await;
    let member = "breadcrumbs contains sameElement";
    for (filter, text) in [
        ("nosuch matches \"x\"".to_owned(), "Field 'nosuch' does not exist."),
        (format!("{member}(nosuch contains \"x\")"), "Field 'breadcrumbs.nosuch' does not exist."),
        ("name contains sameElement(x contains \"y\")".to_owned(), "Field 'name.x' does not exist."),
        ("breadcrumbs.nosuch contains \"x\"".to_owned(), "Field 'breadcrumbs.nosuch' does not exist."),
        ("name_exact matches \"(\"".to_owned(), "unclosed group"),
        ("access_is_public = true".to_owned(), "Field 'access_is_public' does not exist."),
        ("payload contains \"x\"".to_owned(), "Field 'payload' does not exist."),
        (format!("{}true{}", "(".repeat(40), ")".repeat(40)), "too deeply nested"),
        ("created_at != 3".to_owned(), "got NEQ."),
        (format!("{member}(userInput(@p))"), "SameElementItem cannot contain 'userInput'"),
        ("name_exact contains fuzzy(\"x\")".to_owned(), "'fuzzy' is not spoken"),
        ("rank(true, true)".to_owned(), "'rank' is not spoken"),
        ("name contains \"\\ud83d\"".to_owned(), "half a character"),
        ("name contains \"x".to_owned(), "a string without an end"),
    ] {
        let yql = format!("select * from sources * where {filter}");
        let (status, answer) = standin.query(&[("yql", &yql), ("p", "words")]).await;
        assert_eq!(status, 400, "{filter}: {answer}");
        assert!(message(&answer).contains(text), "{filter}: {answer}");
    }
    let body = json!({"fields": {"breadcrumbs": [{"entity_id": "x", "nosuch": "y"}]}});
    let (status, answer) = standin.send(Method::POST, "/document/v1/airweave/base_entity/docid/x", Some(body)).await;
    assert_eq!(status, 400);
    assert!(message(&answer).contains("No field 'nosuch' in the structure of type 'breadcrumb'"), "{answer}");
}

#[tokio::test]
async fn a_search_in_one_sync_examines_what_that_sync_has() {
    let standin = library().await;
    let near = "({targetHits:5}nearestNeighbor(dense_embedding, q_embedding))";
    let vector = Value::from(vec![0.5; 1536]);
    let filters = [
        "userInput(@q)".to_owned(),
        near.to_owned(),
        format!("(created_at > 1 or name_exact matches \"e\") and !(web_url contains \"x\") and {near}"),
        "breadcrumbs contains sameElement(name matches \"e\") and name contains \"report\"".to_owned(),
    ];
    let examined = async || {
        standin.send(Method::POST, "/standin/v1/counters/reset", None).await;
        for filter in &filters {
            // Wherever the condition on the sync stands.
            let yql = format!("select * from sources * where {filter} and ({SYNC} in (\"{SYNC_A}\") and true)");
            let body = json!({"yql": yql, "q": "report", "ranking": "semantic", "input.query(q_embedding)": vector});
            let (status, answer) = standin.send(Method::POST, "/search/", Some(body)).await;
            assert_eq!(status, 200, "{answer}");
        }
        let query = standin.counters().await["query"].clone();
        (query["documents_examined"].as_u64().unwrap(), query["bytes_read"].as_u64().unwrap())
    };
    standin.put("base_entity", "d", json!({"name": "report", "dense_embedding": vector, SYNC: SYNC_A})).await;
    let before = examined().await;
    assert_eq!(before.0, 4 * 4, "four documents, four searches");
    let others = (0..60).map(|number| {
        let fields = json!({"name": "report e", "created_at": 5, "dense_embedding": vector, SYNC: SYNC_B});
        let (standin, id) = (&standin, format!("other-{number}"));
        async move { standin.put("base_entity", &id, fields).await }
    });
    futures::future::join_all(others).await;
    assert_eq!(examined().await, before);
}
