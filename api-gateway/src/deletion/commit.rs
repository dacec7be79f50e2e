//! D3: one transaction deletes the rows, if nothing can write any more.

use std::time::Instant;

use shared_database::DatabaseError;
use shared_database::deletion::{Commit, Subject, Watched};
use shared_models::CleanupId;

use super::Parts;

impl Parts {
    pub(super) async fn try_commit(&self, subject: Subject, watched_since: Instant) -> Result<Commit, DatabaseError> {
        self.database.try_commit(subject, self.watched(watched_since)).await
    }

    /// Whether every lease has run out since, on this process's own monotonic clock (DEL-2).
    fn watched(&self, since: Instant) -> Watched {
        if since.elapsed() >= self.times.silence_after() {
            Watched::PastEveryLease { guard: self.times.lease_guard }
        } else {
            Watched::Briefly
        }
    }

    /// The cleanups of what somebody else committed, for the answer's headers. The deletion is done, so an answer
    /// without them is better than an error.
    pub(super) async fn cleanups_to_name(&self, subject: Subject) -> Vec<CleanupId> {
        self.database.cleanups_of(subject).await.unwrap_or_else(|error| {
            tracing::warn!(%subject, %error, "the answer names no cleanup: it could not be looked up");
            Vec::new()
        })
    }
}
