//! The durable steps of a deletion: D1 (request) and D3 (commit), of a connection or of a collection with all of its
//! own.
//!
//! Keeps DEL-1 (rows gone ⇒ one cleanup and its message), DEL-2 (nothing commits while a writer may still write), DEL-6
//! (each step run twice has the effect of one) and DEL-9 (organization-scoped). Between D1 and D3 anybody may crash:
//! the finisher of any gateway calls [`Database::try_commit`] again.
//!
//! Both steps are the same two statements in one transaction. The first locks what is to be deleted ([`lock`]), the
//! second tells its jobs to stop and, if none of them may write any more, deletes the rows ([`step`]). They must be
//! two: the snapshot of a statement is older than the lock that it waits for, so a job that was created meanwhile would
//! be overlooked.

use std::fmt;
use std::time::Duration;

use futures::FutureExt as _;
use shared_models::{
    ApiKeyId, CleanupId, CollectionId, DeletionReference, OrganizationId, RequestId, SourceConnectionId, SyncJobId,
};

use crate::error::Result;
use crate::pool::Database;
use crate::session::Session;

mod in_progress;
mod lock;
mod step;

pub use in_progress::InProgress;
use lock::Whose;
use step::Stepped;

/// What is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A source connection.
    Connection(SourceConnectionId),
    /// A collection with all its connections.
    Collection(CollectionId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(id) => write!(f, "source_connection {id}"),
            Self::Collection(id) => write!(f, "collection {id}"),
        }
    }
}

/// Who asked for a deletion; kept with the cleanup.
#[derive(Debug, Clone)]
pub struct Requester {
    /// The API key, if requests need one.
    pub api_key: Option<ApiKeyId>,
    /// The request.
    pub request: RequestId,
    /// The caller's own name for the deletion.
    pub reference: Option<DeletionReference>,
}

/// What a request found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requested {
    /// No such subject in this organization.
    NotFound,
    /// Jobs are still stopping; D3 must wait for them.
    Waiting {
        /// Whether this call requested the deletion; the one that did owns the 200.
        is_owner: bool,
        /// The jobs that must stop.
        stopping: Vec<SyncJobId>,
    },
    /// No job was active: D1 and D3 were one transaction.
    Committed {
        /// Whether this call requested the deletion; the one that did owns the 200.
        is_owner: bool,
        /// The cleanups that remove the data, one for each connection.
        cleanups: Vec<CleanupId>,
    },
}

/// What a commit found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// The rows are gone, and this call made them go; one cleanup for each connection.
    Done(Vec<CleanupId>),
    /// Something may still write.
    NotYet,
    /// Somebody else committed, or nobody asked.
    AlreadyGone,
}

/// What the caller knows about the writers of a subject, beyond their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// Not long enough: a job that is still cancelling may write.
    Briefly,
    /// For ttl + guard on the caller's own monotonic clock since D1. No job of the subject can write any more, unless
    /// its worker has a longer ttl than the caller: so the lease in the row must have ended more than `guard` ago as
    /// well.
    PastEveryLease {
        /// How long after a lease's end nobody assumes silence yet.
        guard: Duration,
    },
}

impl Database {
    /// D1: marks the subject as being deleted and tells its jobs to stop; commits at once if none is active.
    ///
    /// # Errors
    /// Any database error; nothing has happened then, or (connection lost at commit) all of it.
    pub async fn request(
        &self,
        organization: OrganizationId,
        subject: Subject,
        requester: Requester,
    ) -> Result<Requested> {
        self.transaction(move |db| request(db, organization, subject, requester.clone()).boxed()).await
    }

    /// D3: deletes the rows, if nothing can write any more. The one function for the handler, a second DELETE and the
    /// finisher.
    ///
    /// # Errors
    /// Any database error; nothing has happened then, or (connection lost at commit) all of it.
    pub async fn try_commit(&self, subject: Subject, watched: Watched) -> Result<Commit> {
        self.transaction(move |db| try_commit(db, subject, watched).boxed()).await
    }
}

async fn request(
    db: &mut Session,
    organization: OrganizationId,
    subject: Subject,
    requester: Requester,
) -> Result<Requested> {
    let Some(locked) = lock::lock(db, subject, Whose::Organization(organization)).await? else {
        return Ok(Requested::NotFound);
    };
    let is_owner = locked.requested_by.is_none();
    let requester = locked.requested_by.as_ref().unwrap_or(&requester);
    Ok(match step::step(db, &locked, requester, Watched::Briefly).await? {
        Stepped::Waiting(stopping) => Requested::Waiting { is_owner, stopping },
        Stepped::Committed(cleanups) => Requested::Committed { is_owner, cleanups },
    })
}

async fn try_commit(db: &mut Session, subject: Subject, watched: Watched) -> Result<Commit> {
    let Some(locked) = lock::lock(db, subject, Whose::Anybody).await? else { return Ok(Commit::AlreadyGone) };
    let Some(requester) = &locked.requested_by else { return Ok(Commit::AlreadyGone) };
    Ok(match step::step(db, &locked, requester, watched).await? {
        Stepped::Waiting(_) => Commit::NotYet,
        Stepped::Committed(cleanups) => Commit::Done(cleanups),
    })
}

/// D1 and D3 of a connection that was deleted before and is there again, in the transaction that `db` is in and after
/// its cleanup was put back: so the rows go, and neither a cleanup nor an entry of the ledger is made. `false` if
/// something may still write; the transaction must be rolled back then.
pub(crate) async fn delete_again(
    db: &mut Session,
    connection: SourceConnectionId,
    requester: &Requester,
    watched: Watched,
) -> Result<bool> {
    let Some(locked) = lock::lock(db, Subject::Connection(connection), Whose::Anybody).await? else { return Ok(true) };
    let requester = locked.requested_by.as_ref().unwrap_or(requester);
    Ok(matches!(step::step(db, &locked, requester, watched).await?, Stepped::Committed(_)))
}
