//! The demo's view of the API: what any client would call.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// An answer, with the time it took.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) took: Duration,
    pub(super) cleanup: Option<String>,
}

impl Client {
    pub(super) fn new(url: &str, key: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build().context("set up the HTTP client")?;
        Ok(Self { http, url: url.to_owned(), key: key.to_owned() })
    }

    pub(super) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer> {
        let mut request =
            self.http.request(method.clone(), format!("{}{path}", self.url)).header("x-api-key", &self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let began = Instant::now();
        let response = request.send().await.with_context(|| format!("{method} {path}"))?;
        let status = response.status().as_u16();
        let cleanup = response.headers().get("x-cleanup-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let text = response.text().await?;
        let took = began.elapsed();
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), took, cleanup })
    }

    async fn ok(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let answer = self.send(method.clone(), path, body).await?;
        ensure!(answer.status == 200, "{method} {path} answered {}: {}", answer.status, answer.body);
        Ok(answer.body)
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        self.ok(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.ok(Method::POST, path, Some(body)).await
    }

    pub(super) async fn connect(
        &self,
        collection: &str,
        source: &str,
        name: &str,
        credentials: Value,
    ) -> Result<Connection> {
        let body = json!({
            "short_name": source, "readable_collection_id": collection, "name": name,
            "authentication": {"credentials": credentials}, "sync_immediately": true,
        });
        let created = self.post("/source-connections", body).await?;
        Ok(Connection { id: text(&created, "id")?, sync: text(&created, "sync_id")? })
    }

    /// Hits of a keyword search, as (source, name).
    pub(super) async fn search(&self, collection: &str, query: &str) -> Result<Vec<(String, String)>> {
        let body = json!({"query": query, "retrieval_strategy": "keyword", "limit": 50});
        let answer = self.post(&format!("/collections/{collection}/search/instant"), body).await?;
        let hits = answer.get("results").and_then(Value::as_array).context("no results")?;
        let hit = |hit: &Value| -> Result<(String, String)> {
            let metadata = hit.get("airweave_system_metadata").context("no metadata")?;
            Ok((text(metadata, "source_name")?, text(hit, "name")?))
        };
        hits.iter().map(hit).collect()
    }

    /// The newest job of a connection.
    pub(super) async fn last_job(&self, connection: &Connection) -> Result<Value> {
        let jobs = self.get(&format!("/source-connections/{}/jobs?limit=1", connection.id)).await?;
        jobs.get(0).cloned().context("no job")
    }
}

pub(super) struct Connection {
    pub(super) id: String,
    pub(super) sync: String,
}

/// A field that must be a text.
pub(super) fn text(object: &Value, field: &str) -> Result<String> {
    let found = object.get(field).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("no {field} in {object}"))
}

/// A field that must be a count.
pub(super) fn number(object: &Value, field: &str) -> Result<u64> {
    object.get(field).and_then(Value::as_u64).with_context(|| format!("no {field} in {object}"))
}
