//! The embedder: an OpenAI-compatible endpoint that turns texts into vectors.
//!
//! Embedding is no write: it may be repeated, and dropped at any time. No error and no log quotes a text, the key, or
//! the answer of a server that may have echoed them.
//!
//! **`dimensions` isn't sent unless it must be.** Many servers (vLLM, llama.cpp, Mistral, proxies such as LiteLLM)
//! refuse the parameter or ignore it for models that have one size. So the first request goes without; only if its
//! vectors are longer than wanted is it repeated with the parameter, and a server that then shortens them
//! (`text-embedding-3-large`) gets it from then on.
//! A model that can't give what is wanted is an error that names both numbers.
//!
//! **An input that the endpoint refuses** (400, 413, 422) is told apart from an endpoint that refuses everything by
//! asking for the vector of one harmless word. If that is answered, the batch is halved until the refused inputs are
//! alone; they get no vector, and whoever asked goes on without.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, redirect, retry};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use shared_service::Backoff;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

mod answer;
mod batch;
mod error;

pub use batch::MAX_INPUT_CHARS;
use batch::{batches, cut};
pub use error::EmbedderError;

use crate::tls;

/// A direction in the space of meanings.
pub type Embedding = Vec<f32>;

/// Batches of one call that wait for their vectors at once.
const BATCHES_AT_ONCE: usize = 4;

const RETRIES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(15));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A word that every model has a vector for.
const HARMLESS: &str = "test";

/// How to reach the endpoint.
#[derive(Debug, Clone)]
pub struct EmbedderConfig {
    /// Base URL; `/embeddings` is added.
    pub url: Url,
    /// Name of the model.
    pub model: String,
    /// Dimensions that its vectors must have.
    pub dimensions: u32,
    /// Sent as a bearer token, if given.
    pub api_key: Option<SecretString>,
    /// Batches under way at once, of all callers; the others wait for their turn.
    pub in_flight: u16,
}

/// Which vectors an embedder makes. Those of two identities can't be compared with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedderIdentity {
    /// Name of the model.
    pub model: Arc<str>,
    /// Their dimensions.
    pub dimensions: u32,
}

/// How long to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Longest time for one request.
    pub request: Duration,
    /// Longest time for one batch with all its repetitions, from its turn on; the last request is cut short by it.
    pub total: Duration,
}

/// A client of one model. Cheap to clone; clones share connections and the bound on what is under way.
#[derive(Debug, Clone)]
pub struct Embedder {
    http: Client,
    url: Url,
    model: Arc<str>,
    dimensions: u32,
    sends_dimensions: Arc<AtomicBool>,
    slots: Arc<Semaphore>,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
}

