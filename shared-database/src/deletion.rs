//! The durable steps of a deletion: D1 (request) and D3 (commit), for connections and collections.
//!
//! Keeps DEL-1 (rows gone ⇒ one cleanup and its message), DEL-2 (nothing commits while a writer may still write), DEL-6
//! (each step run twice has the effect of one) and DEL-9 (organization-scoped). Between D1 and D3 anybody may crash: the
//! finisher of any gateway calls [`Database::try_commit`] again.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures::FutureExt as _;
use shared_models::{
    ApiKeyId, CleanupId, CollectionId, Envelope, Message, OrganizationId, RequestId, SourceConnectionId, SyncId,
    SyncJobId,
};

use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

mod collection;

pub use collection::{CollectionCommit, CollectionRequest};

/// Who asked for a deletion; kept with the cleanup.
#[derive(Debug, Clone, Copy)]
pub struct Requester {
    /// The API key, if requests need one.
    pub api_key: Option<ApiKeyId>,
    /// The request.
    pub request: RequestId,
}

/// What D1 found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeletionRequest {
    /// No such connection in this organization.
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
        /// The cleanup that removes the data.
        cleanup: CleanupId,
    },
}

/// What D3 found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// The rows are gone, and this call made them go.
    Done(CleanupId),
    /// Something may still write.
    NotYet,
    /// Somebody else committed, or nobody asked.
    AlreadyGone,
}

/// What the caller knows about the writers of a connection, beyond their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// Not long enough: a job that is still cancelling may write.
    Briefly,
    /// For ttl + guard on the caller's own monotonic clock since D1. No job of this connection can write any more, unless
    /// its worker has a longer ttl than the caller: so the lease in the row must have ended more than `guard` ago as well.
    PastEveryLease {
        /// How long after a lease's end nobody assumes silence yet.
        guard: std::time::Duration,
    },
}

/// A deletion that was requested and not committed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InProgress<Id> {
    /// What is being deleted.
    pub id: Id,
    /// Time since the request, on PostgreSQL's clock.
    pub age: std::time::Duration,
}

/// The oldest deletions in progress of `table`, which is one of ours.
async fn in_progress<Id>(
    db: &mut AsyncPgConnection,
    table: &'static str,
    id: fn(uuid::Uuid) -> Id,
) -> Result<Vec<InProgress<Id>>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Uuid)]
        id: uuid::Uuid,
        #[diesel(sql_type = sql_types::Double)]
        age_seconds: f64,
    }
    let rows: Vec<Row> = sql_query(format!(
        "SELECT id, greatest(extract(epoch FROM clock_timestamp() - deletion_requested_at), 0)::float8 AS age_seconds
         FROM {table} WHERE deletion_requested_at IS NOT NULL ORDER BY deletion_requested_at LIMIT 500"
    ))
    .load(db)
    .await?;
    let age = |row: &Row| std::time::Duration::try_from_secs_f64(row.age_seconds).unwrap_or_default();
    Ok(rows.into_iter().map(|row| InProgress { age: age(&row), id: id(row.id) }).collect())
}

/// A cascade takes about a second per million entity rows; the session's limit is for ordinary statements.
const CASCADE_TIMEOUT: &str = "SET LOCAL statement_timeout = '15min'";

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = sql_types::Uuid)]
    id: SourceConnectionId,
    #[diesel(sql_type = sql_types::Uuid)]
    sync_id: SyncId,
    #[diesel(sql_type = sql_types::Uuid)]
    organization_id: OrganizationId,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    deletion_requested_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    deletion_request_id: Option<RequestId>,
}

const LOCKED_COLUMNS: &str = "SELECT c.id, s.id AS sync_id, c.organization_id, c.deletion_requested_at,
            c.deletion_request_id
     FROM source_connection c JOIN sync s ON s.source_connection_id = c.id";

