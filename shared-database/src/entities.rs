//! Entity rows: what a sync has written, so that nothing in the stores is ever unknown to this table.
//!
//! Every change is one autocommit statement that looks at the job's lease in the same breath: a worker that lost its job
//! changes nothing, even if its statement was stuck on the way (DEL-2). A foreign-key refusal means that the connection
//! is gone. A row is *dirty* (no content hash) from before its documents and blobs change until after; whoever dies in
//! between leaves it so, and the next job writes the entity again.

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::{DocumentType, EntityKey, LeaseOwner, SyncId, SyncJobId};

use crate::error::{DatabaseError, Result};
use crate::pool::Database;
use crate::statement::sql_query;

/// Who writes: a job under its lease.
#[derive(Debug, Clone, Copy)]
pub struct EntityWriter {
    /// Whose entities.
    pub sync: SyncId,
    /// The job.
    pub job: SyncJobId,
    /// Who must hold its lease.
    pub owner: LeaseOwner,
}

/// What a row says about an entity's documents and blobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntity {
    /// The entity.
    pub key: EntityKey,
    /// The type of its documents.
    pub document_type: DocumentType,
    /// Hash of what was written; `None` if the row is dirty.
    pub content_hash: Option<Vec<u8>>,
    /// Chunks that may exist.
    pub chunk_count: u32,
    /// Name of its raw file, if there may be one.
    pub file_name: Option<String>,
}

/// An entity that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityIntent {
    /// The entity.
    pub key: EntityKey,
    /// Its class.
    pub class: String,
    /// Its id at the source, without NUL.
    pub id: String,
    /// The type of its documents.
    pub document_type: DocumentType,
    /// Chunks that will be written.
    pub chunk_count: u32,
    /// Name of the raw file that will be written, if any, without NUL.
    pub file_name: Option<String>,
}

/// An entity that has been written as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenEntity {
    /// The entity.
    pub key: EntityKey,
    /// Hash of its content.
    pub content_hash: [u8; 32],
    /// Chunks that exist.
    pub chunk_count: u32,
}

/// The condition under which a job's statement changes anything: `$1` is the job, `$2` its holder.
pub(crate) const HELD: &str = "EXISTS (SELECT 1 FROM sync_job j WHERE j.id = $1 AND j.lease_owner = $2)";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Bytea)]
    entity_key: Vec<u8>,
    #[diesel(sql_type = sql_types::Text)]
    document_type: DocumentType,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Bytea>)]
    content_hash: Option<Vec<u8>>,
    #[diesel(sql_type = sql_types::Integer)]
    chunk_count: i32,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    file_name: Option<String>,
}

impl TryFrom<Row> for StoredEntity {
    type Error = DatabaseError;

    fn try_from(row: Row) -> Result<Self> {
        let key = <[u8; 16]>::try_from(row.entity_key.as_slice());
        Ok(Self {
            key: EntityKey(key.map_err(|_| DatabaseError::Corrupt("entity key of the wrong length".to_owned()))?),
            document_type: row.document_type,
            content_hash: row.content_hash,
            chunk_count: u32::try_from(row.chunk_count).unwrap_or_default(),
            file_name: row.file_name,
        })
    }
}