impl Embedder {
    /// A client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`EmbedderError::Setup`] for a URL that can't be one, a key that can't be a header, or a missing TLS provider.
    pub fn new(config: &EmbedderConfig) -> Result<Self, EmbedderError> {
        if !tls::is_provider_installed() {
            return Err(EmbedderError::Setup(tls::MISSING_PROVIDER));
        }
        let mut url = config.url.clone();
        let mut segments = url.path_segments_mut().map_err(|()| EmbedderError::Setup("the URL can't have a path"))?;
        segments.pop_if_empty().push("embeddings");
        drop(segments);
        let mut headers = HeaderMap::new();
        if let Some(key) = &config.api_key {
            let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()))
                .map_err(|_| EmbedderError::Setup("the API key has characters that no header can hold"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut http = Client::builder()
            .retry(retry::never())
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .default_headers(headers)
            .user_agent("unweave");
        if url.scheme() != "https" {
            // A server inside: no proxy leads there. And without TLS the system's certificates aren't needed.
            http = http.no_proxy().tls_certs_only([]);
        }
        Ok(Self {
            http: http.build().map_err(|_| EmbedderError::Setup("the HTTP client can't be built"))?,
            url,
            model: config.model.as_str().into(),
            dimensions: config.dimensions,
            sends_dimensions: Arc::default(),
            slots: Arc::new(Semaphore::new(config.in_flight.max(1).into())),
        })
    }

    /// Which vectors it makes.
    #[must_use]
    pub fn identity(&self) -> EmbedderIdentity {
        EmbedderIdentity { model: self.model.clone(), dimensions: self.dimensions }
    }

    /// Asks for the vector of one harmless word, once.
    ///
    /// # Errors
    /// [`EmbedderError`].
    pub async fn check(&self, timeout: Duration) -> Result<(), EmbedderError> {
        self.embed(&[HARMLESS], Patience { request: timeout, total: timeout }).await.map(drop)
    }

    /// The vectors of these texts, in their order. A blank text has none, nor has one that the endpoint refuses.
    ///
    /// # Errors
    /// [`EmbedderError`], once for all: the first batch that fails.
    pub async fn embed(
        &self,
        texts: &[impl AsRef<str> + Sync],
        patience: Patience,
    ) -> Result<Vec<Option<Embedding>>, EmbedderError> {
        let inputs: Vec<(usize, &str)> =
            texts.iter().map(|text| cut(text.as_ref())).enumerate().filter(|(_, text)| !text.is_empty()).collect();
        let mut work = Vec::new();
        for batch in batches(&inputs) {
            work.push(self.embed_places(batch, patience));
        }
        let mut all: Vec<Option<Embedding>> = texts.iter().map(|_| None).collect();
        let mut answers = futures::stream::iter(work).buffer_unordered(BATCHES_AT_ONCE);
        while let Some(answered) = answers.try_next().await? {
            for (place, vector) in answered {
                if let Some(slot) = all.get_mut(place) {
                    *slot = vector;
                }
            }
        }
        Ok(all)
    }

    /// One batch; each vector with the place of its text.
    async fn embed_places(
        &self,
        batch: &[(usize, &str)],
        patience: Patience,
    ) -> Result<Vec<(usize, Option<Embedding>)>, EmbedderError> {
        // The semaphore is never closed. Held through pauses too: a server that wants to be left alone is.
        let _slot = self.slots.acquire().await;
        let (places, texts): (Vec<usize>, Vec<&str>) = batch.iter().copied().unzip();
        let vectors = self.embed_batch(&texts, Instant::now() + patience.total, patience.request).await?;
        Ok(places.into_iter().zip(vectors).collect())
    }

    /// One batch. What is refused is looked for by halving.
    async fn embed_batch(
        &self,
        texts: &[&str],
        deadline: Instant,
        request: Duration,
    ) -> Result<Vec<Option<Embedding>>, EmbedderError> {
        match self.ask_patiently(texts, deadline, request).await {
            // With no time left to find out whether it is, the refusal is what there is to tell.
            Err(error) if error.may_be_the_input() && Instant::now() < deadline => {
                match self.ask_patiently(&[HARMLESS], deadline, request).await {
                    Ok(_) => self.halve(texts, deadline, request).await,
                    // It refuses this as well, so it isn't the input.
                    Err(other) if other.may_be_the_input() => Err(error),
                    Err(other) => Err(other),
                }
            }
            answered => answered,
        }
    }

    fn halve<'a>(
        &'a self,
        texts: &'a [&'a str],
        deadline: Instant,
        request: Duration,
    ) -> BoxFuture<'a, Result<Vec<Option<Embedding>>, EmbedderError>> {
        Box::pin(async move {
            if texts.len() < 2 {
                return Ok(vec![None; texts.len()]);
            }
            let mut all = Vec::with_capacity(texts.len());
            for half in texts.chunks(texts.len().div_ceil(2)) {
                match self.ask_patiently(half, deadline, request).await {
                    Ok(vectors) => all.extend(vectors),
                    Err(error) if error.may_be_the_input() => all.extend(self.halve(half, deadline, request).await?),
                    Err(error) => return Err(error),
                }
            }
            Ok(all)
        })
    }

    /// Asks until it is answered, refused, or too late. `Retry-After` is obeyed, within the deadline.
    async fn ask_patiently(
        &self,
        texts: &[&str],
        deadline: Instant,
        request: Duration,
    ) -> Result<Vec<Option<Embedding>>, EmbedderError> {
        let mut pauses = RETRIES.pauses();
        let mut last = EmbedderError::Unanswered(request);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match self.ask(texts, deadline.min(Instant::now() + request)).await {
                Err(error) if error.is_retryable() => last = error,
                end => return end,
            }
            let pause = last.retry_after().unwrap_or_default().max(pauses.pause());
            if pause >= deadline.saturating_duration_since(Instant::now()) {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        Err(last)
    }

    /// Asks once; twice if the vectors turn out too long and `dimensions` may help. Both within `until`.
    async fn ask(&self, texts: &[&str], until: Instant) -> Result<Vec<Option<Embedding>>, EmbedderError> {
        let left = || until.saturating_duration_since(Instant::now());
        let sends_dimensions = self.sends_dimensions.load(Ordering::Relaxed);
        match self.exchange(texts, sends_dimensions, left()).await {
            Err(EmbedderError::WrongDimensions { given, expected }) if given > expected && !sends_dimensions => {
                match self.exchange(texts, true, left()).await {
                    Ok(vectors) => {
                        self.sends_dimensions.store(true, Ordering::Relaxed);
                        Ok(vectors)
                    }
                    Err(error) if error.is_retryable() => Err(error),
                    Err(_) => Err(EmbedderError::WrongDimensions { given, expected }),
                }
            }
            end => end,
        }
    }

    async fn exchange(
        &self,
        texts: &[&str],
        sends_dimensions: bool,
        timeout: Duration,
    ) -> Result<Vec<Option<Embedding>>, EmbedderError> {
        let dimensions = sends_dimensions.then_some(self.dimensions);
        let request = Request { model: &self.model, input: texts, dimensions };
        let to_error = |error: reqwest::Error| EmbedderError::from_transport(&error, timeout);
        let sent = self.http.post(self.url.clone()).json(&request).timeout(timeout).send().await.map_err(to_error)?;
        let (status, retry_after) = (sent.status().as_u16(), error::retry_after(sent.headers()));
        let body = answer::body(sent, timeout).await?;
        if status == 200 {
            answer::read(&body, texts.len(), self.dimensions)
        } else {
            Err(EmbedderError::from_status(status, retry_after, &body))
        }
    }
}
