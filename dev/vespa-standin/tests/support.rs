//! A server to talk to.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use vespa_standin::http::Server;
use vespa_standin::tensor::Dimensions;

pub const TYPES: [&str; 5] = ["base_entity", "file_entity", "code_file_entity", "email_entity", "web_entity"];
pub const SYNC_A: &str = "11111111-1111-4111-8111-111111111111";
pub const SYNC_B: &str = "22222222-2222-4222-8222-222222222222";

pub struct Standin {
    pub address: SocketAddr,
    pub client: Client,
    server: Server,
    folder: TempDir,
}

/// `reqwest` wants a provider of TLS even where there is none.
fn builder() -> ClientBuilder {
    // Fails from the second time on, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().timeout(Duration::from_secs(60))
}

pub fn h2() -> Client {
    builder().http2_prior_knowledge().build().unwrap()
}

pub fn h1() -> Client {
    builder().http1_only().build().unwrap()
}

impl Standin {
    pub async fn start() -> Self {
        Self::start_in(TempDir::new().unwrap()).await
    }

    pub async fn start_in(folder: TempDir) -> Self {
        Self::with_dimensions(folder, Dimensions::DEFAULT).await
    }

    pub async fn with_dimensions(folder: TempDir, dimensions: Dimensions) -> Self {
        let server = Server::start(([127, 0, 0, 1], 0).into(), folder.path(), dimensions).await.unwrap();
        Self { address: server.address(), client: h2(), server, folder }
    }

    /// Stops the server and gives the folder back.
    pub async fn stop(self) -> TempDir {
        drop(self.client);
        self.server.stop().await;
        self.folder
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.client.request(method, self.url(path));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}")))
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(Method::GET, path, None).await
    }

    pub async fn delete(&self, path: &str) -> (StatusCode, Value) {
        self.send(Method::DELETE, path, None).await
    }

    pub async fn put(&self, doc_type: &str, specific: &str, fields: Value) {
        let path = format!("/document/v1/airweave/{doc_type}/docid/{specific}");
        let (status, answer) = self.send(Method::POST, &path, Some(json!({ "fields": fields }))).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// One document of each type for a sync, `count` times.
    pub async fn feed(&self, sync: &str, count: usize) {
        let puts = TYPES.into_iter().flat_map(|doc_type| (0..count).map(move |number| (doc_type, number)));
        let puts = puts.map(|(doc_type, number)| async move {
            let fields = json!({
                "entity_id": format!("entity-{number}"),
                "name": format!("Document {number}"),
                "textual_representation": format!("the text number {number} of {doc_type}"),
                "airweave_system_metadata_sync_id": sync,
                "airweave_system_metadata_source_name": "stub",
                "airweave_system_metadata_chunk_index": number,
            });
            self.put(doc_type, &format!("{sync}.{number}.0"), fields).await;
        });
        futures::future::join_all(puts).await;
    }

    pub async fn query(&self, parameters: &[(&str, &str)]) -> (StatusCode, Value) {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.get(&format!("/search/?{query}")).await
    }

    pub async fn count(&self, sync: &str) -> u64 {
        let yql = format!(
            "select documentid from sources * where airweave_system_metadata_sync_id contains \"{sync}\" limit 0"
        );
        let (status, answer) = self.query(&[("yql", &yql)]).await;
        assert_eq!(status, 200, "{answer}");
        answer["root"]["fields"]["totalCount"].as_u64().unwrap()
    }

    pub async fn checksum(&self, sync: &str) -> Value {
        self.get(&format!("/standin/v1/checksum?field=airweave_system_metadata_sync_id&value={sync}")).await.1
    }

    pub async fn counters(&self) -> Value {
        self.get("/standin/v1/counters").await.1
    }
}

/// The documents' ids of an answer, without what is common to all, in its order.
pub fn specifics(answer: &Value) -> Vec<String> {
    let children = answer["root"]["children"].as_array().cloned().unwrap_or_default();
    let id = |hit: &Value| hit["id"].as_str().unwrap().rsplit("::").next().unwrap().to_owned();
    children.iter().map(id).collect()
}

/// The text of a refusal.
pub fn message(answer: &Value) -> &str {
    answer["root"]["errors"][0]["message"].as_str().or(answer["message"].as_str()).unwrap_or_default()
}

/// A parameter as it stands in a URL.
pub fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The selection of a sync's documents over all five types.
pub fn of_sync(sync: &str) -> String {
    TYPES.map(|doc_type| format!("{doc_type}.airweave_system_metadata_sync_id=='{sync}'")).join(" or ")
}
