//! Nearest neighbours: who is found, in what order, and what is refused.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use vespa_standin::tensor::Dimensions;

use crate::support::{SYNC_A, SYNC_B, Standin, message, specifics};

const SYNC: &str = "airweave_system_metadata_sync_id";

async fn start() -> Standin {
    Standin::with_dimensions(TempDir::new().unwrap(), Dimensions::new(2).unwrap()).await
}

/// A document whose vector points that many degrees off the first axis.
async fn put(standin: &Standin, doc_type: &str, id: &str, sync: &str, degrees: i32) {
    let (y, x) = f64::from(degrees).to_radians().sin_cos();
    let fields = json!({
        "name": id, "textual_representation": format!("words of {id}"), "created_at": degrees,
        "dense_embedding": [x, y], SYNC: sync,
    });
    standin.put(doc_type, id, fields).await;
}

fn near(hits: u32) -> String {
    format!("({{targetHits:{hits}}}nearestNeighbor(dense_embedding, q_embedding))")
}

/// Asks along the first axis.
async fn ask(standin: &Standin, filter: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let yql = format!("select documentid from sources * where {filter}");
    let mut parameters = vec![("yql", yql.as_str()), ("ranking.profile", "semantic")];
    parameters.push(("input.query(q_embedding)", "[1.0, 0.0]"));
    parameters.extend(more);
    let (status, answer) = standin.query(&parameters).await;
    (status.as_u16(), answer)
}

async fn found(standin: &Standin, filter: &str) -> Vec<String> {
    let (status, answer) = ask(standin, filter, &[]).await;
    assert_eq!(status, 200, "{answer}");
    specifics(&answer)
}

#[tokio::test]
async fn the_nearest_come_first_with_the_closeness_of_their_angle() {
    let standin = start().await;
    for (id, degrees) in [("far", 170), ("near", 10), ("same", 0), ("right", 90)] {
        put(&standin, "base_entity", id, SYNC_A, degrees).await;
    }
    // However long it is, a vector is as near as its direction.
    standin.put("base_entity", "long", json!({"dense_embedding": {"values": [50, 50]}, SYNC: SYNC_A})).await;
    standin.put("base_entity", "without", json!({"name": "without", SYNC: SYNC_A})).await;
    let filter = format!("{SYNC} contains \"{SYNC_A}\" and {}", near(10));
    let (_, answer) = ask(&standin, &filter, &[]).await;
    assert_eq!(specifics(&answer), ["same", "near", "long", "right", "far"], "without a vector nothing is near");
    assert_eq!(answer["root"]["fields"]["totalCount"], 5);
    for (hit, degrees) in answer["root"]["children"].as_array().unwrap().iter().zip([0.0, 10.0, 45.0, 90.0, 170.0_f64])
    {
        let expected = 1.0 / (1.0 + degrees.to_radians());
        assert!((hit["relevance"].as_f64().unwrap() - expected).abs() < 1e-6, "{hit}");
    }
    let (_, answer) = ask(&standin, &filter, &[("hits", "2"), ("offset", "1")]).await;
    assert_eq!(specifics(&answer), ["near", "long"]);
}

#[tokio::test]
async fn target_hits_limit_what_is_found_of_each_type() {
    let standin = start().await;
    for (id, degrees) in [("a", 5), ("b", 6), ("c", 7)] {
        put(&standin, "base_entity", id, SYNC_A, degrees).await;
    }
    put(&standin, "web_entity", "w", SYNC_A, 100).await;
    assert_eq!(found(&standin, &near(2)).await, ["a", "b", "w"]);
    let total = "({totalTargetHits:1, approximate:false}nearestNeighbor(dense_embedding, q_embedding))";
    assert_eq!(found(&standin, total).await, ["a", "w"]);
}

#[tokio::test]
async fn the_other_conditions_come_before_nearness() {
    let standin = start().await;
    for degrees in 1..20 {
        put(&standin, "base_entity", &format!("b{degrees}"), SYNC_B, degrees).await;
        put(&standin, "base_entity", &format!("a{degrees}"), SYNC_A, 90 + degrees).await;
    }
    let sync = format!("{SYNC} in (\"{SYNC_A}\")");
    assert_eq!(found(&standin, &format!("{sync} and {}", near(3))).await, ["a1", "a2", "a3"]);
    assert_eq!(
        found(&standin, &format!("{} and ({sync} and (created_at > 100 and !(name_exact contains \"A12\")))", near(2)))
            .await,
        ["a11", "a13"]
    );
    // Beside an `or`, nearness decides nothing about the rest; equally near ones come by id.
    let either = format!("{sync} and (name_exact contains \"a9\" or {})", near(1));
    assert_eq!(found(&standin, &either).await, ["a1", "a9"]);
    let narrowed = format!("{sync} and (name_exact contains \"a1\" or (created_at > 105 and {}))", near(1));
    assert_eq!(found(&standin, &narrowed).await, ["a1", "a16"], "who matches anyway takes nobody's place");
    assert_eq!(found(&standin, &format!("{sync} and created_at > 1000 and {}", near(3))).await, Vec::<String>::new());
}

