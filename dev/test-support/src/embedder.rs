//! An embedder that knows a few meanings: an OpenAI-compatible server whose vectors a test can predict.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// Dimensions of every vector: those of deploy/vespa.
const DIMENSIONS: u64 = 1536;

/// Words that mean the same.
const SYNONYMS: [&[&str]; 3] =
    [&["car", "automobile", "vehicle"], &["refund", "reimbursement"], &["important", "crucial", "essential"]];

/// A running embedder; ended with this value.
#[derive(Debug)]
pub struct TestEmbedder {
    /// Its base URL: `EMBEDDER_URL`.
    pub url: String,
    server: MockServer,
    mood: Arc<Mutex<Mood>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mood {
    status: Option<u16>,
    delay: Duration,
}

impl TestEmbedder {
    /// Starts one.
    pub async fn start() -> Self {
        // Of its own: a pooled one gets late requests of the test that had it before.
        let server = MockServer::builder().start().await;
        let mood = Arc::new(Mutex::new(Mood::default()));
        let current = mood.clone();
        let answer = move |request: &Request| {
            let Mood { status, delay } = *current.lock();
            let answer = status.map_or_else(|| embed(request), ResponseTemplate::new);
            answer.set_delay(delay)
        };
        Mock::given(method("POST")).and(path("/v1/embeddings")).respond_with(answer).mount(&server).await;
        Self { url: format!("{}/v1", server.uri()), server, mood }
    }

    /// The settings of a service that uses it.
    #[must_use]
    pub fn settings(&self) -> [(&'static str, &str); 2] {
        [("EMBEDDER_URL", &self.url), ("EMBEDDER_MODEL", "test-model")]
    }

    /// Answers with this status from now on; `None` is well again.
    pub fn answer_with(&self, status: Option<u16>) {
        self.mood.lock().status = status;
    }

    /// Takes this long for each answer from now on.
    pub fn delay(&self, delay: Duration) {
        self.mood.lock().delay = delay;
    }

    /// How many requests have come.
    pub async fn requests(&self) -> usize {
        self.server.received_requests().await.unwrap_or_default().len()
    }
}

fn embed(request: &Request) -> ResponseTemplate {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let inputs = body["input"].as_array().unwrap().iter().map(|text| meaning(text.as_str().unwrap()));
    let items: Vec<Value> =
        inputs.enumerate().map(|(index, vector)| json!({"index": index, "embedding": vector})).collect();
    ResponseTemplate::new(200).set_body_json(json!({"data": items}))
}

/// The vector of a text: one dimension for each word that is in it, the same one for words that mean the same.
#[must_use]
pub fn meaning(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; usize::try_from(DIMENSIONS).unwrap()];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = word.to_lowercase();
        let group = SYNONYMS.iter().find(|group| group.contains(&word.as_str()));
        let mut hasher = DefaultHasher::new();
        group.map_or(word.as_str(), |group| group[0]).hash(&mut hasher);
        vector[usize::try_from(hasher.finish() % DIMENSIONS).unwrap()] += 1.0;
    }
    vector
}
