//! What a lost `deleted` says: the cleanup is there and open, and the connection is not.

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;
use serde_json::Value;
use shared_models::ledger::Deleted;
use shared_models::{OrganizationId, RequestId, SourceConnectionId, SyncId};

use super::{ids_of, restored};
use crate::deletion::{self, Requester, Watched};
use crate::error::{DatabaseError, Result};
use crate::jobs::moves;
use crate::pool::Database;
use crate::session::Session;
use crate::statement::sql_query;

/// A connection that was deleted, and is there again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct RestoredConnection {
    /// Which.
    #[diesel(sql_type = sql_types::Uuid)]
    pub id: SourceConnectionId,
    /// Whose it is.
    #[diesel(sql_type = sql_types::Uuid)]
    pub organization_id: OrganizationId,
    /// Its sync.
    #[diesel(sql_type = sql_types::Uuid)]
    pub sync_id: SyncId,
    /// A job of its own is pending or may write.
    #[diesel(sql_type = sql_types::Bool)]
    pub is_active: bool,
}

impl Database {
    /// The connections of these deleted syncs that are there again.
    ///
    /// # Errors
    /// Any database error.
    pub async fn restored_connections(&self, syncs: &[SyncId]) -> Result<Vec<RestoredConnection>> {
        restored(&mut *self.connection().await?, syncs).await
    }

    /// D1 for those connections that are there again and have an active job: their deletion is requested, and their
    /// jobs are told to stop. Returns whether one of them may still write.
    ///
    /// # Errors
    /// Any database error.
    pub async fn stop_restored(&self, syncs: &[SyncId]) -> Result<bool> {
        let syncs = syncs.to_vec();
        self.transaction(move |db| {
            let syncs = syncs.clone();
            async move {
                let mut active = restored(db, &syncs).await?;
                active.retain(|connection| connection.is_active);
                if active.is_empty() { Ok(false) } else { stop(db, ids_of(&active)).await }
            }
            .boxed()
        })
        .await
    }
}

/// Two statements, as in every D1: the snapshot of one is older than the lock that it waits for.
async fn stop(db: &mut Session, connections: Vec<SourceConnectionId>) -> Result<bool> {
    sql_query(
        "WITH locked AS MATERIALIZED (SELECT id FROM source_connection WHERE id = ANY ($1) ORDER BY id FOR UPDATE)
         UPDATE source_connection c
         SET deletion_requested_at = clock_timestamp(), deletion_request_id = gen_random_uuid()
         FROM locked WHERE c.id = locked.id AND c.deletion_requested_at IS NULL",
    )
    .bind::<sql_types::Array<sql_types::Uuid>, _>(&connections)
    .execute(db)
    .await?;
    #[derive(QueryableByName)]
    struct Stopping {
        #[diesel(sql_type = sql_types::Bool)]
        may_write: bool,
    }
    let Stopping { may_write } = sql_query(format!(
        "WITH stopped AS (
             {} FROM sync s
             WHERE s.id = j.sync_id AND s.source_connection_id = ANY ($1)
               AND j.status IN ('pending', 'running', 'cancelling')
             RETURNING j.status)
         SELECT EXISTS (SELECT FROM stopped WHERE status = 'cancelling') AS may_write",
        moves::STOP
    ))
    .bind::<sql_types::Array<sql_types::Uuid>, _>(&connections)
    .get_result(db)
    .await?;
    Ok(may_write)
}

/// Locks the connections that are there again before anything is written, as every deletion does: so a DELETE of one of
/// them and this wait for each other in one order.
pub(super) async fn lock_restored(db: &mut Session, deleted: &[Deleted]) -> Result<()> {
    let syncs: Vec<SyncId> = deleted.iter().map(|deleted| deleted.sync_id).collect();
    let locked = "SELECT FROM source_connection c JOIN sync s ON s.source_connection_id = c.id
                  WHERE s.id = ANY ($1) ORDER BY c.id FOR UPDATE OF c";
    sql_query(locked).bind::<sql_types::Array<sql_types::Uuid>, _>(syncs).execute(db).await?;
    Ok(())
}