impl Database {
    /// Those of `keys` that have a row.
    ///
    /// # Errors
    /// Any database error.
    pub async fn stored_entities(&self, sync: SyncId, keys: &[EntityKey]) -> Result<Vec<StoredEntity>> {
        let rows: Vec<Row> = sql_query(
            "SELECT entity_key, document_type, content_hash, chunk_count, file_name
             FROM entity WHERE sync_id = $1 AND entity_key = ANY($2)",
        )
        .bind::<sql_types::Uuid, _>(sync)
        .bind::<sql_types::Array<sql_types::Bytea>, _>(bytes_of(keys))
        .load(&mut self.connection().await?)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Marks entities as seen by the writer's job. `false`: the lease is lost, stop.
    ///
    /// # Errors
    /// Any database error.
    pub async fn mark_seen(&self, writer: EntityWriter, keys: &[EntityKey]) -> Result<bool> {
        let rows = sql_query(format!(
            "UPDATE entity SET seen_by_job = $1 WHERE sync_id = $3 AND entity_key = ANY($4) AND {HELD}"
        ))
        .bind::<sql_types::Uuid, _>(writer.job)
        .bind::<sql_types::Uuid, _>(writer.owner)
        .bind::<sql_types::Uuid, _>(writer.sync)
        .bind::<sql_types::Array<sql_types::Bytea>, _>(bytes_of(keys))
        .execute(&mut self.connection().await?)
        .await?;
        Ok(rows == keys.len())
    }

    /// Makes rows dirty before what they speak of is removed. `false`: the lease is lost, stop.
    ///
    /// # Errors
    /// Any database error.
    pub async fn make_dirty(&self, writer: EntityWriter, keys: &[EntityKey]) -> Result<bool> {
        let rows = sql_query(format!(
            "UPDATE entity SET content_hash = NULL, modified_at = clock_timestamp()
             WHERE sync_id = $3 AND entity_key = ANY($4) AND {HELD}"
        ))
        .bind::<sql_types::Uuid, _>(writer.job)
        .bind::<sql_types::Uuid, _>(writer.owner)
        .bind::<sql_types::Uuid, _>(writer.sync)
        .bind::<sql_types::Array<sql_types::Bytea>, _>(bytes_of(keys))
        .execute(&mut self.connection().await?)
        .await?;
        Ok(rows == keys.len())
    }

    /// Says which entities are about to be written: dirty rows, whose chunk count covers what is there and what will be.
    /// Each key at most once. `false`: the lease is lost, stop.
    ///
    /// # Errors
    /// Any database error; [`DatabaseError::ForeignKey`] if the connection is gone: stop.
    pub async fn intend_entities(&self, writer: EntityWriter, intents: &[EntityIntent]) -> Result<bool> {
        let keys: Vec<&[u8]> = intents.iter().map(|intent| intent.key.0.as_slice()).collect();
        let classes: Vec<&str> = intents.iter().map(|intent| intent.class.as_str()).collect();
        let ids: Vec<&str> = intents.iter().map(|intent| intent.id.as_str()).collect();
        let types: Vec<&str> = intents.iter().map(|intent| intent.document_type.as_str()).collect();
        let chunks: Vec<i32> = intents.iter().map(|intent| integer(intent.chunk_count)).collect();
        let files: Vec<Option<&str>> = intents.iter().map(|intent| intent.file_name.as_deref()).collect();
        let rows = sql_query(format!(
            "INSERT INTO entity (sync_id, entity_key, entity_class, entity_id, document_type, content_hash, chunk_count,
                                 file_name, seen_by_job)
             SELECT $3, new.key, new.class, new.id, new.type, NULL, new.chunks, new.file, $1
             FROM unnest($4, $5, $6, $7, $8, $9) AS new (key, class, id, type, chunks, file)
             WHERE {HELD}
             ON CONFLICT (sync_id, entity_key) DO UPDATE
             SET entity_class = EXCLUDED.entity_class, entity_id = EXCLUDED.entity_id,
                 document_type = EXCLUDED.document_type, content_hash = NULL,
                 chunk_count = greatest(entity.chunk_count, EXCLUDED.chunk_count),
                 file_name = EXCLUDED.file_name, seen_by_job = EXCLUDED.seen_by_job,
                 modified_at = clock_timestamp()"
        ))
        .bind::<sql_types::Uuid, _>(writer.job)
        .bind::<sql_types::Uuid, _>(writer.owner)
        .bind::<sql_types::Uuid, _>(writer.sync)
        .bind::<sql_types::Array<sql_types::Bytea>, _>(keys)
        .bind::<sql_types::Array<sql_types::Text>, _>(classes)
        .bind::<sql_types::Array<sql_types::Text>, _>(ids)
        .bind::<sql_types::Array<sql_types::Text>, _>(types)
        .bind::<sql_types::Array<sql_types::Integer>, _>(chunks)
        .bind::<sql_types::Array<sql_types::Nullable<sql_types::Text>>, _>(files)
        .execute(&mut self.connection().await?)
        .await?;
        Ok(rows == intents.len())
    }

