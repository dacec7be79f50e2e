//! Deletion of a collection: all its connections, one cleanup each, then the collection.
//!
//! `collection.deletion_requested_at` blocks creating connections in it, and D3 re-reads the connections under the
//! collection's lock, so a connection created beside the deletion is either refused or deleted too.

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures::FutureExt as _;
use shared_models::{ApiKeyId, CleanupId, CollectionId, OrganizationId, RequestId, SourceConnectionId, SyncJobId};

use super::{
    CASCADE_TIMEOUT, InProgress, Requester, Watched, commit, in_progress, lock_connections_of, mark, may_write,
    stop_jobs,
};
use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

/// What D1 of a collection found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CollectionRequest {
    /// No such collection in this organization.
    NotFound,
    /// The deletion is requested; commit when the jobs have stopped.
    Requested {
        /// Whether this call requested the deletion.
        is_owner: bool,
        /// The connections that go with it.
        connections: Vec<SourceConnectionId>,
        /// The jobs that must stop.
        stopping: Vec<SyncJobId>,
    },
}

/// What D3 of a collection found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CollectionCommit {
    /// All is gone; one cleanup a connection.
    Done(Vec<CleanupId>),
    /// Something may still write.
    NotYet,
    /// Somebody else committed, or nobody asked.
    AlreadyGone,
}

impl Database {
    /// D1 for a collection and all its connections.
    ///
    /// # Errors
    /// Any database error; nothing has happened then.
    pub async fn request_collection_deletion(
        &self,
        organization: OrganizationId,
        collection: CollectionId,
        requester: Requester,
    ) -> Result<CollectionRequest> {
        self.transaction(move |db| {
            async move {
                let Some(locked) = lock(db, collection, Some(organization)).await? else {
                    return Ok(CollectionRequest::NotFound);
                };
                let is_owner = locked.requested_by.is_none();
                if is_owner {
                    sql_query(
                        "UPDATE collection SET deletion_requested_at = clock_timestamp(), deletion_api_key_id = $2,
                            deletion_request_id = $3
                     WHERE id = $1",
                    )
                    .bind::<sql_types::Uuid, _>(collection)
                    .bind::<sql_types::Nullable<sql_types::Uuid>, _>(requester.api_key)
                    .bind::<sql_types::Uuid, _>(requester.request)
                    .execute(db)
                    .await?;
                }
                let (mut connections, mut stopping) = (Vec::new(), Vec::new());
                for locked in lock_connections_of(db, collection).await? {
                    mark(db, &locked, requester).await?;
                    stopping.extend(stop_jobs(db, locked.sync_id).await?);
                    connections.push(locked.id);
                }
                Ok(CollectionRequest::Requested { is_owner, connections, stopping })
            }
            .boxed()
        })
        .await
    }

    /// D3 for a collection: every connection of it, then the collection itself, in one transaction.
    ///
    /// # Errors
    /// Any database error; nothing has happened then, or (connection lost at commit) all of it.
    pub async fn try_commit_collection(&self, collection: CollectionId, watched: Watched) -> Result<CollectionCommit> {
        self.transaction(move |db| {
            async move {
                let Some(LockedCollection { requested_by: Some(requester) }) = lock(db, collection, None).await? else {
                    return Ok(CollectionCommit::AlreadyGone);
                };
                let connections = lock_connections_of(db, collection).await?;
                let mut must_wait = false;
                for locked in &connections {
                    // D1 has marked them all; if one wasn't, it is told to stop now and the next try commits.
                    if mark(db, locked, requester).await? {
                        must_wait |= !stop_jobs(db, locked.sync_id).await?.is_empty();
                    }
                    must_wait |= may_write(db, locked.sync_id, watched).await?;
                }
                if must_wait {
                    return Ok(CollectionCommit::NotYet);
                }
                sql_query(CASCADE_TIMEOUT).execute(db).await?;
                let mut cleanups = Vec::new();
                for locked in &connections {
                    cleanups.push(commit(db, locked, locked.deletion_request_id).await?);
                }
                sql_query("DELETE FROM collection WHERE id = $1")
                    .bind::<sql_types::Uuid, _>(collection)
                    .execute(db)
                    .await?;
                Ok(CollectionCommit::Done(cleanups))
            }
            .boxed()
        })
        .await
    }

    /// Collections that are being deleted, oldest request first: work for the finisher.
    ///
    /// # Errors
    /// Any database error.
    pub async fn collection_deletions_in_progress(&self) -> Result<Vec<InProgress<CollectionId>>> {
        in_progress(&mut *self.connection().await?, "collection", CollectionId).await
    }

    /// The cleanups of a deleted collection's connections.
    ///
    /// # Errors
    /// Any database error.
    pub async fn cleanups_of_collection(&self, collection: CollectionId) -> Result<Vec<CleanupId>> {
        use crate::schema::cleanup;
        let ids = cleanup::table
            .filter(cleanup::collection_id.eq(collection))
            .select(cleanup::id)
            .order(cleanup::id)
            .load(&mut self.connection().await?)
            .await?;
        Ok(ids)
    }
}

struct LockedCollection {
    requested_by: Option<Requester>,
}

/// Locks the collection and reads who requested its deletion, if anybody did; `None` if there is no such collection.
async fn lock(
    db: &mut AsyncPgConnection,
    collection: CollectionId,
    organization: Option<OrganizationId>,
) -> Result<Option<LockedCollection>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
        api_key: Option<ApiKeyId>,
        #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
        request: Option<RequestId>,
    }
    let row: Option<Row> = sql_query(
        "SELECT deletion_api_key_id AS api_key,
                CASE WHEN deletion_requested_at IS NOT NULL THEN deletion_request_id END AS request
         FROM collection WHERE id = $1 AND ($2 IS NULL OR organization_id = $2) FOR UPDATE",
    )
    .bind::<sql_types::Uuid, _>(collection)
    .bind::<sql_types::Nullable<sql_types::Uuid>, _>(organization)
    .get_result(db)
    .await
    .optional()?;
    let requester = |row: Row| row.request.map(|request| Requester { api_key: row.api_key, request });
    Ok(row.map(|row| LockedCollection { requested_by: requester(row) }))
}
