//! Putting back what PostgreSQL lost and the ledger store has: a batch of entries at a time, each in one transaction.
//!
//! Keeps DEL-10: an entry gets the index that it has in the store, together with everything that it says. A `deleted`
//! takes its connection with it if that is there again, and leaves an open cleanup; a `receipt` is put back as one that
//! holds no longer, for what it says was removed may be back. Repeating a batch, or dying anywhere, changes nothing:
//! the size of the ledger says how far it got, and while it is smaller than the store's every service stands still.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;
use serde_json::Value;
use shared_models::ledger::{Actor, Deleted, Hash, NodeId, SupersededReason};
use shared_models::{ApiKeyId, CleanupId, CollectionId, OrganizationId, ReceiptId, SourceConnectionId, SyncId};
use uuid::Uuid;

use super::sequence::{lock_sequencer, size_of};
use super::signed;
use crate::audit::{self, audited};
use crate::deletion::Watched;
use crate::error::{DatabaseError, Result};
use crate::pool::Database;
use crate::session::Session;
use crate::statement::sql_query;

mod deletions;
mod receipts;

pub use deletions::RestoredConnection;

/// An entry that is put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostEntry {
    /// Whose fact it is.
    pub organization_id: Option<OrganizationId>,
    /// The entry.
    pub entry: Value,
    /// Its hash.
    pub leaf_hash: Hash,
}

/// A receipt that is put back.
#[derive(Debug, Clone, PartialEq)]
pub struct LostReceipt {
    /// Its id.
    pub id: ReceiptId,
    /// The sync whose cleanup it was of.
    pub sync_id: SyncId,
    /// The receipt with its signature.
    pub signed: Value,
    /// When it was written.
    pub issued_at: DateTime<Utc>,
    /// The place of its entry in the batch, from 0.
    pub place: usize,
    /// Since when it holds no longer, and why, as the ledger says it.
    pub superseded: Option<(DateTime<Utc>, SupersededReason)>,
}

/// That a receipt, which PostgreSQL may have kept, holds no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostSuperseded {
    /// Which.
    pub receipt_id: ReceiptId,
    /// The cleanup that it was of.
    pub cleanup_id: CleanupId,
    /// Since when.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: SupersededReason,
}

/// Entries that follow each other in the store, with what they say.
#[derive(Debug, Clone, Default)]
pub struct LostBatch {
    /// The index of the first.
    pub first: u64,
    /// The entries.
    pub entries: Vec<LostEntry>,
    /// Hashes of the tiles that are full by them.
    pub full: Vec<(NodeId, Hash)>,
    /// The deletions among them.
    pub deleted: Vec<Deleted>,
    /// The receipts among them.
    pub receipts: Vec<LostReceipt>,
    /// The ends of receipts among them.
    pub superseded: Vec<LostSuperseded>,
    /// The API keys that they say were deleted.
    pub deleted_keys: Vec<ApiKeyId>,
    /// The collections that they say were deleted.
    pub deleted_collections: Vec<CollectionId>,
    /// The organizations that they say were deleted.
    pub deleted_organizations: Vec<OrganizationId>,
}

/// The end of a recovery: the store's checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredTo {
    /// Entries that it covers.
    pub size: u64,
    /// Their root.
    pub root: Hash,
    /// As it was signed.
    pub note: String,
    /// Whether the store has it.
    pub is_published: bool,
}

/// What putting a batch back came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PutBack {
    /// Connections that were there again, and are gone.
    pub connections: u64,
    /// Cleanups that PostgreSQL didn't know.
    pub cleanups: u64,
    /// Cleanups that were done, and are open again.
    pub reopened: u64,
    /// Receipts that PostgreSQL didn't have.
    pub receipts: u64,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovered {
    /// It is back.
    Done(PutBack),
    /// Something may still write for a connection that is there again; nothing was changed.
    NotYet,
    /// The ledger has another size than the batch begins with: somebody else is at it.
    Elsewhere {
        /// Its size.
        size: u64,
    },
}

