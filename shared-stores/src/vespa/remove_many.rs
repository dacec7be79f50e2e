//! Removing many documents at once, for a purge.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde::Deserialize;
use shared_models::DocumentType;
use shared_service::Backoff;
use tokio::time::Instant;

use super::client::{WIRE_MARGIN, exchange};
use super::page::SYNC_ID;
use super::{StoredId, VespaClient, VespaError};

/// Failures (other than overload) after which no further removal is started: the store is down, not one document.
const MAX_FAILURES: u64 = 64;
const OVERLOADED: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));

/// How hard and how long to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoveLimits {
    /// Removals under way at the same time; all share one HTTP/2 connection, on which Vespa allows 512.
    pub in_flight: usize,
    /// Time for one removal on Vespa's side; the client waits a little longer.
    pub request_timeout: Duration,
    /// Time for all. None is started after it, so the call ends at most one request later.
    pub total: Duration,
}

impl Default for RemoveLimits {
    fn default() -> Self {
        Self { in_flight: 256, request_timeout: Duration::from_secs(5), total: Duration::from_secs(5) }
    }
}

/// What became of the ids given. Removed, kept, failed and not started add up to how many there were.
#[derive(Debug, Default)]
pub struct RemoveOutcome {
    /// Acknowledged removals, of documents that were there or not.
    pub removed: u64,
    /// The same, by document type.
    pub removed_by_type: BTreeMap<DocumentType, u64>,
    /// Documents that carried another sync's id by the time of their removal, and so were left alone.
    pub kept: u64,
    /// Removals that failed; they may have been applied all the same.
    pub failed: u64,
    /// Removals not started, for lack of time or because too many others failed.
    pub not_started: u64,
    /// The first failure.
    pub first_error: Option<VespaError>,
}

impl RemoveOutcome {
    /// Counts the end of the removal of a document of this type. Returns whether it makes sense to start more.
    fn add(&mut self, kind: DocumentType, end: Result<(), VespaError>) -> bool {
        match end {
            Ok(()) => {
                self.removed += 1;
                *self.removed_by_type.entry(kind).or_default() += 1;
            }
            Err(VespaError::Rejected { status: 412, .. }) => self.kept += 1,
            Err(error) => {
                self.failed += 1;
                let is_hopeless = !error.is_retryable() || self.failed >= MAX_FAILURES;
                self.first_error.get_or_insert(error);
                return !is_hopeless;
            }
        }
        true
    }
}

impl VespaClient {
    /// Removes the documents, many at a time. Overload (429) slows each removal down with growing, jittered pauses
    /// until the time is over; any other failure counts as failed and isn't repeated here.
    ///
    /// Running it twice, or by two workers at once, has the effect of one (DEL-6).
    pub async fn remove_many(&self, ids: &[StoredId], limits: RemoveLimits) -> RemoveOutcome {
        let deadline = Instant::now() + limits.total;
        let mut outcome = RemoveOutcome::default();
        let mut waiting = ids.iter();
        let mut under_way = FuturesUnordered::new();
        let mut is_open = true;
        loop {
            while is_open && under_way.len() < limits.in_flight.max(1) && Instant::now() < deadline {
                let Some(id) = waiting.next() else { break };
                let removal = self.remove_patiently(id, limits.request_timeout, deadline);
                under_way.push(async move { (id.document_type(), removal.await) });
            }
            let Some((kind, end)) = under_way.next().await else { break };
            is_open &= outcome.add(kind, end);
        }
        outcome.not_started = u64::try_from(waiting.len()).unwrap_or(u64::MAX);
        outcome
    }

    async fn remove_patiently(&self, id: &StoredId, timeout: Duration, deadline: Instant) -> Result<(), VespaError> {
        let mut pauses = OVERLOADED.pauses();
        let mut id = Cow::Borrowed(id);
        loop {
            let pause = pauses.pause();
            match self.remove_stored(&id, timeout, timeout + WIRE_MARGIN).await {
                Err(VespaError::Overloaded) if Instant::now() + pause < deadline => tokio::time::sleep(pause).await,
                Err(refused @ VespaError::Rejected { status: 412, .. }) => {
                    id = Cow::Owned(self.respelled(&id, timeout).await?.ok_or(refused)?);
                }
                end => return end,
            }
        }
    }

    /// The id of a document that wasn't removed, if it is the sync's all the same, whose id it spells in another way:
    /// it would be listed again and again. Nobody but a foreign system spells it so.
    async fn respelled(&self, id: &StoredId, timeout: Duration) -> Result<Option<StoredId>, VespaError> {
        let request = self.fields_request(id, &format!("{}:{SYNC_ID}", id.document_type()), timeout)?;
        let body = match exchange(request, timeout, timeout + WIRE_MARGIN).await {
            Err(VespaError::Rejected { status: 404, .. }) => return Ok(None),
            answered => answered?,
        };
        let stored: Stored = serde_json::from_slice(&body).map_err(|_| VespaError::Malformed("document".to_owned()))?;
        Ok(stored.fields.sync_id.and_then(|spelled| id.respelled(&spelled)))
    }
}

#[derive(Deserialize)]
struct Stored {
    #[serde(default)]
    fields: StoredFields,
}

#[derive(Default, Deserialize)]
struct StoredFields {
    #[serde(rename = "airweave_system_metadata_sync_id")]
    sync_id: Option<String>,
}
