//! The HTTP client: one per process, shared by all tasks.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, redirect, retry};
use serde_json::Value;
use url::Url;

use super::{StoredId, VespaError};
use crate::tls;

/// What the wire may add to a call that Vespa ends by itself in time. Writes get none: they end with their deadline.
pub(super) const WIRE_MARGIN: Duration = Duration::from_secs(2);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// A page of ten thousand ids is a few MiB; the default window of 64 KiB would throttle it.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// No answer that is read into memory is larger.
const MOST_ANSWER_BYTES: usize = 512 << 20;

/// A client of one Vespa container cluster. Cheap to clone; clones share the connection.
#[derive(Debug, Clone)]
pub struct VespaClient {
    http: Client,
    base_url: Url,
    pub(super) dimensions: Option<u32>,
}

/// Settings of a [`VespaClient`] that have defaults.
#[derive(Debug, Clone)]
pub struct VespaBuilder {
    base_url: Url,
    is_http1: bool,
    dimensions: Option<u32>,
}

impl VespaBuilder {
    /// Speaks HTTP/1.1 only. Slower by an order of magnitude; for proxies and test servers that can't do better.
    #[must_use]
    pub const fn http1(mut self) -> Self {
        self.is_http1 = true;
        self
    }

    /// How many numbers the schema's vectors have. A search with a vector of another size is refused before it is sent:
    /// Vespa would fill up one that is too short.
    #[must_use]
    pub const fn dimensions(mut self, dimensions: u32) -> Self {
        self.dimensions = Some(dimensions);
        self
    }

    /// Builds the client. Nothing is sent yet.
    ///
    /// # Errors
    /// `Setup` if the URL isn't `http` or `https`, or no TLS provider is installed.
    pub fn build(self) -> Result<VespaClient, VespaError> {
        if !tls::is_provider_installed() {
            return Err(VespaError::Setup(tls::MISSING_PROVIDER.to_owned()));
        }
        let is_https = match self.base_url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(VespaError::Setup(format!("unknown URL scheme '{other}'"))),
        };
        let mut http = Client::builder()
            .retry(retry::never())
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .user_agent("unweave");
        if self.is_http1 {
            http = http.http1_only();
        } else {
            http = http
                .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
                .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
                .http2_keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
            if !is_https {
                http = http.http2_prior_knowledge();
            }
        }
        if !is_https {
            // Without TLS the system's certificates aren't needed, and a slim image has none.
            http = http.tls_certs_only([]);
        }
        let http = http.build().map_err(|error| VespaError::Setup(error.to_string()))?;
        let mut base_url = self.base_url;
        if !base_url.path().ends_with('/') {
            base_url.set_path(&format!("{}/", base_url.path()));
        }
        Ok(VespaClient { http, base_url, dimensions: self.dimensions })
    }
}

impl VespaClient {
    /// A client with default settings: HTTP/2 with prior knowledge for `http://`, negotiated for `https://`.
    ///
    /// # Errors
    /// As [`VespaBuilder::build`].
    pub fn new(base_url: &Url) -> Result<Self, VespaError> {
        Self::builder(base_url).build()
    }

    /// A client whose settings differ from the defaults.
    #[must_use]
    pub fn builder(base_url: &Url) -> VespaBuilder {
        VespaBuilder { base_url: base_url.clone(), is_http1: false, dimensions: None }
    }

    /// Whether Vespa says of itself that it is up.
    ///
    /// # Errors
    /// `Unavailable` while it is starting or stopping, else as any call.
    pub async fn ready(&self, timeout: Duration) -> Result<(), VespaError> {
        let url = self.url("state/v1/health")?;
        let body = exchange(self.http.get(url), timeout, timeout).await?;
        let health: Value = serde_json::from_slice(&body).map_err(|_| VespaError::Malformed("health".to_owned()))?;
        match health.pointer("/status/code").and_then(Value::as_str) {
            Some("up") => Ok(()),
            Some(_) | None => Err(VespaError::Unavailable {
                how: super::Unreachable::Status(200),
                message: "its health is not 'up'".to_owned(),
            }),
        }
    }

