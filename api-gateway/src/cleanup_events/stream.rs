//! One stream of events: what is written, and when it ends.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::web::Bytes;
use futures::Stream;
use shared_database::cleanup_view::CleanupRow;
use shared_models::WaitingFor;
use shared_models::wire::cleanup::Cleanup;
use shared_models::wire::cleanup::CleanupEvent;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Place;

/// Often enough that no proxy takes the connection for dead, and that a client that has gone is soon noticed: only a
/// write tells.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long a stream stays open.
pub const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How long a client is told to wait before it connects again, in milliseconds.
const RECONNECT_MS: u64 = 2000;
/// Events that wait for a slow client; it misses none but those that newer ones have replaced.
const WAITING: usize = 2;

/// The body of the answer.
pub struct Body(mpsc::Receiver<Bytes>);

impl Body {
    /// The bytes, as they come.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        futures::stream::unfold(self.0, async |mut bytes| Some((Ok(bytes.recv().await?), bytes)))
    }
}

/// A body, and what fills it; the latter ends with the cleanup, at shutdown, or when the body is dropped.
pub(super) fn stream(
    place: Place,
    changes: watch::Receiver<CleanupRow>,
    seen: Option<String>,
    shutdown: CancellationToken,
) -> (Body, impl Future<Output = ()> + Send + 'static) {
    let (to, body) = mpsc::channel(WAITING);
    let filled = async move {
        let _place = place;
        tokio::select! {
            () = fill(&to, changes, seen) => {}
            () = to.closed() => {}
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(LIFETIME) => {}
        }
    };
    (Body(body), filled)
}

async fn fill(to: &mpsc::Sender<Bytes>, mut changes: watch::Receiver<CleanupRow>, mut seen: Option<String>) {
    let mut text = format!("retry: {RECONNECT_MS}\n\n");
    loop {
        let row = changes.borrow_and_update().clone();
        let (id, ends) = (event_id(&row), !row.state.is_open());
        if seen.as_deref() != Some(&id) {
            text.push_str(&event(row, &id));
            seen = Some(id);
        }
        if to.send(Bytes::from(std::mem::take(&mut text))).await.is_err() || ends {
            return;
        }
        match tokio::time::timeout(KEEP_ALIVE, changes.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => text.push_str(": keep-alive\n\n"),
        }
    }
}

/// The id of the event that tells of the row as it is: it changes with the row, with how it stands, and as its deadline
/// comes near and passes.
#[must_use]
pub fn event_id(row: &CleanupRow) -> String {
    let (standing, urgency) = (row.standing(), row.urgency);
    let mut id = format!("{}-{}", row.modified_at.timestamp_micros(), standing.status());
    let waiting_for = standing.waiting_for().map(WaitingFor::as_str);
    let (hurries, overdue) = (urgency.hurries.then_some("hurries"), urgency.is_overdue.then_some("overdue"));
    for word in [waiting_for, hurries, overdue].into_iter().flatten() {
        id.push('-');
        id.push_str(word);
    }
    id
}

fn event(row: CleanupRow, id: &str) -> String {
    let name = CleanupEvent::from(row.state);
    // JSON has no line breaks of its own, so this is one line.
    let data = serde_json::to_string(&Cleanup::from(row)).unwrap_or_default();
    format!("id: {id}\nevent: {name}\ndata: {data}\n\n")
}