impl Database {
    /// D1: marks the connection as being deleted and tells its jobs to stop; commits at once if none is active.
    ///
    /// # Errors
    /// Any database error; nothing has happened then.
    pub async fn request_deletion(
        &self,
        organization: OrganizationId,
        connection: SourceConnectionId,
        requester: Requester,
    ) -> Result<DeletionRequest> {
        self.transaction(move |db| {
            async move {
                let locked: Option<Locked> =
                    sql_query(format!("{LOCKED_COLUMNS} WHERE c.id = $1 AND c.organization_id = $2 FOR UPDATE OF c"))
                        .bind::<sql_types::Uuid, _>(connection)
                        .bind::<sql_types::Uuid, _>(organization)
                        .get_result(db)
                        .await
                        .optional()?;
                let Some(locked) = locked else { return Ok(DeletionRequest::NotFound) };
                let is_owner = mark(db, &locked, requester).await?;
                let stopping = stop_jobs(db, locked.sync_id).await?;
                if stopping.is_empty() {
                    let cleanup = commit(db, &locked, is_owner.then_some(requester.request)).await?;
                    return Ok(DeletionRequest::Committed { is_owner, cleanup });
                }
                Ok(DeletionRequest::Waiting { is_owner, stopping })
            }
            .boxed()
        })
        .await
    }

    /// D3: deletes the rows, if nothing can write any more. The one function for the handler, a second DELETE, the
    /// finisher and collections.
    ///
    /// # Errors
    /// Any database error; nothing has happened then, or (connection lost at commit) all of it.
    pub async fn try_commit(&self, connection: SourceConnectionId, watched: Watched) -> Result<Commit> {
        self.transaction(move |db| {
            async move {
                let locked: Option<Locked> = sql_query(format!(
                    "{LOCKED_COLUMNS} WHERE c.id = $1 AND c.deletion_requested_at IS NOT NULL FOR UPDATE OF c"
                ))
                .bind::<sql_types::Uuid, _>(connection)
                .get_result(db)
                .await
                .optional()?;
                let Some(locked) = locked else { return Ok(Commit::AlreadyGone) };
                if may_write(db, locked.sync_id, watched).await? {
                    return Ok(Commit::NotYet);
                }
                let request = locked.deletion_request_id;
                Ok(Commit::Done(commit(db, &locked, request).await?))
            }
            .boxed()
        })
        .await
    }

    /// Connections that are being deleted, oldest request first: work for the finisher.
    ///
    /// # Errors
    /// Any database error.
    pub async fn deletions_in_progress(&self) -> Result<Vec<InProgress<SourceConnectionId>>> {
        in_progress(&mut *self.connection().await?, "source_connection", SourceConnectionId).await
    }

    /// The cleanup of a deleted connection.
    ///
    /// # Errors
    /// Any database error.
    pub async fn cleanup_of(&self, connection: SourceConnectionId) -> Result<Option<CleanupId>> {
        use crate::schema::cleanup;
        let id = cleanup::table
            .filter(cleanup::source_connection_id.eq(connection))
            .select(cleanup::id)
            .first(&mut self.connection().await?)
            .await
            .optional()?;
        Ok(id)
    }
}

/// Sets `deletion_requested_at` if nobody did; tells whether this call did.
async fn mark(db: &mut AsyncPgConnection, locked: &Locked, requester: Requester) -> Result<bool> {
    if locked.deletion_requested_at.is_some() {
        return Ok(false);
    }
    sql_query(
        "UPDATE source_connection SET deletion_requested_at = clock_timestamp(), deletion_api_key_id = $2,
                deletion_request_id = $3
         WHERE id = $1",
    )
    .bind::<sql_types::Uuid, _>(locked.id)
    .bind::<sql_types::Nullable<sql_types::Uuid>, _>(requester.api_key)
    .bind::<sql_types::Uuid, _>(requester.request)
    .execute(db)
    .await?;
    Ok(true)
}

/// In one statement pending → cancelled, running → cancelling; returns the jobs that must still stop.
async fn stop_jobs(db: &mut AsyncPgConnection, sync: SyncId) -> Result<Vec<SyncJobId>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Uuid)]
        id: SyncJobId,
    }
    sql_query(
        "UPDATE sync_job
         SET status = CASE status WHEN 'pending' THEN 'cancelled' ELSE 'cancelling' END,
             job_end = CASE status WHEN 'pending' THEN 'never_started' END,
             completed_at = CASE status WHEN 'pending' THEN clock_timestamp() END,
             cancel_requested_at = clock_timestamp(), modified_at = clock_timestamp()
         WHERE sync_id = $1 AND status IN ('pending', 'running')",
    )
    .bind::<sql_types::Uuid, _>(sync)
    .execute(db)
    .await?;
    let stopping: Vec<Row> =
        sql_query("SELECT id FROM sync_job WHERE sync_id = $1 AND status = 'cancelling' ORDER BY id")
            .bind::<sql_types::Uuid, _>(sync)
            .load(db)
            .await?;
    Ok(stopping.into_iter().map(|row| row.id).collect())
}