#[tokio::test]
async fn profiles_decide_what_relevance_is() {
    let standin = start().await;
    put(&standin, "base_entity", "a", SYNC_A, 90).await;
    put(&standin, "base_entity", "b", SYNC_A, 0).await;
    let words = format!("{SYNC} contains \"{SYNC_A}\" and userInput(@q)");
    let relevance = async |filter: &str, profile: &str| {
        let yql = format!("select documentid from sources * where {filter}");
        let parameters = [("yql", yql.as_str()), ("q", "words a"), ("ranking", profile)];
        let (status, answer) = standin.query(&parameters).await;
        assert_eq!(status, 200, "{answer}");
        let first = answer["root"]["children"][0].clone();
        (first["id"].as_str().unwrap().rsplit("::").next().unwrap().to_owned(), first["relevance"].as_f64().unwrap())
    };
    let (id, keyword) = relevance(&words, "keyword").await;
    assert!(id == "a" && keyword > 0.0, "{id} {keyword}");
    assert_eq!(relevance(&words, "default").await, (id, keyword));
    assert_eq!(relevance(&words, "semantic").await.1, 0.0, "no query vector, no closeness");
    assert_eq!(relevance(&words, "unranked").await.1, 0.0);
    let both = format!("{words} and {}", near(10));
    let (_, answer) = ask(&standin, &both, &[("q", "words")]).await;
    assert_eq!(specifics(&answer), ["b", "a"]);
    assert_eq!(answer["root"]["children"][0]["relevance"], 1.0);
}

#[tokio::test]
async fn a_query_vector_travels_in_several_forms() {
    let standin = start().await;
    put(&standin, "base_entity", "a", SYNC_A, 0).await;
    put(&standin, "base_entity", "b", SYNC_A, 90).await;
    let yql = format!("select documentid from sources * where {}", near(1));
    for input in [
        json!({"input.query(q_embedding)": [0.0, 1.0]}),
        json!({"input.query(q_embedding)": {"values": [0, 1]}}),
        json!({"input.query(q_embedding)": "[0, 1]"}),
        json!({"input": {"query(q_embedding)": [0, 2]}}),
        json!({"ranking.features.query(q_embedding)": "tensor<float>(x[2]):[0,1]"}),
    ] {
        let mut body = json!({"yql": yql, "ranking": {"profile": "semantic"}});
        body.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        let (status, answer) = standin.send(Method::POST, "/search/", Some(body)).await;
        assert_eq!((status.as_u16(), specifics(&answer)), (200, vec!["b".to_owned()]), "{input}");
    }
}

#[tokio::test]
async fn a_query_that_can_t_be_answered_is_refused_in_vespas_words() {
    let standin = start().await;
    let input = |value: &'static str| vec![("input.query(q_embedding)", value)];
    let profile = |name: &'static str| vec![("ranking.profile", name)];
    let without_hits = near(1).replace("{targetHits:1}", "");
    for (filter, more, status, text) in [
        (without_hits, vec![], 400, "queryTensorName=q_embedding} must have either targetHits or totalTargetHits set"),
        (near(0), vec![], 400, "q_embedding,targetHits=0} has invalid targetHits 0: Must be >= 1"),
        (
            near(1).replace("q_embedding", "other"),
            vec![],
            400,
            "NEAREST_NEIGHBOR {field=dense_embedding,queryTensorName=other,targetHits=1} requires a tensor rank feature \
             named 'query(other)' but this is not present",
        ),
        (near(1).replace("dense_embedding", "name_exact"), vec![], 400, "field is not a tensor"),
        (near(1).replace("dense_embedding", "nosuch"), vec![], 400, "field is not an attribute"),
        (
            near(1),
            input("[1, 2, 3]"),
            400,
            "Could not set 'ranking.features.query(q_embedding)' to '[1, 2, 3]': Could not parse '[1, 2, 3]' as a tensor \
             of type tensor<float>(x[2]): At value position 5: Expected a ']' but got ','",
        ),
        (near(1), input("hello"), 400, "Expected a number, hex string"),
        ("true".to_owned(), input("[1, 2, 3]"), 400, "At value position 5: Expected a ']' but got ','"),
        (near(1), profile("nosuch"), 400, "No profile named 'nosuch' exists in schemas [base_entity"),
        (near(1), profile("keyword"), 500, "Expected 'query(q_embedding)' to be a tensor, but it is a string"),
        (
            "dense_embedding contains \"x\"".to_owned(),
            vec![],
            500,
            "Cannot search for terms in 'dense_embedding': It is a tensor field",
        ),
        (format!("true and !({})", near(1)), vec![], 400, "not spoken"),
        (format!("{} or {}", near(1), near(2)), vec![], 400, "not spoken"),
    ] {
        let (answered, answer) = ask(&standin, &filter, &more).await;
        assert_eq!(answered, status, "{filter}: {answer}");
        assert!(message(&answer).contains(text), "{filter}: {answer}");
    }
    let (status, answer) = ask(&standin, &near(1), &input("[1]")).await;
    assert_eq!(status, 200, "one that is too short is filled up: {answer}");
    let yql = "select * from sources * where true";
    let (status, answer) = standin.query(&[("yql", yql), ("ranking.profile", "nosuch")]).await;
    assert_eq!(status, 400);
    assert_eq!(message(&answer), "schema 'base_entity' does not contain requested rank profile 'nosuch'");
    let (status, answer) = standin.query(&[("yql", &format!("{yql} and {}", near(1))), ("ranking", "semantic")]).await;
    assert!(status == 400 && message(&answer).contains("is not present"), "{answer}");
}
