//! Cleanups' progress as server-sent events: each change once, until the cleanup has ended.
//!
//! One poll a second reads every cleanup that somebody watches through this gateway, in one query; without a watcher
//! nothing is read. The row is the truth, so a client that was cut off, or whose gateway has gone, loses nothing by
//! connecting again anywhere: the first event is the cleanup as it is. Streams end at shutdown at once, and after
//! [`stream::LIFETIME`], so that the key is checked again: it may be gone by then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use shared_database::cleanup_view::CleanupRow;
use shared_database::{Database, DatabaseError};
use shared_models::{CleanupId, OrganizationId};
use shared_service::{Periodic, Service, Tasks};
use tokio::sync::watch;

mod stream;

pub use stream::{Body, event_id};

/// Most streams that an organization may have open at one gateway.
pub const MOST_STREAMS: usize = 32;
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Who watches what. Cheap to clone.
#[derive(Clone)]
pub struct CleanupEvents {
    database: Database,
    tasks: Tasks,
    watched: Arc<Mutex<Watched>>,
}

#[derive(Default)]
struct Watched {
    cleanups: HashMap<CleanupId, watch::Sender<CleanupRow>>,
    streams: HashMap<OrganizationId, usize>,
}

/// An organization's right to one open stream; it ends when this is dropped.
pub struct Place {
    organization: OrganizationId,
    watched: Arc<Mutex<Watched>>,
}

impl CleanupEvents {
    /// Starts the poll.
    #[must_use]
    pub fn start(database: &Database, service: &Service) -> Self {
        let events = Self { database: database.clone(), tasks: service.tasks.clone(), watched: Arc::default() };
        let polled = events.clone();
        let poll = Periodic::every("cleanup events", POLL_INTERVAL);
        service.driver.start(poll, move |_| polled.clone().poll());
        events
    }

    /// A stream of a cleanup's events; `None` if the organization has too many open.
    ///
    /// `seen` is the id of the last event that the client has seen: that one isn't sent again.
    #[must_use]
    pub fn open(&self, row: CleanupRow, seen: Option<String>) -> Option<Body> {
        let (place, changes) = self.enter(row)?;
        let (body, task) = stream::stream(place, changes, seen, self.tasks.shutdown().clone());
        self.tasks.spawn("cleanup event stream", task);
        Some(body)
    }

    fn enter(&self, row: CleanupRow) -> Option<(Place, watch::Receiver<CleanupRow>)> {
        let organization = row.organization_id;
        let mut watched = self.watched.lock();
        let open = watched.streams.entry(organization).or_default();
        if *open >= MOST_STREAMS {
            return None;
        }
        *open += 1;
        let place = Place { organization, watched: Arc::clone(&self.watched) };
        let sender = watched.cleanups.entry(row.id).or_insert_with(|| watch::Sender::new(row.clone()));
        replace(sender, row);
        Some((place, sender.subscribe()))
    }

    /// The cleanups that somebody watches; forgets the others.
    fn ids(&self) -> Vec<CleanupId> {
        let mut watched = self.watched.lock();
        watched.cleanups.retain(|_, changes| changes.receiver_count() > 0);
        watched.cleanups.keys().copied().collect()
    }

    async fn poll(self) -> Result<(), DatabaseError> {
        let ids = self.ids();
        if ids.is_empty() {
            return Ok(());
        }
        let rows = self.database.watched_cleanups(&ids).await?;
        let watched = self.watched.lock();
        for row in rows {
            if let Some(changes) = watched.cleanups.get(&row.id) {
                replace(changes, row);
            }
        }
        Ok(())
    }
}

/// Tells the watchers, if the row has changed since the one that they know, or stands otherwise by the time alone.
fn replace(changes: &watch::Sender<CleanupRow>, row: CleanupRow) {
    changes.send_if_modified(|known| {
        let is_changed = row.modified_at > known.modified_at;
        let is_later = row.modified_at == known.modified_at && row.read_at > known.read_at;
        let is_news = is_changed || (is_later && event_id(&row) != event_id(known));
        if is_news {
            *known = row;
        }
        is_news
    });
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut watched = self.watched.lock();
        if let Some(open) = watched.streams.get_mut(&self.organization) {
            *open -= 1;
            if *open == 0 {
                watched.streams.remove(&self.organization);
            }
        }
    }
}
