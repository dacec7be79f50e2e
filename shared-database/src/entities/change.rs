//! The statements of a batch: seen, dirty, about to be written, settled, gone. Each changes rows and counts together.

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::EntityKey;

use super::kept::KEEP_COUNTS;
use super::{EntityIntent, EntityWriter, HELD, WrittenEntity, bytes_of};
use crate::error::{DatabaseError, Result};
use crate::pool::Database;
use crate::statement::sql_query;

/// What a statement found and did.
#[derive(QueryableByName)]
struct Changed {
    #[diesel(sql_type = sql_types::Bool)]
    is_held: bool,
    #[diesel(sql_type = sql_types::BigInt)]
    entities: i64,
}

impl Changed {
    /// Whether the lease stands; that it stands and a row is missing means that the statement must be sent again.
    fn all(&self, expected: usize) -> Result<bool> {
        if self.is_held && usize::try_from(self.entities) != Ok(expected) {
            return Err(DatabaseError::Conflict("entities were written beside this statement".to_owned()));
        }
        Ok(self.is_held)
    }
}

impl Database {
    /// Marks entities as seen by the writer's job. `false`: the lease is lost, stop.
    ///
    /// # Errors
    /// Any database error.
    pub async fn mark_seen(&self, writer: EntityWriter, keys: &[EntityKey]) -> Result<bool> {
        self.change_keys(mark_seen(), writer, keys).await
    }

    /// Makes rows dirty before what they speak of is removed. `false`: the lease is lost, stop.
    ///
    /// # Errors
    /// Any database error.
    pub async fn make_dirty(&self, writer: EntityWriter, keys: &[EntityKey]) -> Result<bool> {
        self.change_keys(make_dirty(), writer, keys).await
    }

    /// Runs a statement that changes the row of each key; whether it changed all of them.
    async fn change_keys(&self, statement: String, writer: EntityWriter, keys: &[EntityKey]) -> Result<bool> {
        let rows = sql_query(statement)
            .bind::<sql_types::Uuid, _>(writer.job)
            .bind::<sql_types::Uuid, _>(writer.owner)
            .bind::<sql_types::Uuid, _>(writer.sync)
            .bind::<sql_types::Array<sql_types::Bytea>, _>(bytes_of(keys))
            .execute(&mut self.connection().await?)
            .await?;
        Ok(rows == keys.len())
    }

    /// Says which entities are about to be written: dirty rows, whose chunk count covers what is there and what will
    /// be. Each key at most once. `false`: the lease is lost, stop.
    ///
    /// # Errors
    /// Any database error; [`DatabaseError::ForeignKey`] if the connection is gone: stop; [`DatabaseError::Conflict`]
    /// if the same statement, sent before, was still under way: send it again.
    pub async fn intend_entities(&self, writer: EntityWriter, intents: &[EntityIntent]) -> Result<bool> {
        let keys: Vec<&[u8]> = intents.iter().map(|intent| intent.key.0.as_slice()).collect();
        let classes: Vec<&str> = intents.iter().map(|intent| intent.class.as_str()).collect();
        let ids: Vec<&str> = intents.iter().map(|intent| intent.id.as_str()).collect();
        let types: Vec<&str> = intents.iter().map(|intent| intent.document_type.as_str()).collect();
        let chunks: Vec<i32> = intents.iter().map(|intent| integer(intent.chunk_count)).collect();
        let files: Vec<Option<&str>> = intents.iter().map(|intent| intent.file_name.as_deref()).collect();
        let changed: Changed = sql_query(intend())
            .bind::<sql_types::Uuid, _>(writer.job)
            .bind::<sql_types::Uuid, _>(writer.owner)
            .bind::<sql_types::Uuid, _>(writer.sync)
            .bind::<sql_types::Array<sql_types::Bytea>, _>(keys)
            .bind::<sql_types::Array<sql_types::Text>, _>(classes)
            .bind::<sql_types::Array<sql_types::Text>, _>(ids)
            .bind::<sql_types::Array<sql_types::Text>, _>(types)
            .bind::<sql_types::Array<sql_types::Integer>, _>(chunks)
            .bind::<sql_types::Array<sql_types::Nullable<sql_types::Text>>, _>(files)
            .get_result(&mut self.connection().await?)
            .await?;
        changed.all(intents.len())
    }