/// Whether a job may still write, under the lock on its connection: no job can be created, and none is claimed from
/// pending, since D1 left none pending.
async fn may_write(db: &mut AsyncPgConnection, sync: SyncId, watched: Watched) -> Result<bool> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Bool)]
        startable: bool,
        #[diesel(sql_type = sql_types::Bool)]
        cancelling: bool,
        #[diesel(sql_type = sql_types::Bool)]
        leased: bool,
    }
    let (is_past, guard) = match watched {
        Watched::Briefly => (false, std::time::Duration::ZERO),
        Watched::PastEveryLease { guard } => (true, guard),
    };
    let row: Row = sql_query(
        "SELECT coalesce(bool_or(status IN ('pending', 'running')), false) AS startable,
                coalesce(bool_or(status = 'cancelling'), false) AS cancelling,
                coalesce(bool_or(status = 'cancelling'
                                 AND lease_expires_at > clock_timestamp() - make_interval(secs => $2)), false) AS leased
         FROM sync_job WHERE sync_id = $1",
    )
    .bind::<sql_types::Uuid, _>(sync)
    .bind::<sql_types::Double, _>(guard.as_secs_f64())
    .get_result(db)
    .await?;
    let may_be_busy = if is_past { row.leased } else { row.cancelling };
    Ok(row.startable || may_be_busy)
}

/// Cleanup, messages and the end of the rows, in the caller's transaction and under its lock.
async fn commit(db: &mut AsyncPgConnection, locked: &Locked, request: Option<RequestId>) -> Result<CleanupId> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Uuid)]
        id: CleanupId,
    }
    sql_query(CASCADE_TIMEOUT).execute(db).await?;
    let cleanup: Row = sql_query(
        "INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id, requested_by,
                              request_id, deletion_requested_at, entity_rows_deleted, writer_end, targets)
         SELECT $1, s.id, c.organization_id, c.collection_id, c.id, c.deletion_api_key_id, c.deletion_request_id,
                c.deletion_requested_at, (SELECT count(*) FROM entity e WHERE e.sync_id = s.id),
                CASE WHEN EXISTS (SELECT 1 FROM sync_job j WHERE j.sync_id = s.id
                                  AND (j.status = 'cancelling' OR j.job_end = 'lease'))
                     THEN 'lease' ELSE 'acknowledged' END,
                ARRAY['vespa', 'arf']
         FROM source_connection c JOIN sync s ON s.source_connection_id = c.id
         WHERE c.id = $2
         ON CONFLICT (sync_id) DO UPDATE SET sync_id = EXCLUDED.sync_id
         RETURNING id",
    )
    .bind::<sql_types::Uuid, _>(CleanupId::random())
    .bind::<sql_types::Uuid, _>(locked.id)
    .get_result(db)
    .await?;
    let messages = [
        Message::CleanupRequested { cleanup_id: cleanup.id },
        Message::SourceConnectionDeleted {
            organization_id: locked.organization_id,
            source_connection_id: locked.id,
            sync_id: locked.sync_id,
            cleanup_id: cleanup.id,
        },
    ];
    for message in messages {
        crate::outbox::enqueue(db, &Envelope::new(message, request)).await?;
    }
    sql_query("DELETE FROM source_connection WHERE id = $1").bind::<sql_types::Uuid, _>(locked.id).execute(db).await?;
    Ok(cleanup.id)
}

/// Locks every connection of a collection, by id.
async fn lock_connections_of(db: &mut AsyncPgConnection, collection: CollectionId) -> Result<Vec<Locked>> {
    let locked = sql_query(format!("{LOCKED_COLUMNS} WHERE c.collection_id = $1 ORDER BY c.id FOR UPDATE OF c"))
        .bind::<sql_types::Uuid, _>(collection)
        .load(db)
        .await?;
    Ok(locked)
}
