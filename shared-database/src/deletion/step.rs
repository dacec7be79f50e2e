//! What D1 and D3 do under the lock, in one statement: jobs are told to stop; then either nothing can write any more,
//! and the rows go with their cleanups and messages (DEL-1), or the deletion is marked as requested and must wait
//! (DEL-2).

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use shared_models::ledger::Actor;
use shared_models::receipt::reference::Salt;
use shared_models::{CleanupId, CollectionId, Message, MessageId, PurgeTarget, SourceConnectionId, SyncJobId};

use super::lock::{Locked, LockedConnection};
use super::{Requester, Subject, Watched};
use crate::audit::{self, COLLECTION_DELETED, audited};
use crate::error::Result;
use crate::jobs::moves;
use crate::outbox;
use crate::session::Session;
use crate::statement::sql_query;

/// What became of a locked subject.
pub(super) enum Stepped {
    /// These jobs may still write.
    Waiting(Vec<SyncJobId>),
    /// The rows are gone.
    Committed(Vec<CleanupId>),
}

/// Tells the jobs of `$1` to stop, and deletes the connections if none of the jobs may write.
///
/// `stopped` takes every active job, also one that is cancelling already: so each is locked, and what it returns is the
/// state of now and not of the snapshot. A job of the snapshot that is missing there has ended in between, nobody knows
/// how: it counts as a writer, and the next try knows. `$6` says that the caller has watched for ttl + guard; then a
/// lease that ended more than the guard, `$7`, ago writes no more.
///
/// The key of the sync's blobs goes with the sync's row: the cleanup keeps when, and what it never covered. The ledger
/// is told of each new cleanup (DEL-10); one that was there before, the ledger knows already.
fn step_sql() -> String {
    format!(
        "
    WITH doomed AS MATERIALIZED (
        SELECT c.id, c.organization_id, c.collection_id, s.id AS sync_id, given.cleanup_id,
               s.blob_key IS NOT NULL AS has_blob_key, {HAS_PLAIN_BLOBS} AS has_plain_blobs,
               coalesce(c.deletion_requested_at, clock_timestamp()) AS requested_at,
               CASE WHEN c.deletion_requested_at IS NULL THEN $3 ELSE c.deletion_api_key_id END AS api_key_id,
               CASE WHEN c.deletion_requested_at IS NULL THEN $4 ELSE c.deletion_request_id END AS request_id,
               CASE WHEN c.deletion_requested_at IS NULL THEN $11 ELSE c.deletion_reference END AS reference,
               given.salt
        FROM unnest($1::uuid[], $2::uuid[], $12::bytea[]) AS given (id, cleanup_id, salt)
             JOIN source_connection c USING (id) JOIN sync s ON s.source_connection_id = c.id
    ), stopped AS (
        {STOP}
        FROM doomed
        WHERE j.sync_id = doomed.sync_id AND j.status IN ('pending', 'running', 'cancelling')
        RETURNING j.id, j.sync_id, j.status, j.lease_expires_at
    ), writer AS MATERIALIZED (
        SELECT id FROM stopped
        WHERE status = 'cancelling'
          AND NOT ($6 AND lease_expires_at <= clock_timestamp() - make_interval(secs => $7))
        UNION ALL
        SELECT j.id FROM sync_job j JOIN doomed USING (sync_id)
        WHERE j.status IN ('pending', 'running', 'cancelling') AND j.id NOT IN (SELECT id FROM stopped)
    ), marked AS (
        UPDATE source_connection c
        SET deletion_requested_at = doomed.requested_at, deletion_api_key_id = doomed.api_key_id,
            deletion_request_id = doomed.request_id, deletion_reference = doomed.reference
        FROM doomed
        WHERE c.id = doomed.id AND c.deletion_requested_at IS NULL AND EXISTS (SELECT FROM writer)
    ), cleaned AS (
        INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id, requested_by, request_id,
                             deletion_requested_at, rows_deleted_at, blob_key_destroyed_at, has_plain_blobs,
                             entity_rows_deleted, writer_end, targets, deletion_reference, deletion_reference_salt)
        SELECT cleanup_id, sync_id, organization_id, collection_id, id, api_key_id, request_id, requested_at,
               deleted.at, CASE WHEN has_blob_key THEN deleted.at END, has_plain_blobs,
               (SELECT count(*) FROM entity e WHERE e.sync_id = doomed.sync_id),
               CASE WHEN EXISTS (SELECT FROM stopped s WHERE s.sync_id = doomed.sync_id AND s.status = 'cancelling')
                      OR EXISTS (SELECT FROM sync_job j WHERE j.sync_id = doomed.sync_id AND j.job_end = 'lease')
                    THEN 'lease' ELSE 'acknowledged' END,
               $5, reference, CASE WHEN reference IS NOT NULL THEN salt END
        FROM doomed CROSS JOIN LATERAL (SELECT clock_timestamp() OFFSET 0) AS deleted (at)
        WHERE NOT EXISTS (SELECT FROM writer)
        ON CONFLICT (sync_id) DO UPDATE SET sync_id = EXCLUDED.sync_id
        RETURNING id, sync_id, organization_id, ledger_deleted(cleanup) AS entry
    ), remembered AS (
        INSERT INTO ledger_entry (organization_id, entry)
        SELECT cleaned.organization_id, entry FROM cleaned JOIN doomed USING (sync_id)
        WHERE cleaned.id = doomed.cleanup_id
    ), told AS (
        INSERT INTO outbox (message_id, request_id, message)
        SELECT messages.message_id, doomed.request_id, messages.message || jsonb_build_object('cleanup_id', cleaned.id)
        FROM unnest($8::uuid[], $9::uuid[], $10::jsonb[]) WITH ORDINALITY AS messages (id, message_id, message, place)
             JOIN doomed USING (id) JOIN cleaned USING (sync_id)
        ORDER BY messages.place
    ), gone AS (
        DELETE FROM source_connection c USING doomed
        WHERE c.id = doomed.id AND NOT EXISTS (SELECT FROM writer)
    )
    SELECT ARRAY(SELECT id FROM writer ORDER BY id) AS writers, ARRAY(SELECT id FROM cleaned ORDER BY id) AS cleanups",
        STOP = moves::STOP
    )
}