    /// Says that entities have been written as a whole. `false`: the lease is lost, stop.
    ///
    /// # Errors
    /// Any database error.
    pub async fn settle_entities(&self, writer: EntityWriter, written: &[WrittenEntity]) -> Result<bool> {
        let keys: Vec<&[u8]> = written.iter().map(|entity| entity.key.0.as_slice()).collect();
        let hashes: Vec<&[u8]> = written.iter().map(|entity| entity.content_hash.as_slice()).collect();
        let chunks: Vec<i32> = written.iter().map(|entity| integer(entity.chunk_count)).collect();
        let changed: Changed = sql_query(settle())
            .bind::<sql_types::Uuid, _>(writer.job)
            .bind::<sql_types::Uuid, _>(writer.owner)
            .bind::<sql_types::Uuid, _>(writer.sync)
            .bind::<sql_types::Array<sql_types::Bytea>, _>(keys)
            .bind::<sql_types::Array<sql_types::Bytea>, _>(hashes)
            .bind::<sql_types::Array<sql_types::Integer>, _>(chunks)
            .get_result(&mut self.connection().await?)
            .await?;
        Ok(changed.is_held && usize::try_from(changed.entities) == Ok(written.len()))
    }

    /// Deletes the rows of entities whose documents and blobs are gone. `false`: the lease is lost, stop.
    ///
    /// # Errors
    /// Any database error; [`DatabaseError::Conflict`] if a row was changed beside the statement: send it again.
    pub async fn delete_entities(&self, writer: EntityWriter, keys: &[EntityKey]) -> Result<bool> {
        let changed: Changed = sql_query(delete())
            .bind::<sql_types::Uuid, _>(writer.job)
            .bind::<sql_types::Uuid, _>(writer.owner)
            .bind::<sql_types::Uuid, _>(writer.sync)
            .bind::<sql_types::Array<sql_types::Bytea>, _>(bytes_of(keys))
            .get_result(&mut self.connection().await?)
            .await?;
        // What counts is that none is left: a repetition finds them gone.
        changed.all(0)
    }
}

/// The columns of a row. A row that is changed is written as a whole over itself: an upsert finds it by its primary key
/// and by nothing else, however many rows the planner believes the sync to have.
const COLUMNS: &str =
    "sync_id, entity_key, entity_class, entity_id, document_type, content_hash, chunk_count, file_name,
                       seen_by_job, is_keyed";

/// The rows of the keys in `new (key, …)`, a part of the statement before this one: found one by one, and locked in the
/// order of their keys before they are looked at, so that what they were before is what they really were.
///
/// Never `entity_key = ANY (…)`: where the planner takes a sync for small, as in a young table or beside many small
/// syncs, it reads the whole sync for each batch.
const LOCKED: &str = "old AS MATERIALIZED (
             SELECT new.*, e.* FROM new CROSS JOIN LATERAL (
                 SELECT ctid AS place, * FROM entity WHERE sync_id = $3 AND entity_key = new.key FOR UPDATE
             ) AS e
         )";

fn mark_seen() -> String {
    format!(
        "WITH new AS MATERIALIZED (
             SELECT key FROM unnest($4) AS new (key) WHERE {HELD} ORDER BY key
         ), {LOCKED}
         INSERT INTO entity ({COLUMNS})
         SELECT sync_id, entity_key, entity_class, entity_id, document_type, content_hash, chunk_count, file_name, $1,
                is_keyed
         FROM old
         ON CONFLICT (sync_id, entity_key) DO UPDATE SET seen_by_job = EXCLUDED.seen_by_job"
    )
}

fn make_dirty() -> String {
    format!(
        "WITH new AS MATERIALIZED (
             SELECT key FROM unnest($4) AS new (key) WHERE {HELD} ORDER BY key
         ), {LOCKED}
         INSERT INTO entity ({COLUMNS})
         SELECT sync_id, entity_key, entity_class, entity_id, document_type, NULL, chunk_count, file_name, seen_by_job,
                is_keyed
         FROM old
         ON CONFLICT (sync_id, entity_key) DO UPDATE SET content_hash = NULL"
    )
}

