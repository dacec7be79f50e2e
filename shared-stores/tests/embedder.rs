//! The embedder's client against a server that behaves as OpenAI-compatible ones do, well and badly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use shared_stores::embedder::{Embedder, EmbedderConfig, EmbedderError, Patience};
use tokio::sync::Notify;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::install_tls;

const PATIENCE: Patience = Patience { request: Duration::from_secs(5), total: Duration::from_secs(10) };
const HASTE: Patience = Patience { request: Duration::from_millis(300), total: Duration::from_millis(600) };
const KEY: &str = "hunter2";

fn embedder(server: &MockServer, dimensions: u32) -> Embedder {
    embedder_of(server, dimensions, 2)
}

fn embedder_of(server: &MockServer, dimensions: u32, in_flight: u16) -> Embedder {
    install_tls();
    let url = format!("{}/v1", server.uri()).parse().unwrap();
    Embedder::new(&EmbedderConfig { url, model: "m".to_owned(), dimensions, api_key: Some(KEY.into()), in_flight })
        .unwrap()
}

fn inputs(request: &Request) -> Vec<String> {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    body["input"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The length of each input as its vector, in reverse order.
fn lengths(request: &Request, dimensions: usize) -> ResponseTemplate {
    let item = |(index, text): (usize, &String)| {
        let mut vector = vec![0.5; dimensions];
        vector[0] = f64::from(u32::try_from(text.len()).unwrap());
        json!({"object": "embedding", "index": index, "embedding": vector})
    };
    let items: Vec<Value> = inputs(request).iter().enumerate().map(item).rev().collect();
    ResponseTemplate::new(200).set_body_json(json!({"object": "list", "data": items, "model": "m"}))
}

async fn server(answer: impl Fn(&Request) -> ResponseTemplate + Send + Sync + 'static) -> MockServer {
    // Of its own: a pooled one gets late requests of the test that had it before.
    let server = MockServer::builder().start().await;
    Mock::given(method("POST"))
        .and(path("/v1/embeddings"))
        .and(header("authorization", format!("Bearer {KEY}")))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}

/// Gives these answers first, then lengths.
async fn server_after(first: Vec<ResponseTemplate>) -> MockServer {
    let first = Mutex::new(first.into_iter());
    server(move |request| first.lock().next().unwrap_or_else(|| lengths(request, 2))).await
}

#[tokio::test]
async fn many_texts_go_in_bounded_batches_and_each_gets_its_own_vector() {
    let server = server(|request| lengths(request, 2)).await;
    let texts: Vec<String> = (0..150).map(|n| if n % 50 == 49 { " ".to_owned() } else { "x".repeat(n + 1) }).collect();
    let vectors = embedder(&server, 2).embed(&texts, PATIENCE).await.unwrap();
    for (text, vector) in texts.iter().zip(&vectors) {
        let length = vector.as_ref().map(|vector| vector[0]);
        let expected = (text != " ").then(|| f32::from(u16::try_from(text.len()).unwrap()));
        assert_eq!(length, expected, "a blank text has none");
    }
    let asked = server.received_requests().await.unwrap();
    assert_eq!(asked.len(), 5);
    assert!(asked.iter().all(|request| inputs(request).len() <= 32));
    let body: Value = serde_json::from_slice(&asked[0].body).unwrap();
    assert_eq!((&body["model"], &body["dimensions"]), (&json!("m"), &Value::Null));
    assert!(embedder(&server, 2).embed(&[""; 3], PATIENCE).await.unwrap().iter().all(Option::is_none));
    assert_eq!(server.received_requests().await.unwrap().len(), 5, "nothing is asked for blanks");
}

#[tokio::test]
async fn what_passes_is_waited_out_as_long_as_the_server_wants() {
    let server = server_after(vec![
        ResponseTemplate::new(429).insert_header("retry-after", "1"),
        ResponseTemplate::new(503),
        ResponseTemplate::new(500),
    ])
    .await;
    let started = Instant::now();
    assert_eq!(embedder(&server, 2).embed(&["word"], PATIENCE).await.unwrap(), [Some(vec![4.0, 0.5])]);
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.received_requests().await.unwrap().len(), 4);
}

#[tokio::test]
async fn patience_ends() {
    for wanted in ["3600", "1e19", "18446744073709551615"] {
        let server = server(move |_| ResponseTemplate::new(429).insert_header("retry-after", wanted)).await;
        let started = Instant::now();
        let error = embedder(&server, 2).embed(&["word"], PATIENCE).await.unwrap_err();
        assert!(matches!(error, EmbedderError::Unavailable { status: 429, .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5), "it isn't waited for what comes too late");
    }

    let slow = self::server(|request| lengths(request, 2).set_delay(Duration::from_secs(60))).await;
    let started = Instant::now();
    let error = embedder(&slow, 2).embed(&["word"], HASTE).await.unwrap_err();
    assert!(matches!(error, EmbedderError::Unanswered(_)), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3));

    let nowhere = EmbedderConfig {
        url: "http://127.0.0.1:9/v1/".parse().unwrap(),
        model: "m".to_owned(),
        dimensions: 2,
        api_key: None,
        in_flight: 1,
    };
    let error = Embedder::new(&nowhere).unwrap().embed(&["word"], HASTE).await.unwrap_err();
    assert_eq!(error.to_string(), "the embedder can't be reached: no connection");
}

#[tokio::test]
async fn a_wrong_key_or_model_is_said_at_once_without_the_key() {
    for (status, code) in [(401, "invalid_api_key"), (404, "model_not_found"), (400, "invalid_value")] {
        let body = json!({"error": {"message": format!("Incorrect key {KEY} for secret words"), "code": code}});
        let server = server(move |_| ResponseTemplate::new(status).set_body_json(&body)).await;
        let error = embedder(&server, 2).embed(&["secret words"; 40], PATIENCE).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the embedder refused the request with {status} ({code})"));
        assert!(!format!("{error:?} {:?}", embedder(&server, 2)).contains(KEY));
        // Two batches, and at most one more question for each.
        assert!(server.received_requests().await.unwrap().len() <= 4);
    }
}

#[tokio::test]
async fn one_input_that_is_refused_costs_only_its_own_vector() {
    let is_bad = |request: &Request| inputs(request).iter().any(|text| text.starts_with("too long"));
    let server =
        server(move |request| if is_bad(request) { ResponseTemplate::new(413) } else { lengths(request, 2) }).await;
    let mut texts = vec!["word"; 30];
    texts[7] = "too long";
    texts[29] = "too long as well";
    let vectors = embedder(&server, 2).embed(&texts, PATIENCE).await.unwrap();
    let without: Vec<usize> = (0..30).filter(|n| vectors[*n].is_none()).collect();
    assert_eq!(without, [7, 29]);
    assert!(server.received_requests().await.unwrap().len() < 30, "by halving");
    assert_eq!(embedder(&server, 2).embed(&["too long"], PATIENCE).await.unwrap(), [None]);
}

#[tokio::test]
async fn dimensions_are_asked_for_only_where_vectors_come_too_long() {
    let shortens = server(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        lengths(request, body["dimensions"].as_u64().map_or(3072, |n| usize::try_from(n).unwrap()))
    })
    .await;
    let client = embedder(&shortens, 1536);
    for _ in 0..2 {
        assert_eq!(client.embed(&["word"], PATIENCE).await.unwrap()[0].as_ref().unwrap().len(), 1536);
    }
    assert_eq!(shortens.received_requests().await.unwrap().len(), 3, "it is learnt once");

    let refuses = server(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        if body.get("dimensions").is_some() { ResponseTemplate::new(400) } else { lengths(request, 768) }
    })
    .await;
    assert_eq!(embedder(&refuses, 768).embed(&["word"], PATIENCE).await.unwrap().len(), 1);
    for expected in [384, 1536] {
        let error = embedder(&refuses, expected).embed(&["word"], PATIENCE).await.unwrap_err();
        let text = format!("the embedder gives vectors of 768 dimensions, but EMBEDDER_DIMENSIONS is {expected}");
        assert_eq!(error.to_string(), text);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_answer_is_an_error() {
    for body in ["<html>", r#"{"data": []}"#, r#"{"data": [{"index": 0, "embedding": "AACA"}]}"#] {
        let server = server(move |_| ResponseTemplate::new(200).set_body_string(body)).await;
        let error = embedder(&server, 2).embed(&["word"], PATIENCE).await.unwrap_err();
        assert!(matches!(error, EmbedderError::Malformed(_)), "{error}");
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn embedding_can_be_dropped_and_moved_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let asked = Arc::new(Notify::new());
    let (asks, slow) = (asked.clone(), AtomicBool::new(true));
    let server = server(move |request| {
        asks.notify_one();
        let seconds = if slow.swap(false, Ordering::SeqCst) { 60 } else { 0 };
        lengths(request, 2).set_delay(Duration::from_secs(seconds))
    })
    .await;
    let client = embedder_of(&server, 2, 1);
    let embedding = client.embed(&["word"], PATIENCE);
    is_send(&embedding);
    tokio::select! {
        answered = embedding => panic!("{answered:?}"),
        () = asked.notified() => {}
    }
    // What was dropped gave its place back.
    assert_eq!(client.embed(&["word"], PATIENCE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn learning_that_dimensions_must_be_asked_for_takes_no_longer_than_the_patience() {
    let server = server(|request| lengths(request, 3).set_delay(Duration::from_millis(400))).await;
    let patience = Patience { request: Duration::from_millis(600), total: Duration::from_millis(1_500) };
    let error = embedder(&server, 2).embed(&["word"], patience).await.unwrap_err();
    assert!(error.is_retryable(), "the second request of the two is cut short: {error}");
}
