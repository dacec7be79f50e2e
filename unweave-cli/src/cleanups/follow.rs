//! Follows a cleanup by the API's events: one request for as long as it takes, and another one if it is cut off.

use std::time::Duration;

use futures::StreamExt as _;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, Response, StatusCode};
use shared_models::wire::cleanup::Cleanup;
use shared_models::{CleanupId, CleanupState};
use shared_service::Backoff;
use sse_stream::{Sse, SseStream};

use crate::api::{Api, ApiError, answered};
use crate::failure::Failure;

/// Times until the next attempt, where the service doesn't say one.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(15));

/// Calls `tell` with each state of the cleanup, until it has ended.
///
/// # Errors
/// There is no such cleanup, or the key isn't one. While nobody answers it is asked again.
pub async fn follow(api: &Api, cleanup: CleanupId, mut tell: impl FnMut(&Cleanup)) -> Result<Cleanup, Failure> {
    let mut pauses = Pauses::default();
    loop {
        match events(api, cleanup, &mut tell, &mut pauses).await {
            Ok(Some(ended)) => return Ok(ended),
            // The stream ended by itself, as each does after some time.
            Ok(None) => pauses.after(ApiError::Later { why: "the events ended".to_owned(), after: None }).await?,
            Err(error) => pauses.after(error).await?,
        }
    }
}

/// One stream of events; the cleanup if it has ended.
async fn events(
    api: &Api,
    cleanup: CleanupId,
    tell: &mut impl FnMut(&Cleanup),
    pauses: &mut Pauses,
) -> Result<Option<Cleanup>, ApiError> {
    let id = cleanup.to_string();
    let request = api.request(Method::GET, &["cleanups", &id, "events"])?.header(ACCEPT, "text/event-stream");
    let response: Response = answered(request.send().await?).await?;
    if response.status() == StatusCode::NO_CONTENT {
        return api.get(&["cleanups", &id]).await.map(Some);
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("text/event-stream") {
        return Err(ApiError::Strange(format!("the answer isn't understood: it is '{kind}', no stream of events")));
    }
    let mut events = Box::pin(SseStream::from_bytes_stream(response.bytes_stream()));
    while let Some(event) = events.next().await {
        let event: Sse = event.map_err(|error| ApiError::Later { why: error.to_string(), after: None })?;
        let Some(data) = event.data else { continue };
        let now: Cleanup = serde_json::from_str(&data)
            .map_err(|error| ApiError::Strange(format!("the answer isn't understood: {error}")))?;
        pauses.begin_anew();
        tell(&now);
        if matches!(now.state, CleanupState::Done | CleanupState::Refused) {
            return Ok(Some(now));
        }
    }
    Ok(None)
}

/// Pauses between attempts, which grow.
#[derive(Default)]
pub struct Pauses(u32);

impl Pauses {
    /// Somebody has answered.
    pub const fn begin_anew(&mut self) {
        self.0 = 0;
    }

    /// Waits, if asking again may help.
    ///
    /// # Errors
    /// It doesn't.
    pub async fn after(&mut self, error: ApiError) -> Result<(), Failure> {
        let ApiError::Later { after, .. } = error else { return Err(error.into()) };
        self.0 = self.0.saturating_add(1);
        tokio::time::sleep(after.unwrap_or_else(|| PAUSES.after(self.0))).await;
        Ok(())
    }
}
