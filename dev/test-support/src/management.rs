//! RabbitMQ's management API.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use url::Url;

/// A client of `RABBITMQ_MANAGEMENT_URL`, `http://user:password@host:port`.
#[derive(Debug, Clone)]
pub(crate) struct Management {
    client: Client,
    base: Url,
}

impl Management {
    pub(crate) fn from_environment() -> Self {
        crate::install_tls_provider();
        let base = crate::server("RABBITMQ_MANAGEMENT_URL").parse().expect("RABBITMQ_MANAGEMENT_URL is a URL");
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().expect("an HTTP client");
        Self { client, base }
    }

    pub(crate) fn user(&self) -> &str {
        self.base.username()
    }

    /// Asks; `path` is below `/api`, its segments are encoded here. A missing thing answers `None`.
    pub(crate) async fn ask(&self, method: Method, path: &[&str], body: Option<Value>) -> Option<Value> {
        self.try_ask(method, path, body).await.unwrap_or_else(|error| panic!("RabbitMQ management: {error}"))
    }

    pub(crate) async fn try_ask(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<Option<Value>, String> {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("a base URL").pop_if_empty().push("api").extend(path);
        let (user, password) = (url.username().to_owned(), url.password().map(ToOwned::to_owned));
        url.set_username("").and_then(|()| url.set_password(None)).expect("an HTTP URL");
        let mut request = self.client.request(method.clone(), url).basic_auth(user, password);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            _ if status.is_success() => Ok(Some(serde_json::from_str(&text).unwrap_or(Value::Null))),
            _ => Err(format!("{method} {path:?}: {status} {text}")),
        }
    }
}
