//! A client of our own API, as thin as can be.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use reqwest::Method;
use serde_json::{Value, json};
use shared_models::invariant::facts::Invisible;
use shared_models::{Facts as _, SyncId};

/// An answer of the gateway.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: reqwest::header::HeaderMap,
    /// The JSON body; null if it was none.
    pub body: Value,
    /// Time from sending to the last byte.
    pub took: Duration,
}

impl Answer {
    /// The body of a 200.
    #[must_use]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// A field of the body as text.
    #[must_use]
    pub fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("no {field} in {}", self.body)).to_owned()
    }
}

/// A DELETE that was sent and answered.
#[derive(Debug, Clone)]
pub struct Delete {
    /// What was to be deleted.
    pub path: String,
    /// The answer's status.
    pub status: u16,
    /// How long it took.
    pub took: Duration,
}

/// Every DELETE of a system's clients. Clones share them.
pub type Deletes = Arc<Mutex<Vec<Delete>>>;

/// A client of one gateway with one key. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    database_url: String,
    deletes: Deletes,
    /// Base URL, without a slash at its end.
    pub url: String,
    /// API key.
    pub key: String,
}

impl Api {
    /// A client of the gateway at `url`, on this database; what it deletes is noted down.
    #[must_use]
    pub fn new(url: &str, key: &str, database_url: &str, deletes: &Deletes) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let (url, key, database_url) = (url.to_owned(), key.to_owned(), database_url.to_owned());
        Self { http, database_url, deletes: Arc::clone(deletes), url, key }
    }

    /// The same client with another key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// Sends a request; an error is one of the transport.
    ///
    /// # Errors
    /// The gateway didn't answer.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer, reqwest::Error> {
        let is_delete = method == Method::DELETE;
        let mut request = self.http.request(method, format!("{}{path}", self.url)).header("x-api-key", &self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let began = Instant::now();
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?;
        let took = began.elapsed();
        if is_delete {
            self.deletes.lock().push(Delete { path: path.to_owned(), status, took });
        }
        Ok(Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null), took })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await.unwrap()
    }

    /// POST.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await.unwrap()
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await.unwrap()
    }

    /// Creates a collection; answers its readable id.
    pub async fn create_collection(&self) -> String {
        self.post("/collections", json!({"name": "System test"})).await.ok()["readable_id"].as_str().unwrap().to_owned()
    }

    /// Creates a connection; answers the full object.
    pub async fn create_connection(
        &self,
        collection: &str,
        short_name: &str,
        credentials: Value,
        config: Value,
    ) -> Value {
        let body = json!({
            "short_name": short_name,
            "readable_collection_id": collection,
            "authentication": {"credentials": credentials},
            "config": config,
            "schedule": {"cron": null},
            "sync_immediately": true,
        });
        self.post("/source-connections", body).await.ok()
    }

    /// A connection of source `timed`.
    pub async fn create_timed(&self, collection: &str, entity_count: u32, seconds: f64) -> Value {
        let config = json!({"entity_count": entity_count, "duration_seconds": seconds});
        self.create_connection(collection, "timed", json!({"timed_key": "k"}), config).await
    }

    /// A connection of source `stub`.
    pub async fn create_stub(&self, collection: &str, entity_count: u32, seed: u32) -> Value {
        let config = json!({"entity_count": entity_count, "seed": seed});
        self.create_connection(collection, "stub", json!({"stub_key": "k"}), config).await
    }

    /// Keyword search; answers the hits. Whatever the test is about: none may be of a connection whose deletion had
    /// been requested before (DEL-3).
    pub async fn search(&self, collection: &str, query: &str) -> Vec<Value> {
        let ever = "SELECT id::text FROM witness.sync";
        let before = self.syncs(ever).await;
        let live = "SELECT s.id::text FROM sync s JOIN source_connection c ON c.id = s.source_connection_id
                    JOIN collection k ON k.id = c.collection_id
                    WHERE c.deletion_requested_at IS NULL AND k.deletion_requested_at IS NULL";
        let live = self.syncs(live).await;
        let body = json!({"query": query, "retrieval_strategy": "keyword", "limit": 1000});
        let answer = self.post(&format!("/collections/{collection}/search/instant"), body).await.ok();
        let hits = answer["results"].as_array().unwrap().clone();
        let of = |hit: &Value| hit["airweave_system_metadata"]["sync_id"].as_str().unwrap().parse().unwrap();
        let found: Vec<SyncId> = hits.iter().map(of).collect();
        // Created since the search began: live as well.
        let new = self.syncs(ever).await.into_iter().filter(|sync| !before.contains(sync));
        let live: BTreeSet<SyncId> = live.into_iter().chain(new).collect();
        Invisible { live: &live, hits: &found }.check().unwrap();
        hits
    }

    async fn syncs(&self, query: &str) -> BTreeSet<SyncId> {
        let rows = test_support::connect(&self.database_url).await.query(query, &[]).await.unwrap();
        rows.iter().map(|row| row.get::<_, &str>(0).parse().unwrap()).collect()
    }

    /// The newest job of a connection.
    pub async fn last_job(&self, connection: &str) -> Value {
        let jobs = self.get(&format!("/source-connections/{connection}/jobs?limit=1")).await.ok();
        jobs.get(0).cloned().unwrap_or(Value::Null)
    }
}

/// The id of a created object.
#[must_use]
pub fn id_of(object: &Value) -> String {
    object["id"].as_str().unwrap().to_owned()
}

/// The ids of a created connection and of its sync.
#[must_use]
pub fn ids_of(connection: &Value) -> (String, String) {
    (id_of(connection), connection["sync_id"].as_str().unwrap().to_owned())
}
