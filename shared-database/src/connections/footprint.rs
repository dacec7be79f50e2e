//! What is expected to be stored of a connection, by what the rows say. Read only.

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::SyncId;

use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

/// How much there should be, besides what a connection's view shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, QueryableByName)]
pub struct Footprint {
    /// Credentials.
    #[diesel(sql_type = sql_types::BigInt)]
    pub credentials: i64,
    /// Documents in Vespa: one a chunk.
    #[diesel(sql_type = sql_types::BigInt)]
    pub documents: i64,
    /// Blobs in the ARF store: a manifest, one an entity, and the raw files.
    #[diesel(sql_type = sql_types::BigInt)]
    pub blobs: i64,
    /// Whether the sync has a key that its blobs are encrypted with.
    #[diesel(sql_type = sql_types::Bool)]
    pub has_blob_key: bool,
    /// Whether blobs may have been written without encryption, at any time.
    #[diesel(sql_type = sql_types::Bool)]
    pub has_plain_blobs: bool,
}

impl Database {
    /// What the rows say of a sync's data. A job that was lost half-way may have left less;
    /// what a cleanup really finds is in its receipt.
    ///
    /// # Errors
    /// Any database error.
    pub async fn footprint(&self, sync: SyncId) -> Result<Footprint> {
        let footprint = sql_query(
            "SELECT (SELECT count(*) FROM credential c JOIN sync s USING (source_connection_id)
                     WHERE s.id = $1) AS credentials,
                    coalesce(sum(documents), 0)::bigint AS documents,
                    coalesce(sum(entities + files), 0)::bigint
                        + EXISTS (SELECT FROM sync_job j WHERE j.sync_id = $1 AND j.started_at IS NOT NULL)::int AS blobs,
                    coalesce((SELECT blob_key IS NOT NULL FROM sync WHERE id = $1), false) AS has_blob_key,
                    coalesce((SELECT has_plain_blobs FROM sync WHERE id = $1), true) AS has_plain_blobs
             FROM entity_count WHERE sync_id = $1",
        )
        .bind::<sql_types::Uuid, _>(sync)
        .get_result(&mut self.connection().await?)
        .await?;
        Ok(footprint)
    }
}