/// Inserts the cleanups that aren't there, open, and returns how many.
pub(super) async fn put_cleanups_back(db: &mut Session, deleted: &[Deleted]) -> Result<u64> {
    let entries = json(deleted)?;
    let rows = sql_query(
        "INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id, requested_by, request_id,
                              deletion_requested_at, rows_deleted_at, entity_rows_deleted, writer_end, targets,
                              blob_key_destroyed_at, has_plain_blobs, origin)
         SELECT (e->>'cleanup_id')::uuid, (e->>'sync_id')::uuid, (e->>'organization_id')::uuid,
                (e->>'collection_id')::uuid, (e->>'source_connection_id')::uuid, (e->>'requested_by')::uuid,
                (e->>'request_id')::uuid, (e->>'deletion_requested_at')::timestamptz,
                (e->>'rows_deleted_at')::timestamptz, (e->>'entity_rows_deleted')::bigint, e->>'writer_end',
                ARRAY(SELECT jsonb_array_elements_text(e->'targets')), (e->>'blob_key_destroyed_at')::timestamptz,
                (e->>'has_plain_blobs')::boolean,
                CASE (e->>'organization_id')::uuid WHEN $2 THEN 'orphan' ELSE 'deletion' END
         FROM unnest($1::jsonb[]) AS e
         ON CONFLICT DO NOTHING",
    )
    .bind::<sql_types::Array<sql_types::Jsonb>, _>(entries)
    .bind::<sql_types::Uuid, _>(OrganizationId(uuid::Uuid::nil()))
    .execute(db)
    .await?;
    Ok(u64::try_from(rows).unwrap_or(u64::MAX))
}

fn json(deleted: &[Deleted]) -> Result<Vec<Value>> {
    let json = deleted.iter().map(serde_json::to_value).collect::<Result<_, _>>();
    json.map_err(|error| DatabaseError::Corrupt(format!("an entry of the ledger: {error}")))
}

/// D3 for those connections that are there again: their cleanups are there already, so nothing but rows goes. Returns
/// how many.
///
/// # Errors
/// [`DatabaseError::MayWrite`] if something may still write for one of them.
pub(super) async fn delete_again(db: &mut Session, deleted: &[Deleted], watched: Watched) -> Result<u64> {
    let syncs: Vec<SyncId> = deleted.iter().map(|deleted| deleted.sync_id).collect();
    let restored = restored(db, &syncs).await?;
    let mut gone = 0;
    for connection in &restored {
        let asked = deleted.iter().find(|deleted| deleted.sync_id == connection.sync_id);
        let requester = Requester {
            api_key: asked.and_then(|asked| asked.requested_by),
            request: asked.and_then(|asked| asked.request_id).unwrap_or_else(RequestId::random),
            reference: None,
        };
        if !deletion::delete_again(db, connection.id, &requester, watched).await? {
            return Err(DatabaseError::MayWrite);
        }
        gone += 1;
    }
    note_rows_gone(db, &restored).await?;
    Ok(gone)
}

/// Rows and key went once more, now: a later receipt says so. Nobody knows how its last writer ended.
async fn note_rows_gone(db: &mut Session, restored: &[RestoredConnection]) -> Result<()> {
    let syncs: Vec<SyncId> = restored.iter().map(|connection| connection.sync_id).collect();
    sql_query(
        "UPDATE cleanup
         SET rows_deleted_at = clock_timestamp(), writer_end = 'lease',
             blob_key_destroyed_at = CASE WHEN blob_key_destroyed_at IS NOT NULL THEN clock_timestamp() END
         WHERE sync_id = ANY ($1)",
    )
    .bind::<sql_types::Array<sql_types::Uuid>, _>(syncs)
    .execute(db)
    .await?;
    Ok(())
}
