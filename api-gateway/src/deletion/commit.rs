//! D3: the one way in which rows go, for the handler, a second DELETE and the finisher.

use std::time::Instant;

use shared_database::DatabaseError;
use shared_database::deletion::{CollectionCommit, Commit, Watched};
use shared_models::{CleanupId, CollectionId, SourceConnectionId};

use super::Parts;

/// What is being deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Connection(SourceConnectionId),
    Collection(CollectionId),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connection(id) => write!(f, "source_connection {id}"),
            Self::Collection(id) => write!(f, "collection {id}"),
        }
    }
}

/// What D3 found and did, for both kinds of subject.
pub(super) enum Committed {
    Done(Vec<CleanupId>),
    NotYet,
    AlreadyGone,
}

impl Parts {
    pub(super) async fn try_commit(
        &self,
        subject: Subject,
        watched_since: Instant,
    ) -> Result<Committed, DatabaseError> {
        let watched = self.watched(watched_since);
        Ok(match subject {
            Subject::Connection(connection) => match self.database.try_commit(connection, watched).await? {
                Commit::Done(cleanup) => Committed::Done(vec![cleanup]),
                Commit::NotYet => Committed::NotYet,
                Commit::AlreadyGone => Committed::AlreadyGone,
            },
            Subject::Collection(collection) => match self.database.try_commit_collection(collection, watched).await? {
                CollectionCommit::Done(cleanups) => Committed::Done(cleanups),
                CollectionCommit::NotYet => Committed::NotYet,
                CollectionCommit::AlreadyGone => Committed::AlreadyGone,
            },
        })
    }

    /// Whether every lease has run out since, on this process's own monotonic clock (DEL-2).
    fn watched(&self, since: Instant) -> Watched {
        if since.elapsed() >= self.times.silence_after() {
            Watched::PastEveryLease { guard: self.times.lease_guard }
        } else {
            Watched::Briefly
        }
    }

    /// The cleanups of what somebody else committed, for the answer's headers. The deletion is done, so an answer without
    /// them is better than an error.
    pub(super) async fn cleanups_to_name(&self, subject: Subject) -> Vec<CleanupId> {
        self.cleanups_of(subject).await.unwrap_or_else(|error| {
            tracing::warn!(%subject, %error, "the answer names no cleanup: it could not be looked up");
            Vec::new()
        })
    }

    async fn cleanups_of(&self, subject: Subject) -> Result<Vec<CleanupId>, DatabaseError> {
        match subject {
            Subject::Connection(connection) => Ok(self.database.cleanup_of(connection).await?.into_iter().collect()),
            Subject::Collection(collection) => self.database.cleanups_of_collection(collection).await,
        }
    }
}
