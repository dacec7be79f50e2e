//! A gateway with a database of its own, and a client of it.

use std::time::Duration;

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use test_support::{Fault, Leftover, Rest, Service, TestDatabase, wait_until};

/// The key that every test gateway starts with.
pub const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// Nobody listens here: the gateway must do without broker and Vespa.
pub const NOWHERE: &str = "127.0.0.1:9";
pub const START: Duration = Duration::from_secs(20);

pub struct Gateway {
    pub service: Service,
    pub database: TestDatabase,
    pub admin: String,
    pub api: Api,
    /// What the test leaves behind.
    pub rest: Rest,
}

/// An answer, its body read.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of a 200.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// Asserts status and `detail`.
    #[track_caller]
    pub fn refuses(&self, status: u16, detail: &str) {
        assert_eq!((self.status.as_u16(), self.json()["detail"].as_str()), (status, Some(detail)), "{self:?}");
    }

    /// Asserts a 422 with exactly this fault, in both shapes.
    #[track_caller]
    pub fn faults(&self, place: &str, msg: &str) {
        assert_eq!(self.status, 422, "{self:?}");
        let body = self.json();
        assert_eq!(body["errors"], json!([{place: msg}]));
        let loc: Vec<String> = body["detail"][0]["loc"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
            .collect();
        assert_eq!((loc.join("."), body["detail"][0]["msg"].as_str()), (place.to_owned(), Some(msg)));
        assert!(body["detail"][0]["type"].is_string());
    }
}

/// A client with one key. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    pub http: reqwest::Client,
    pub url: String,
    pub key: String,
}

impl Api {
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path).header("x-api-key", &self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Makes a collection; answers its readable id.
    pub async fn collection(&self) -> String {
        text(&self.post("/collections", json!({"name": "Test collection"})).await.ok(), "readable_id")
    }

    /// Makes a stub connection; answers the full object.
    pub async fn stub(&self, collection: &str, more: Value) -> Value {
        self.post("/source-connections", stub_body(collection, more)).await.ok()
    }
}

pub fn stub_body(collection: &str, more: Value) -> Value {
    let mut body = json!({
        "short_name": "stub",
        "readable_collection_id": collection,
        "authentication": {"credentials": {"stub_key": "k"}},
        "sync_immediately": false,
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

pub fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_else(|| panic!("no {field} in {object}")).to_owned()
}

/// The names of an object's fields, in the order in which they were sent.
pub fn field_order(text: &str) -> Vec<String> {
    let (mut depth, mut is_text, mut escaped, mut current) = (0, false, false, String::new());
    let mut names = Vec::new();
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if is_text => escaped = true,
            '"' => {
                is_text = !is_text;
                if is_text {
                    current.clear();
                }
            }
            _ if is_text => current.push(c),
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ':' if depth == 1 => names.push(current.clone()),
            _ => {}
        }
    }
    names
}

impl Gateway {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a gateway; `more` replaces settings.
    pub async fn start_with(more: &[(&str, &str)]) -> Self {
        Self::start_on(TestDatabase::create().await, more).await
    }

    pub async fn start_on(database: TestDatabase, more: &[(&str, &str)]) -> Self {
        let rest = Rest::new(&database.url, None);
        // There is neither a broker nor a worker: deletions alone can end.
        rest.may_leave([Leftover::Jobs, Leftover::Cleanups, Leftover::Outbox]);
        let mut service = spawn(&database, more).resting(&rest);
        let (url, admin) = addresses(&mut service).await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let key = more.iter().find(|(name, _)| *name == "INITIAL_API_KEY").map_or(KEY, |(_, key)| key);
        Self { service, database, admin, api: Api { http, url, key: key.to_owned() }, rest }
    }

    /// Marks connections or collections as D1 does. Only just requested, so the finisher leaves them alone, and so does
    /// the test.
    pub async fn request_deletion(&self, table: &str) {
        self.rest.may_leave([Leftover::Deletions]);
        self.database.execute(&deletion_requested(table)).await;
    }

    /// Makes another organization; a client of it.
    pub async fn other_organization(&self) -> Api {
        self.organization_on("enterprise").await.0
    }

    /// Makes an organization on a plan; a client of it, and its id.
    pub async fn organization_on(&self, plan: &str) -> (Api, String) {
        let made = self.operation(&["organizations", "create", "--name", "Other", "--plan", plan]).await;
        (self.api.with_key(&text(&made, "api_key")), text(&made, "id"))
    }

    /// Runs `unweave`, which must succeed; its answer.
    pub async fn operation(&self, arguments: &[&str]) -> Value {
        let environment = [("DATABASE_URL", self.database.url.as_str())];
        let mut operation = Service::spawn_with("unweave", &[arguments, &["--output", "json"]].concat(), environment);
        assert!(operation.exited(START).await.success(), "{}", operation.tail());
        serde_json::from_str(&operation.log()).unwrap()
    }

    /// Starts another gateway on the same database; a client of it.
    pub async fn beside(&self, more: &[(&str, &str)]) -> (Api, Service) {
        let mut service = spawn(&self.database, more);
        let (url, _) = addresses(&mut service).await;
        (Api { url, ..self.api.clone() }, service)
    }
}

/// The statement that marks every row of the table as D1 does.
pub fn deletion_requested(table: &str) -> String {
    format!("UPDATE {table} SET deletion_requested_at = clock_timestamp(), deletion_request_id = gen_random_uuid()")
}

/// A gateway that may say that it is without broker and Vespa.
pub fn spawn(database: &TestDatabase, more: &[(&str, &str)]) -> Service {
    let service = Service::spawn("api-gateway", environment(database, more));
    service.expects.fault(Fault::RabbitMqAway);
    service.expects.fault(Fault::VespaAway);
    service
}

pub fn environment(database: &TestDatabase, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let amqp = format!("amqp://guest:guest@{NOWHERE}");
    let vespa = format!("http://{NOWHERE}");
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("AMQP_URL", &amqp),
        ("VESPA_URL", &vespa),
        ("CREDENTIALS_KEYS", "test:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("INITIAL_API_KEY", KEY),
        ("ENABLE_INTERNAL_SOURCES", "true"),
        ("LISTEN", "127.0.0.1:0"),
        ("ADMIN_LISTEN", "127.0.0.1:0"),
        ("DATABASE_POOL_SIZE", "8"),
    ];
    let kept = settings.iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    kept.chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Where the API and the admin endpoint listen, as the log says.
pub async fn addresses(service: &mut Service) -> (String, String) {
    test_support::install_tls_provider();
    let find = |service: &Service, message: &str, field: &str| {
        let log = service.log();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["message"] == message).map(|line| format!("http://{}", text(&line, field)))
    };
    wait_until("the gateway listens", START, async || {
        assert!(service.is_running(), "{}", service.tail());
        find(service, "listening", "address").is_some()
    })
    .await;
    let (api, admin) = (find(service, "listening", "address"), find(service, "health and metrics", "admin_address"));
    (api.unwrap(), admin.unwrap())
}