/// Whether blobs of the sync `s` may have been written without encryption. A worker of an earlier version says nothing
/// in the sync's row: its jobs tell.
const HAS_PLAIN_BLOBS: &str = "(s.has_plain_blobs OR EXISTS (
                   SELECT FROM sync_job j
                   WHERE j.sync_id = s.id AND j.started_at IS NOT NULL AND NOT j.knows_blob_keys))";

/// Takes a locked subject one step on.
pub(super) async fn step(
    db: &mut Session,
    locked: &Locked,
    requester: &Requester,
    watched: Watched,
) -> Result<Stepped> {
    let stepped = step_connections(db, &locked.connections, requester, watched).await?;
    if let Subject::Collection(collection) = locked.subject {
        match &stepped {
            Stepped::Committed(_) => delete_collection(db, collection, requester).await?,
            // No connection is created in it from now on.
            Stepped::Waiting(_) if locked.requested_by.is_none() => {
                sql_query(
                    "UPDATE collection SET deletion_requested_at = clock_timestamp(), deletion_api_key_id = $2,
                            deletion_request_id = $3, deletion_reference = $4
                     WHERE id = $1",
                )
                .bind::<sql_types::Uuid, _>(collection)
                .bind::<sql_types::Nullable<sql_types::Uuid>, _>(requester.api_key)
                .bind::<sql_types::Uuid, _>(requester.request)
                .bind::<sql_types::Nullable<sql_types::Text>, _>(requester.reference.as_ref())
                .execute(db)
                .await?;
            }
            Stepped::Waiting(_) => {}
        }
    }
    Ok(stepped)
}

