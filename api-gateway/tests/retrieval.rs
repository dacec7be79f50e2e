//! Search against the stand-in and an embedder: strategies, filters, the forms of older clients; DEL-3 through all of
//! them.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use shared_models::{CollectionId, DocumentId, DocumentType, EntityKey, SyncId, SyncJobId};
use shared_stores::VespaClient;
use shared_stores::vespa::{Breadcrumb, Document};
use test_support::{Fault, StandIn, TestEmbedder, meaning};

use crate::gateway::{Answer, Gateway, text};

/// A collection with documents of one connection; another connection in it, and one elsewhere.
struct Stage {
    gateway: Gateway,
    embedder: TestEmbedder,
    vespa: VespaClient,
    _standin: StandIn,
    collection: String,
    connection: Value,
    neighbour: Value,
    elsewhere: Value,
}

impl Stage {
    async fn new() -> Self {
        test_support::install_tls_provider();
        let (embedder, standin) = (TestEmbedder::start().await, StandIn::spawn().await);
        let vespa = VespaClient::new(&standin.url.parse().unwrap()).unwrap();
        let [url, model] = embedder.settings();
        let gateway = Gateway::start_with(&[("VESPA_URL", &standin.url), url, model]).await;
        let api = &gateway.api;
        let (collection, other) = (api.collection().await, api.collection().await);
        let connection = api.stub(&collection, json!({"name": "Its own"})).await;
        let neighbour = api.stub(&collection, json!({"name": "Neighbour"})).await;
        let elsewhere = api.stub(&other, json!({"name": "Elsewhere"})).await;
        let stage = Self { gateway, embedder, vespa, _standin: standin, collection, connection, neighbour, elsewhere };
        stage.put(&stage.connection, "garage", "the car is red").await;
        stage.put(&stage.connection, "street", "an automobile drives by").await;
        stage.put(&stage.connection, "kitchen", "soup and bread").await;
        stage.put(&stage.neighbour, "next door", "the car of the neighbour").await;
        stage.put(&stage.elsewhere, "secret", "the car of somebody else").await;
        stage
    }

    async fn put(&self, connection: &Value, name: &str, words: &str) {
        self.put_chunk(connection, name, 0, |document| document.textual_representation = words.to_owned()).await;
    }

    async fn put_chunk(&self, connection: &Value, name: &str, chunk: u32, change: impl FnOnce(&mut Document)) {
        let sync: SyncId = text(connection, "sync_id").parse().unwrap();
        let mut document = Document {
            entity_id: name.to_owned(),
            name: name.to_owned(),
            textual_representation: String::new(),
            cjk_bigrams: String::new(),
            payload: "{}".to_owned(),
            large_payload: None,
            large_payload_bytes: None,
            created_at: Some(1_700_000_000),
            updated_at: None,
            breadcrumbs: vec![Breadcrumb { entity_id: "1".into(), name: "Root".into(), entity_type: "Folder".into() }],
            web_url: String::new(),
            url: None,
            access_is_public: None,
            access_viewers: Vec::new(),
            sync_id: sync,
            purge_key: None,
            sync_job_id: SyncJobId::random(),
            collection_id: CollectionId::random(),
            original_entity_id: name.to_owned(),
            entity_type: "StubEntity".to_owned(),
            source_name: "stub".to_owned(),
            content_hash: String::new(),
            chunk_index: i32::try_from(chunk).unwrap(),
            dense_embedding: None,
        };
        change(&mut document);
        document.dense_embedding = Some(meaning(&document.textual_representation));
        let id = DocumentId::chunk(DocumentType::Base, sync, EntityKey::unkeyed("StubEntity", name), chunk);
        self.vespa.put(&id, &document, Duration::from_secs(10)).await.unwrap();
    }

    async fn post(&self, form: &str, body: Value) -> Answer {
        self.gateway.api.post(&format!("/collections/{}/search{form}", self.collection), body).await
    }

    /// The names of an instant search's hits in their order, and the strategy that was used.
    async fn instant(&self, query: &str, strategy: &str, filter: Value) -> (Vec<String>, String) {
        let body = json!({"query": query, "retrieval_strategy": strategy, "filter": filter, "limit": 50});
        let answer = self.post("/instant", body).await;
        let used = answer.headers["x-retrieval-strategy"].to_str().unwrap().to_owned();
        (names(&answer.ok()), used)
    }