    /// Says that entities have been written as a whole. `false`: the lease is lost, stop.
    ///
    /// # Errors
    /// Any database error.
    pub async fn settle_entities(&self, writer: EntityWriter, written: &[WrittenEntity]) -> Result<bool> {
        let keys: Vec<&[u8]> = written.iter().map(|entity| entity.key.0.as_slice()).collect();
        let hashes: Vec<&[u8]> = written.iter().map(|entity| entity.content_hash.as_slice()).collect();
        let chunks: Vec<i32> = written.iter().map(|entity| integer(entity.chunk_count)).collect();
        let rows = sql_query(format!(
            "UPDATE entity e SET content_hash = new.hash, chunk_count = new.chunks, modified_at = clock_timestamp()
             FROM unnest($4, $5, $6) AS new (key, hash, chunks)
             WHERE e.sync_id = $3 AND e.entity_key = new.key AND e.seen_by_job = $1 AND {HELD}"
        ))
        .bind::<sql_types::Uuid, _>(writer.job)
        .bind::<sql_types::Uuid, _>(writer.owner)
        .bind::<sql_types::Uuid, _>(writer.sync)
        .bind::<sql_types::Array<sql_types::Bytea>, _>(keys)
        .bind::<sql_types::Array<sql_types::Bytea>, _>(hashes)
        .bind::<sql_types::Array<sql_types::Integer>, _>(chunks)
        .execute(&mut self.connection().await?)
        .await?;
        Ok(rows == written.len())
    }

    /// Up to `limit` entities beyond `after`, in order of their keys, that `job` hasn't seen, with their ids.
    ///
    /// # Errors
    /// Any database error.
    pub async fn unseen_entities(
        &self,
        sync: SyncId,
        job: SyncJobId,
        after: Option<EntityKey>,
        limit: u32,
    ) -> Result<Vec<(String, StoredEntity)>> {
        #[derive(QueryableByName)]
        struct Unseen {
            #[diesel(sql_type = sql_types::Text)]
            entity_id: String,
            #[diesel(embed)]
            row: Row,
        }
        let after: &[u8] = after.as_ref().map_or(&[], |key| key.0.as_slice());
        let rows: Vec<Unseen> = sql_query(
            "SELECT entity_id, entity_key, document_type, content_hash, chunk_count, file_name
             FROM entity WHERE sync_id = $1 AND entity_key > $2 AND seen_by_job <> $3
             ORDER BY entity_key LIMIT $4",
        )
        .bind::<sql_types::Uuid, _>(sync)
        .bind::<sql_types::Bytea, _>(after)
        .bind::<sql_types::Uuid, _>(job)
        .bind::<sql_types::BigInt, _>(i64::from(limit))
        .load(&mut self.connection().await?)
        .await?;
        rows.into_iter().map(|unseen| Ok((unseen.entity_id, unseen.row.try_into()?))).collect()
    }

    /// Deletes the rows of entities whose documents and blobs are gone. `false`: the lease is lost, stop.
    ///
    /// # Errors
    /// Any database error.
    pub async fn delete_entities(&self, writer: EntityWriter, keys: &[EntityKey]) -> Result<bool> {
        #[derive(QueryableByName)]
        struct Held {
            #[diesel(sql_type = sql_types::Bool)]
            is_held: bool,
        }
        // Not told by the number of rows: a repetition finds them gone.
        let held: Held = sql_query(format!(
            "WITH gone AS (DELETE FROM entity
                           WHERE sync_id = $3 AND entity_key = ANY($4) AND content_hash IS NULL AND {HELD})
             SELECT {HELD} AS is_held"
        ))
        .bind::<sql_types::Uuid, _>(writer.job)
        .bind::<sql_types::Uuid, _>(writer.owner)
        .bind::<sql_types::Uuid, _>(writer.sync)
        .bind::<sql_types::Array<sql_types::Bytea>, _>(bytes_of(keys))
        .get_result(&mut self.connection().await?)
        .await?;
        Ok(held.is_held)
    }
}

fn bytes_of(keys: &[EntityKey]) -> Vec<&[u8]> {
    keys.iter().map(|key| key.0.as_slice()).collect()
}

fn integer(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