impl Database {
    /// Puts a batch back; with the last one the store's checkpoint is kept, too, and the ledger told of the recovery.
    ///
    /// # Errors
    /// Any database error; nothing has happened then, or (connection lost at commit) all of it.
    pub async fn recover_ledger(&self, batch: &LostBatch, watched: Watched, end: &RecoveredTo) -> Result<Recovered> {
        let given = Arc::new((batch.clone(), end.clone()));
        let recovered = self.transaction(move |db| recover(db, Arc::clone(&given), watched).boxed()).await;
        match recovered {
            // What was begun is rolled back.
            Err(DatabaseError::MayWrite) => Ok(Recovered::NotYet),
            other => other,
        }
    }

    /// Lets every connection's next sync read everything.
    ///
    /// # Errors
    /// Any database error.
    pub async fn read_everything_again(&self) -> Result<()> {
        self.transaction(|db| {
            async move {
                sql_query("UPDATE sync SET cursor = NULL, cursor_form = NULL WHERE cursor IS NOT NULL")
                    .execute(db)
                    .await?;
                sql_query(
                    "UPDATE sync_job SET force_full_sync = true WHERE status = 'pending' AND NOT force_full_sync",
                )
                .execute(db)
                .await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Makes a sync write everything again that it reads, whatever it wrote before: its stores may have lost it. `None`
    /// as `after` begins; returns the sync that it was done for, to go on with, or nothing at the end.
    ///
    /// # Errors
    /// Any database error.
    pub async fn write_everything_again(&self, after: Option<SyncId>) -> Result<Option<SyncId>> {
        #[derive(QueryableByName)]
        struct Next {
            #[diesel(sql_type = sql_types::Uuid)]
            id: SyncId,
        }
        self.transaction(move |db| {
            async move {
                let next = "SELECT id, set_config('statement_timeout', '15min', true) FROM sync
                            WHERE $1 IS NULL OR id > $1 ORDER BY id LIMIT 1";
                let next = sql_query(next).bind::<sql_types::Nullable<sql_types::Uuid>, _>(after);
                let Some(Next { id }) = next.get_result(db).await.optional()? else { return Ok(None) };
                sql_query("UPDATE entity SET content_hash = NULL WHERE sync_id = $1 AND content_hash IS NOT NULL")
                    .bind::<sql_types::Uuid, _>(id)
                    .execute(db)
                    .await?;
                Ok(Some(id))
            }
            .boxed()
        })
        .await
    }
}

async fn recover(db: &mut Session, given: Arc<(LostBatch, RecoveredTo)>, watched: Watched) -> Result<Recovered> {
    let (batch, end) = &*given;
    lock_sequencer(db).await?;
    let size = size_of(db).await?;
    if size != batch.first {
        return Ok(Recovered::Elsewhere { size });
    }
    let ids = place_entries(db, batch).await?;
    deletions::lock_restored(db, &batch.deleted).await?;
    let cleanups = deletions::put_cleanups_back(db, &batch.deleted).await?;
    let connections = deletions::delete_again(db, &batch.deleted, watched).await?;
    let receipts = receipts::put_back(db, &batch.receipts, &ids).await?;
    receipts::supersede(db, &batch.superseded).await?;
    let reopened = receipts::reopen(db, batch).await?;
    delete_keys(db, &batch.deleted_keys).await?;
    delete_collections(db, &batch.deleted_collections).await?;
    delete_organizations(db, &batch.deleted_organizations).await?;
    if size_of(db).await? == end.size {
        keep_checkpoint(db, end).await?;
    }
    Ok(Recovered::Done(PutBack { connections, cleanups, reopened, receipts }))
}

/// Gives the entries the indexes that they have in the store. One that waited for an index here, in a database that was
/// dumped between the fact and its index, is that entry; the others are inserted. Returns their ids.
async fn place_entries(db: &mut Session, batch: &LostBatch) -> Result<Vec<i64>> {
    #[derive(QueryableByName)]
    struct Placed {
        #[diesel(sql_type = sql_types::Array<sql_types::BigInt>)]
        ids: Vec<i64>,
    }
    let entries: Vec<&Value> = batch.entries.iter().map(|entry| &entry.entry).collect();
    let organizations: Vec<Option<OrganizationId>> = batch.entries.iter().map(|entry| entry.organization_id).collect();
    let Placed { ids } = sql_query(
        "WITH given AS MATERIALIZED (
             SELECT * FROM unnest($1::jsonb[], $2::uuid[]) WITH ORDINALITY AS given (entry, organization_id, place)
         ), waiting AS MATERIALIZED (
             SELECT DISTINCT ON (place) place, e.id
             FROM ledger_pending p JOIN ledger_entry e ON e.id = p.entry_id JOIN given ON given.entry = e.entry
             ORDER BY place, e.id
         ), placed AS MATERIALIZED (
             SELECT given.*, waiting.id IS NULL AS is_new,
                    coalesce(waiting.id, nextval(pg_get_serial_sequence('ledger_entry', 'id'))) AS entry_id
             FROM given LEFT JOIN waiting USING (place)
         ), added AS (
             INSERT INTO ledger_entry (id, organization_id, entry) OVERRIDING SYSTEM VALUE
             SELECT entry_id, organization_id, entry FROM placed WHERE is_new
         )
         SELECT ARRAY(SELECT entry_id FROM placed ORDER BY place) AS ids",
    )
    .bind::<sql_types::Array<sql_types::Jsonb>, _>(entries)
    .bind::<sql_types::Array<sql_types::Nullable<sql_types::Uuid>>, _>(organizations)
    .get_result(db)
    .await?;
    index_entries(db, batch, &ids).await?;
    Ok(ids)
}

async fn index_entries(db: &mut Session, batch: &LostBatch, ids: &[i64]) -> Result<()> {
    let leaves: Vec<&[u8]> = batch.entries.iter().map(|entry| entry.leaf_hash.0.as_slice()).collect();
    let levels: Vec<i16> = batch.full.iter().map(|(node, _)| i16::from(node.level)).collect();
    let places: Vec<i64> = batch.full.iter().map(|(node, _)| signed(node.index)).collect::<Result<_>>()?;
    let hashes: Vec<&[u8]> = batch.full.iter().map(|(_, hash)| hash.0.as_slice()).collect();
    sql_query(
        "WITH taken AS (
             DELETE FROM ledger_pending WHERE entry_id = ANY ($1)
         ), tiled AS (
             INSERT INTO ledger_tile (level, index, hash) SELECT * FROM unnest($4::smallint[], $5::bigint[], $6::bytea[])
         )
         INSERT INTO ledger_index (index, entry_id, leaf_hash)
         SELECT $3 + place - 1, entry_id, leaf_hash
         FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS batch (entry_id, leaf_hash, place)",
    )
    .bind::<sql_types::Array<sql_types::BigInt>, _>(ids)
    .bind::<sql_types::Array<sql_types::Bytea>, _>(leaves)
    .bind::<sql_types::BigInt, _>(signed(batch.first)?)
    .bind::<sql_types::Array<sql_types::SmallInt>, _>(levels)
    .bind::<sql_types::Array<sql_types::BigInt>, _>(places)
    .bind::<sql_types::Array<sql_types::Bytea>, _>(hashes)
    .execute(db)
    .await?;
    Ok(())
}

/// Keys that were deleted open nothing again; their names are kept.
async fn delete_keys(db: &mut Session, keys: &[ApiKeyId]) -> Result<()> {
    let keys: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
    let deleted = "WITH gone AS (
                       DELETE FROM api_key WHERE id = ANY ($1)
                       RETURNING id, organization_id, name, created_at, modified_at, expires_at, last_used_at,
                                 created_by_email)
                   INSERT INTO deleted_api_key (id, organization_id, name, created_at, modified_at, expires_at,
                                                last_used_at, created_by_email)
                   SELECT * FROM gone ON CONFLICT DO NOTHING";
    sql_query(deleted).bind::<sql_types::Array<sql_types::Uuid>, _>(keys).execute(db).await?;
    Ok(())
}

/// Their connections are gone by now, but for those that somebody made since the restore: these keep their collection.
async fn delete_collections(db: &mut Session, collections: &[CollectionId]) -> Result<()> {
    if collections.is_empty() {
        return Ok(());
    }
    // Two statements: what was created until the lock was there is seen by the second.
    let locked = "SELECT FROM collection WHERE id = ANY ($1) ORDER BY id FOR UPDATE";
    let deleted = "DELETE FROM collection c
                   WHERE id = ANY ($1) AND NOT EXISTS (SELECT FROM source_connection WHERE collection_id = c.id)";
    for statement in [locked, deleted] {
        sql_query(statement).bind::<sql_types::Array<sql_types::Uuid>, _>(collections).execute(db).await?;
    }
    Ok(())
}

/// Those that have nothing any more: somebody may have made something in one since the restore.
async fn delete_organizations(db: &mut Session, organizations: &[OrganizationId]) -> Result<()> {
    if organizations.is_empty() {
        return Ok(());
    }
    let locked = "SELECT FROM organization WHERE id = ANY ($1) ORDER BY id FOR UPDATE";
    // The pause of its cleanups ended with it: what came back is purged again.
    let deleted = "WITH gone AS (
                       DELETE FROM organization o
                       WHERE id = ANY ($1) AND NOT EXISTS (SELECT FROM collection WHERE organization_id = o.id)
                         AND NOT EXISTS (SELECT FROM source_connection WHERE organization_id = o.id)
                         AND NOT EXISTS (SELECT FROM api_key WHERE organization_id = o.id)
                       RETURNING id)
                   DELETE FROM cleanup_pause USING gone WHERE cleanup_pause.organization_id = gone.id";
    for statement in [locked, deleted] {
        sql_query(statement).bind::<sql_types::Array<sql_types::Uuid>, _>(organizations).execute(db).await?;
    }
    Ok(())
}