    /// What every strategy finds together for a filter.
    async fn found(&self, filter: Value) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for strategy in ["keyword", "semantic", "hybrid"] {
            all.extend(self.instant("car soup", strategy, filter.clone()).await.0);
        }
        all
    }
}

fn names(answer: &Value) -> Vec<String> {
    answer["results"].as_array().unwrap().iter().map(|hit| text(hit, "name")).collect()
}

fn condition(field: &str, operator: &str, value: impl Into<Value>) -> Value {
    json!([{"conditions": [{"field": field, "operator": operator, "value": value.into()}]}])
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn each_strategy_finds_what_it_can_and_says_its_name() {
    let stage = Stage::new().await;
    let (by_keywords, used) = stage.instant("vehicle", "keyword", Value::Null).await;
    assert_eq!((by_keywords.len(), used.as_str()), (0, "keyword"));
    let (by_meaning, used) = stage.instant("vehicle", "semantic", Value::Null).await;
    assert_eq!((by_meaning.len(), used.as_str()), (4, "semantic"), "nothing of elsewhere: {by_meaning:?}");
    assert_eq!(by_meaning.last().map(String::as_str), Some("kitchen"));
    let (by_both, used) = stage.instant("automobile", "hybrid", Value::Null).await;
    assert_eq!((by_both[0].as_str(), by_both.len(), used.as_str()), ("street", 4, "hybrid"));

    let classic = stage.post("/classic", json!({"query": "automobile"})).await;
    assert_eq!(classic.headers["x-retrieval-strategy"], "hybrid");
    let hit = classic.ok()["results"][0].clone();
    let score = hit["relevance_score"].as_f64().unwrap();
    assert!((score - 2.0 / 61.0).abs() < 1e-9, "first in both rankings: {score}");
    let (mut pages, mut offset) = (Vec::new(), 0);
    while offset < 4 {
        let page = json!({"query": "automobile", "limit": 1, "offset": offset});
        pages.extend(names(&stage.post("/instant", page).await.ok()));
        offset += 1;
    }
    assert_eq!(pages, by_both, "pages are parts of one order");

    let shown = stage.gateway.api.get(&format!("/collections/{}", stage.collection)).await.ok();
    assert_eq!((&shown["vector_size"], &shown["embedding_model_name"]), (&json!(1536), &json!("test-model")));
}

#[tokio::test]
async fn without_the_embedder_hybrid_goes_on_by_keywords_and_semantic_says_so() {
    let stage = Stage::new().await;
    stage.gateway.service.expects.fault(Fault::EmbedderAway);
    for status in [503, 401, 400] {
        stage.embedder.answer_with(Some(status));
        let (found, used) = stage.instant("automobile", "hybrid", Value::Null).await;
        assert_eq!((found, used.as_str()), (vec!["street".to_owned()], "keyword"), "{status}");
        let refused = stage.post("/instant", json!({"query": "car", "retrieval_strategy": "semantic"})).await;
        let text = "Semantic search is unavailable: the embedder gives no vector for the query. 'hybrid' and 'keyword' go without it";
        refused.refuses(503, text);
        assert!(refused.headers.contains_key("retry-after"));
    }
    stage.embedder.answer_with(None);
    assert_eq!(stage.instant("automobile", "hybrid", Value::Null).await.1, "hybrid");
}

#[tokio::test]
async fn what_an_answer_leaves_out_is_said() {
    let stage = Stage::new().await;
    let left_out = async |body: Value| {
        let answer = stage.post("/instant", body).await;
        assert_eq!(answer.status, 200);
        answer.headers.get("x-search-incomplete").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(left_out(json!({"query": "car"})).await, None);
    assert_eq!(left_out(json!({"query": "car", "retrieval_strategy": "keyword"})).await, None);
    let long = "car ".repeat(600);
    assert_eq!(left_out(json!({"query": long})).await.as_deref(), Some("question"));
    assert_eq!(left_out(json!({"query": long, "retrieval_strategy": "keyword"})).await, None);
    stage.gateway.service.expects.fault(Fault::EmbedderAway);
    stage.embedder.answer_with(Some(503));
    assert_eq!(left_out(json!({"query": "car"})).await.as_deref(), Some("strategy"));
    let older = stage.post("", json!({"query": "car"})).await;
    assert_eq!(older.headers["x-search-incomplete"], "strategy");
}

/// Each chunk of a row with 100 000 bytes of fields is a hit, and the fields come once.
#[tokio::test]
async fn large_fields_come_with_the_first_hit_of_their_entity() {
    let stage = Stage::new().await;
    let fields = |text: &str| json!({"wide": text.repeat(100_000)}).to_string();
    for name in ["one", "two"] {
        let json = fields(if name == "one" { "1" } else { "2" });
        for chunk in 0..40 {
            let change = |document: &mut Document| {
                document.textual_representation = format!("the wide row, part {chunk}");
                document.payload = String::new();
                document.large_payload = (chunk == 0).then(|| json.clone());
                document.large_payload_bytes = i32::try_from(json.len()).ok();
            };
            stage.put_chunk(&stage.connection, name, chunk, change).await;
        }
    }
    stage.put(&stage.connection, "narrow", "the wide row's neighbour").await;
    for strategy in ["keyword", "hybrid"] {
        let body = json!({"query": "wide row part", "retrieval_strategy": strategy, "limit": 1000});
        let answer = stage.post("/instant", body).await;
        assert_eq!(answer.headers["x-search-incomplete"], "fields", "{strategy}");
        let answer = answer.ok();
        let hits = answer["results"].as_array().unwrap();
        let with_fields: Vec<&Value> = hits.iter().filter(|hit| hit["raw_source_fields"] != json!({})).collect();
        let mut names: Vec<String> = with_fields.iter().map(|hit| text(hit, "name")).collect();
        names.sort();
        assert_eq!((hits.len() > 80, names), (true, vec!["one".to_owned(), "two".to_owned()]), "{strategy}");
        for hit in with_fields {
            let digit = if hit["name"] == "one" { "1" } else { "2" };
            assert_eq!(hit["raw_source_fields"]["wide"], digit.repeat(100_000));
            let first = hits.iter().find(|other| other["name"] == hit["name"]).unwrap();
            assert_eq!(first, hit, "the first hit of its entity");
        }
    }
    // One chunk alone, and not the first: the fields are there, and nothing is left out.
    let body = json!({"query": "wide row part", "retrieval_strategy": "keyword", "limit": 1, "filter":
        condition("airweave_system_metadata.chunk_index", "equals", 7)});
    let answer = stage.post("/instant", body).await;
    assert!(!answer.headers.contains_key("x-search-incomplete"));
    assert_eq!(text(&answer.ok()["results"][0]["raw_source_fields"], "wide").len(), 100_000);
}

#[tokio::test]
async fn filters_narrow_every_strategy() {
    let stage = Stage::new().await;
    let own = text(&stage.connection, "sync_id");
    let all = set(&["garage", "street", "kitchen", "next door"]);
    assert_eq!(stage.found(Value::Null).await, all);
    assert_eq!(stage.found(condition("name", "equals", "GARAGE")).await, set(&["garage"]));
    assert_eq!(
        stage.found(condition("name", "contains", "e")).await,
        set(&["garage", "street", "kitchen", "next door"])
    );
    assert_eq!(
        stage.found(condition("name", "not_in", json!(["garage", "street"]))).await,
        set(&["kitchen", "next door"])
    );
    assert_eq!(
        stage.found(condition("airweave_system_metadata.sync_id", "not_equals", own)).await,
        set(&["next door"])
    );
    assert_eq!(stage.found(condition("created_at", "greater_than", "2023-11-14T22:13:20Z")).await, set(&[]));
    assert_eq!(stage.found(condition("created_at", "less_than_or_equal", "2023-11-14T22:13:20Z")).await, all);
    assert_eq!(stage.found(condition("updated_at", "less_than", "2100-01-01")).await, set(&[]), "none has one");
    assert_eq!(stage.found(condition("breadcrumbs.name", "equals", "root")).await, all);
    let either = json!([condition("name", "equals", "garage")[0], condition("name", "equals", "kitchen")[0]]);
    assert_eq!(stage.found(either).await, set(&["garage", "kitchen"]));

    let bad = json!([{"conditions": [{"field": "name", "operator": "equals", "value": "x"},
        {"field": "created_at", "operator": "less_than", "value": "soon"}]}]);
    stage.post("/instant", json!({"query": "q", "filter": bad})).await.faults(
        "body.filter.0.conditions.1.value",
        "Value error, this field is compared with a time in ISO 8601, such as 2024-01-15T00:00:00Z",
    );
    let agentic = stage.post("/agentic", json!({"query": "q", "filter": [{}]})).await;
    agentic.faults("body.filter.0.conditions", "Field required");
}

#[tokio::test]
async fn del_3_no_strategy_and_no_filter_shows_what_is_not_live() {
    let stage = Stage::new().await;
    let elsewhere = text(&stage.elsewhere, "sync_id");
    let widening = [
        condition("airweave_system_metadata.sync_id", "equals", elsewhere.clone()),
        condition("airweave_system_metadata.sync_id", "in", json!([elsewhere.clone()])),
        condition("name", "equals", "secret"),
        condition("name", "equals", "\" or true or name_exact contains \"secret"),
    ];
    for filter in &widening {
        assert_eq!(stage.found(filter.clone()).await, set(&[]), "{filter}");
    }
    let older = json!({"query": "car", "filter": {"should": [{"key": "sync_id", "match": {"value": elsewhere}}],
        "must_not": [{"key": "name", "match": {"value": "no such name"}}]}});
    assert_eq!(names(&stage.post("", older).await.ok()), [""; 0]);
    let everything = condition("name", "not_equals", "no such name");
    assert_eq!(stage.found(everything.clone()).await.len(), 4);
    let deleted = format!(
        "{} WHERE id = '{}'",
        crate::gateway::deletion_requested("source_connection"),
        text(&stage.neighbour, "id")
    );
    stage.gateway.database.execute(&deleted).await;
    assert_eq!(stage.found(everything.clone()).await, set(&["garage", "street", "kitchen"]));
    stage.gateway.request_deletion("source_connection").await;
    assert_eq!(stage.found(everything).await, set(&[]));
}

#[tokio::test]
async fn older_clients_get_the_form_that_they_know() {
    let stage = Stage::new().await;
    let filter = json!({"must": [{"key": "source_name", "match": {"value": "stub"}}],
        "must_not": [{"key": "name", "match": {"any": ["street", "kitchen"]}}]});
    let newer = json!({"query": "car", "retrieval_strategy": "neural", "filter": filter, "rerank": false,
        "expand_query": false, "interpret_filters": false, "generate_answer": true, "temporal_relevance": 0.5,
        "source_connection_ids": [text(&stage.connection, "id")]});
    let answer = stage.post("", newer).await;
    assert_eq!(answer.headers["x-retrieval-strategy"], "semantic");
    assert_eq!(answer.headers["x-feature-removed"], "temporal_relevance");
    assert!(!answer.headers.contains_key("x-api-deprecation"));
    let answer = answer.ok();
    assert_eq!((names(&answer), &answer["completion"]), (vec!["garage".to_owned()], &Value::Null));
    assert!(answer.get("status").is_none());
    assert_eq!(answer["results"][0]["system_metadata"]["source_name"], "stub");

    let older = json!({"query": "soup", "response_type": "completion", "expansion_strategy": "auto", "limit": 1,
        "enable_reranking": true, "enable_query_interpretation": false, "search_method": "hybrid", "recency_bias": 0.3});
    let answer = stage.post("", older).await;
    assert_eq!(answer.headers["x-api-deprecation"], "true");
    assert!(answer.headers.contains_key("x-api-deprecation-message"));
    let answer = answer.ok();
    assert_eq!((names(&answer), &answer["status"]), (vec!["kitchen".to_owned()], &json!("success")));
    assert_eq!((&answer["response_type"], &answer["completion"]), (&json!("completion"), &Value::Null));
    let none = json!({"query": "car", "response_type": "raw", "filter": {"must": [{"has_id": ["no such id"]}]}});
    assert_eq!(stage.post("", none).await.ok()["status"], "no_results");

    let path =
        format!("/collections/{}/search?query=soup&response_type=raw&limit=1&recency_bias=0.5", stage.collection);
    let answer = stage.gateway.api.get(&path).await;
    assert_eq!(answer.headers["x-api-deprecation"], "true");
    let answer = answer.ok();
    assert_eq!((names(&answer), &answer["response_type"]), (vec!["kitchen".to_owned()], &json!("raw")));
    let bad = format!("{path}&limit=0&response_type=x&recency_bias=2");
    assert_eq!(stage.gateway.api.get(&bad).await.json()["errors"].as_array().unwrap().len(), 3);

    let bare = json!({"query": "q", "filter": {"key": "source_name", "match": {"value": "stub"}}});
    let refused = stage.post("", bare).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("filter") && refused.text.contains("must"), "{refused:?}");
}