    /// Sends a query and returns the body of a 200.
    pub(super) async fn query(&self, query: Value, timeout: Duration) -> Result<Vec<u8>, VespaError> {
        self.query_of_at_most(MOST_ANSWER_BYTES, query, timeout).await
    }

    /// The same; an answer of more than so many bytes is let go of.
    pub(super) async fn query_of_at_most(
        &self,
        most_bytes: usize,
        mut query: Value,
        timeout: Duration,
    ) -> Result<Vec<u8>, VespaError> {
        if let Some(fields) = query.as_object_mut() {
            // The defaults, half a second and "soft", turn a slow node into a partial answer with status 200.
            fields.insert("timeout".to_owned(), Value::String(millis(timeout)));
            fields.insert("ranking.softtimeout.enable".to_owned(), Value::Bool(false));
        }
        let request = self.http.post(self.url("search/")?).json(&query);
        exchange_at_most(most_bytes, request, timeout, timeout + WIRE_MARGIN).await
    }

    /// A request for one document that Vespa ends after `timeout`, and refuses (412) if the id carries a condition that
    /// the document doesn't meet.
    pub(super) fn document_request(
        &self,
        method: reqwest::Method,
        id: &StoredId,
        timeout: Duration,
    ) -> Result<RequestBuilder, VespaError> {
        Ok(self.http.request(method, self.document_url(id, timeout)?))
    }

    /// A request for these fields of a document: `type:field,field`.
    pub(super) fn fields_request(
        &self,
        id: &StoredId,
        fields: &str,
        timeout: Duration,
    ) -> Result<RequestBuilder, VespaError> {
        let mut url = self.document_url(id, timeout)?;
        url.query_pairs_mut().append_pair("fieldSet", fields);
        Ok(self.http.get(url))
    }

    fn document_url(&self, id: &StoredId, timeout: Duration) -> Result<Url, VespaError> {
        let mut url = self.url(&id.path())?;
        url.query_pairs_mut()
            .append_pair("timeout", &millis(timeout))
            .extend_pairs(id.condition().map(|condition| ("condition", condition)));
        Ok(url)
    }

    fn url(&self, path: &str) -> Result<Url, VespaError> {
        self.base_url.join(path).map_err(|_| VespaError::Setup("cannot build URL".to_owned()))
    }
}

/// Sends the request and returns the body of a 200; anything else is classified. `timeout` is what the caller gave,
/// `deadline` when the client gives up.
pub(super) async fn exchange(
    request: RequestBuilder,
    timeout: Duration,
    deadline: Duration,
) -> Result<Vec<u8>, VespaError> {
    exchange_at_most(MOST_ANSWER_BYTES, request, timeout, deadline).await
}

pub(super) async fn exchange_at_most(
    most_bytes: usize,
    request: RequestBuilder,
    timeout: Duration,
    deadline: Duration,
) -> Result<Vec<u8>, VespaError> {
    let to_error = |error: reqwest::Error| VespaError::from_transport(&error, timeout);
    let mut answer = request.timeout(deadline).send().await.map_err(to_error)?;
    let status = answer.status().as_u16();
    let announced = answer.content_length().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
    let mut body = Vec::with_capacity(announced.min(most_bytes));
    while let Some(piece) = answer.chunk().await.map_err(to_error)? {
        if body.len().saturating_add(piece.len()) > most_bytes {
            return Err(VespaError::TooLarge(most_bytes));
        }
        body.extend_from_slice(&piece);
    }
    if status == 200 { Ok(body) } else { Err(VespaError::from_status(status, &body)) }
}

/// Vespa's form of a duration; never 0, which it would read as "none left".
fn millis(timeout: Duration) -> String {
    format!("{}ms", timeout.as_millis().max(1))
}