/// The ledger remembers it, too: a restore would bring its name back.
async fn delete_collection(db: &mut Session, collection: CollectionId, requester: &Requester) -> Result<()> {
    let gone = "WITH gone AS (DELETE FROM collection WHERE id = $1 RETURNING organization_id, id AS object_id)";
    sql_query(format!("{gone}, {} SELECT FROM gone", audited("gone", COLLECTION_DELETED, "$2")))
        .bind::<sql_types::Uuid, _>(collection)
        .bind::<sql_types::Jsonb, _>(audit::actor(requester.api_key.map_or(Actor::Operator, Actor::ApiKeyId))?)
        .execute(db)
        .await?;
    Ok(())
}

async fn step_connections(
    db: &mut Session,
    connections: &[LockedConnection],
    requester: &Requester,
    watched: Watched,
) -> Result<Stepped> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Array<sql_types::Uuid>)]
        writers: Vec<SyncJobId>,
        #[diesel(sql_type = sql_types::Array<sql_types::Uuid>)]
        cleanups: Vec<CleanupId>,
    }
    let (is_past, guard) = match watched {
        Watched::Briefly => (false, 0.0),
        Watched::PastEveryLease { guard } => (true, guard.as_secs_f64()),
    };
    let ids: Vec<SourceConnectionId> = connections.iter().map(|connection| connection.id).collect();
    let cleanups: Vec<CleanupId> = ids.iter().map(|_| CleanupId::random()).collect();
    let salts: Vec<Vec<u8>> = ids.iter().map(|_| Salt::random().0.to_vec()).collect();
    let messages = Messages::of(connections, &cleanups)?;
    let row: Row = sql_query(step_sql())
        .bind::<sql_types::Array<sql_types::Uuid>, _>(ids)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(cleanups)
        .bind::<sql_types::Nullable<sql_types::Uuid>, _>(requester.api_key)
        .bind::<sql_types::Uuid, _>(requester.request)
        .bind::<sql_types::Array<sql_types::Text>, _>(PurgeTarget::ALL)
        .bind::<sql_types::Bool, _>(is_past)
        .bind::<sql_types::Double, _>(guard)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(messages.of)
        .bind::<sql_types::Array<sql_types::Uuid>, _>(messages.ids)
        .bind::<sql_types::Array<sql_types::Jsonb>, _>(messages.bodies)
        .bind::<sql_types::Nullable<sql_types::Text>, _>(requester.reference.as_ref())
        .bind::<sql_types::Array<sql_types::Bytea>, _>(salts)
        .get_result(db)
        .await?;
    Ok(if row.writers.is_empty() { Stepped::Committed(row.cleanups) } else { Stepped::Waiting(row.writers) })
}

/// The messages that commit with the rows, column by column.
#[derive(Default)]
struct Messages {
    of: Vec<SourceConnectionId>,
    ids: Vec<MessageId>,
    bodies: Vec<Value>,
}

impl Messages {
    /// What is said of each connection. Its cleanup's id is put in again by the statement: if there was a cleanup of
    /// the sync before, it is that one's.
    fn of(connections: &[LockedConnection], cleanups: &[CleanupId]) -> Result<Self> {
        let mut columns = Self::default();
        for (connection, &cleanup_id) in connections.iter().zip(cleanups) {
            let messages = [
                Message::CleanupRequested { cleanup_id },
                Message::SourceConnectionDeleted {
                    organization_id: connection.organization_id,
                    source_connection_id: connection.id,
                    sync_id: connection.sync_id,
                    cleanup_id,
                },
            ];
            for message in messages {
                columns.of.push(connection.id);
                columns.ids.push(MessageId::random());
                columns.bodies.push(outbox::json(&message)?);
            }
        }
        Ok(columns)
    }
}