/// A row that is inserted beside this statement is neither changed nor counted by it.
fn intend() -> String {
    format!(
        "WITH new AS MATERIALIZED (
             SELECT * FROM unnest($4, $5, $6, $7, $8, $9) AS new (key, class, id, type, chunks, file) WHERE {HELD}
             ORDER BY key
         ), {LOCKED}, written AS (
             INSERT INTO entity ({COLUMNS})
             SELECT $3, new.key, new.class, new.id, new.type, NULL, greatest(new.chunks, old.chunk_count), new.file, $1,
                    true
             FROM new LEFT JOIN old ON old.key = new.key
             ON CONFLICT (sync_id, entity_key) DO UPDATE
             SET entity_class = EXCLUDED.entity_class, entity_id = EXCLUDED.entity_id,
                 document_type = EXCLUDED.document_type, content_hash = NULL, chunk_count = EXCLUDED.chunk_count,
                 file_name = EXCLUDED.file_name, seen_by_job = EXCLUDED.seen_by_job
             WHERE EXCLUDED.entity_key IN (SELECT key FROM old)
             RETURNING entity_class, chunk_count, file_name
         ), changes AS (
             SELECT class, sum(entity)::bigint AS entities, sum(chunks)::bigint AS documents, sum(file)::bigint AS files
             FROM (SELECT entity_class, 1, chunk_count, num_nonnulls(file_name) FROM written
                   UNION ALL SELECT entity_class, -1, -chunk_count, -num_nonnulls(file_name) FROM old)
                  AS change (class, entity, chunks, file)
             GROUP BY class
         ), counted AS ({KEEP_COUNTS})
         SELECT {HELD} AS is_held, (SELECT count(*) FROM written) AS entities"
    )
}

/// The counts change only where an entity has become shorter.
fn settle() -> String {
    format!(
        "WITH new AS MATERIALIZED (
             SELECT * FROM unnest($4, $5, $6) AS new (key, hash, chunks) WHERE {HELD} ORDER BY key
         ), {LOCKED}, settled AS (
             INSERT INTO entity ({COLUMNS})
             SELECT sync_id, entity_key, entity_class, entity_id, document_type, hash, chunks, file_name, seen_by_job,
                    is_keyed
             FROM old WHERE seen_by_job = $1
             ON CONFLICT (sync_id, entity_key) DO UPDATE
             SET content_hash = EXCLUDED.content_hash, chunk_count = EXCLUDED.chunk_count
             RETURNING entity_key
         ), changes AS (
             SELECT entity_class AS class, 0 AS entities, sum(chunks - chunk_count)::bigint AS documents, 0 AS files
             FROM old WHERE seen_by_job = $1 AND chunks <> chunk_count GROUP BY entity_class
         ), counted AS ({KEEP_COUNTS})
         SELECT {HELD} AS is_held, (SELECT count(*) FROM settled) AS entities"
    )
}

/// A locked row stays at its place. One that was changed beside this statement has another place than the statement
/// sees: it is left, and told.
fn delete() -> String {
    format!(
        "WITH new AS MATERIALIZED (
             SELECT key FROM unnest($4) AS new (key) WHERE {HELD} ORDER BY key
         ), {LOCKED}, gone AS (
             DELETE FROM entity e USING old WHERE e.ctid = old.place AND e.content_hash IS NULL
             RETURNING e.entity_class, e.chunk_count, e.file_name
         ), changes AS (
             SELECT entity_class AS class, -count(*) AS entities, -sum(chunk_count)::bigint AS documents,
                    -count(file_name) AS files
             FROM gone GROUP BY entity_class
         ), counted AS ({KEEP_COUNTS})
         SELECT {HELD} AS is_held,
                (SELECT count(*) FROM old WHERE content_hash IS NULL) - (SELECT count(*) FROM gone) AS entities"
    )
}

fn integer(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