async fn keep_checkpoint(db: &mut Session, end: &RecoveredTo) -> Result<()> {
    sql_query(
        "INSERT INTO ledger_checkpoint (size, root, note, published_at)
         VALUES ($1, $2, $3, CASE WHEN $4 THEN clock_timestamp() END)
         ON CONFLICT (size) DO UPDATE SET published_at = coalesce(ledger_checkpoint.published_at, EXCLUDED.published_at)",
    )
    .bind::<sql_types::BigInt, _>(signed(end.size)?)
    .bind::<sql_types::Bytea, _>(end.root.0.as_slice())
    .bind::<sql_types::Text, _>(end.note.as_str())
    .bind::<sql_types::Bool, _>(end.is_published)
    .execute(db)
    .await?;
    let end = "WITH recovered AS (SELECT NULL::uuid AS organization_id, NULL::uuid AS object_id)";
    sql_query(format!("{end}, {} SELECT FROM recovered", audited("recovered", "ledger.recovered", "$1")))
        .bind::<sql_types::Jsonb, _>(audit::actor(Actor::Operator)?)
        .execute(db)
        .await?;
    Ok(())
}

/// The connections of these syncs that are there, with whether a job of theirs may write.
async fn restored(db: &mut Session, syncs: &[SyncId]) -> Result<Vec<RestoredConnection>> {
    let restored = sql_query(
        "SELECT c.id, c.organization_id, s.id AS sync_id,
                EXISTS (SELECT FROM sync_job j WHERE j.sync_id = s.id
                        AND j.status IN ('pending', 'running', 'cancelling')) AS is_active
         FROM sync s JOIN source_connection c ON c.id = s.source_connection_id
         WHERE s.id = ANY ($1) ORDER BY c.id",
    );
    Ok(restored.bind::<sql_types::Array<sql_types::Uuid>, _>(syncs).load(db).await?)
}

fn ids_of(restored: &[RestoredConnection]) -> Vec<SourceConnectionId> {
    restored.iter().map(|connection| connection.id).collect()
}
