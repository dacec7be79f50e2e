//! Entity rows: what a sync has written, so that nothing in the stores is ever unknown to this table.
//!
//! Every change is one autocommit statement that looks at the job's lease in the same breath: a worker that lost its
//! job changes nothing, even if its statement was stuck on the way (DEL-2). A foreign-key refusal means that the
//! connection is gone. A row is *dirty* (no content hash) from before its documents and blobs change until after;
//! whoever dies in between leaves it so, and the next job writes the entity again. How many there are is kept by the
//! same statements ([`kept`]).

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::{DocumentType, EntityKey, LeaseOwner, SyncId, SyncJobId};

use crate::error::{DatabaseError, Result};
use crate::pool::Database;
use crate::statement::sql_query;

mod change;
mod kept;

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
    /// Whether key, documents and blobs are named under the sync's key.
    pub is_keyed: bool,
}

/// An entity that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityIntent {
    /// The entity, under the sync's key.
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
    #[diesel(sql_type = sql_types::Bool)]
    is_keyed: bool,
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
            is_keyed: row.is_keyed,
        })
    }
}

impl Database {
    /// Those of `keys` that have a row. Each is looked up by itself (`OFFSET 0` says so to the planner), for the reason
    /// that [`change`] gives.
    ///
    /// # Errors
    /// Any database error.
    pub async fn stored_entities(&self, sync: SyncId, keys: &[EntityKey]) -> Result<Vec<StoredEntity>> {
        let rows: Vec<Row> = sql_query(
            "SELECT e.* FROM unnest($2) AS wanted (key) CROSS JOIN LATERAL (
                 SELECT entity_key, document_type, content_hash, chunk_count, file_name, is_keyed
                 FROM entity WHERE sync_id = $1 AND entity_key = wanted.key
                 OFFSET 0
             ) AS e",
        )
        .bind::<sql_types::Uuid, _>(sync)
        .bind::<sql_types::Array<sql_types::Bytea>, _>(bytes_of(keys))
        .load(&mut self.connection().await?)
        .await?;
        rows.into_iter().map(TryInto::try_into).collect()
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
            "SELECT entity_id, entity_key, document_type, content_hash, chunk_count, file_name, is_keyed
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

    /// Whether the sync has entities whose names are those of a version before blob keys.
    ///
    /// # Errors
    /// Any database error.
    pub async fn has_unkeyed_entities(&self, sync: SyncId) -> Result<bool> {
        #[derive(QueryableByName)]
        struct Found {
            #[diesel(sql_type = sql_types::Bool)]
            has_unkeyed: bool,
        }
        let found: Found =
            sql_query("SELECT EXISTS (SELECT FROM entity WHERE sync_id = $1 AND NOT is_keyed) AS has_unkeyed")
                .bind::<sql_types::Uuid, _>(sync)
                .get_result(&mut self.connection().await?)
                .await?;
        Ok(found.has_unkeyed)
    }
}

fn bytes_of(keys: &[EntityKey]) -> Vec<&[u8]> {
    keys.iter().map(|key| key.0.as_slice()).collect()
}
