//! What needs which key of the ring, and the change to its first one: so that an old key can be taken away.
//!
//! A row is changed only if it is still what was read: credentials that are replaced meanwhile, and a job that wraps
//! its sync's key itself, win. What can't be decrypted stays as it is, and is told.

use std::ops::AddAssign;

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::ledger::Actor;
use shared_models::{SourceConnectionId, SyncId};

use crate::audit::{self, audited};
use crate::blob_keys::WrappedKey;
use crate::cipher::RowCipher;
use crate::credentials::Sealed;
use crate::error::{DatabaseError, Result};
use crate::pool::Database;
use crate::statement::sql_query;

/// How many rows need a key of the ring.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct RingKeyUse {
    /// The operator's name of the key.
    #[diesel(sql_type = sql_types::Text)]
    pub key_id: String,
    /// Source credentials that it encrypts.
    #[diesel(sql_type = sql_types::BigInt)]
    pub credentials: i64,
    /// Keys of syncs' blobs that it wraps.
    #[diesel(sql_type = sql_types::BigInt)]
    pub blob_keys: i64,
}

/// What became of some rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// They need the first key now.
    pub rewrapped: u64,
    /// Somebody else changed them meanwhile.
    pub changed: u64,
    /// Connections whose row can't be decrypted, and why.
    pub failed: Vec<(SourceConnectionId, String)>,
}

impl AddAssign for Rewrapped {
    fn add_assign(&mut self, more: Self) {
        self.rewrapped += more.rewrapped;
        self.changed += more.changed;
        self.failed.extend(more.failed);
    }
}

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RingRows {
    /// Source credentials.
    Credentials,
    /// Keys of syncs' blobs.
    BlobKeys,
}

impl RingRows {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Credentials, Self::BlobKeys];
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Uuid)]
    id: uuid::Uuid,
    #[diesel(sql_type = sql_types::Uuid)]
    connection: SourceConnectionId,
    #[diesel(sql_type = sql_types::Text)]
    key_id: String,
    #[diesel(sql_type = sql_types::Bytea)]
    nonce: Vec<u8>,
    #[diesel(sql_type = sql_types::Bytea)]
    text: Vec<u8>,
}

impl Database {
    /// How many rows need which key, by the keys' names.
    ///
    /// # Errors
    /// Any database error.
    pub async fn ring_use(&self) -> Result<Vec<RingKeyUse>> {
        let used = sql_query(
            "SELECT key_id, sum(credentials)::bigint AS credentials, sum(blob_keys)::bigint AS blob_keys FROM (
                 SELECT key_id, 1 AS credentials, 0 AS blob_keys FROM credential
                 UNION ALL SELECT blob_key_id, 0, 1 FROM sync WHERE blob_key_id IS NOT NULL) AS need
             GROUP BY key_id ORDER BY key_id",
        );
        Ok(used.load(&mut self.connection().await?).await?)
    }

    /// Changes at most `limit` of the rows behind `after` that need another key than the first. Returns where it got
    /// to, or nothing if there was none.
    ///
    /// # Errors
    /// Any database error. What was changed by then stays so.
    pub async fn rewrap(
        &self,
        cipher: &RowCipher,
        rows: RingRows,
        after: Option<uuid::Uuid>,
        limit: i64,
    ) -> Result<Option<(uuid::Uuid, Rewrapped)>> {
        let others = self.with_other_keys(cipher, rows, after, limit).await?;
        let Some(last) = others.last().map(|row| row.id) else { return Ok(None) };
        let mut done = Rewrapped::default();
        for row in others {
            match self.rewrap_one(cipher, rows, &row).await {
                Ok(true) => done.rewrapped += 1,
                Ok(false) => done.changed += 1,
                Err(error @ DatabaseError::Undecryptable { .. }) => {
                    done.failed.push((row.connection, error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some((last, done)))
    }

    async fn with_other_keys(
        &self,
        cipher: &RowCipher,
        rows: RingRows,
        after: Option<uuid::Uuid>,
        limit: i64,
    ) -> Result<Vec<Row>> {
        let others = match rows {
            RingRows::Credentials => {
                "SELECT id, source_connection_id AS connection, key_id, nonce, ciphertext AS text FROM credential
                 WHERE key_id <> $1 AND ($2 IS NULL OR id > $2) ORDER BY id LIMIT $3"
            }
            RingRows::BlobKeys => {
                "SELECT id, source_connection_id AS connection, blob_key_id AS key_id, ''::bytea AS nonce,
                        blob_key AS text
                 FROM sync WHERE blob_key_id <> $1 AND ($2 IS NULL OR id > $2) ORDER BY id LIMIT $3"
            }
        };
        let others = sql_query(others)
            .bind::<sql_types::Text, _>(&cipher.active().id)
            .bind::<sql_types::Nullable<sql_types::Uuid>, _>(after)
            .bind::<sql_types::BigInt, _>(limit);
        Ok(others.load(&mut self.connection().await?).await?)
    }

    /// Whether it was still what was read.
    async fn rewrap_one(&self, cipher: &RowCipher, rows: RingRows, row: &Row) -> Result<bool> {
        let (key_id, nonce, text) = match rows {
            RingRows::Credentials => {
                let before =
                    Sealed { key_id: row.key_id.clone(), nonce: row.nonce.clone(), ciphertext: row.text.clone() };
                let after = before.sealed_anew(cipher, row.connection)?;
                (after.key_id, after.nonce, after.ciphertext)
            }
            RingRows::BlobKeys => {
                let before = WrappedKey { key_id: row.key_id.clone(), wrapped: row.text.clone() };
                let after = before.wrapped_anew(cipher, SyncId(row.id))?;
                (after.key_id, Vec::new(), after.wrapped)
            }
        };
        let changed = match rows {
            // No later `modified_at`: they are the same credentials.
            RingRows::Credentials => {
                "UPDATE credential SET key_id = $2, nonce = $3, ciphertext = $4 WHERE id = $1 AND ciphertext = $5"
            }
            RingRows::BlobKeys => {
                "UPDATE sync SET blob_key_id = $2, blob_key = $4 WHERE id = $1 AND blob_key = $5 AND $3 = ''::bytea"
            }
        };
        let rows = sql_query(changed)
            .bind::<sql_types::Uuid, _>(row.id)
            .bind::<sql_types::Text, _>(key_id)
            .bind::<sql_types::Bytea, _>(nonce)
            .bind::<sql_types::Bytea, _>(text)
            .bind::<sql_types::Bytea, _>(&row.text)
            .execute(&mut self.connection().await?)
            .await?;
        Ok(rows == 1)
    }

    /// Writes into the ledger that an operator changed rows to the ring's first key.
    ///
    /// # Errors
    /// Any database error.
    pub async fn tell_rewrapped(&self) -> Result<()> {
        let done = "WITH done AS (SELECT NULL::uuid AS organization_id, NULL::uuid AS object_id)";
        sql_query(format!("{done}, {} SELECT FROM done", audited("done", "credentials_keys.rewrapped", "$1")))
            .bind::<sql_types::Jsonb, _>(audit::actor(Actor::Operator)?)
            .execute(&mut self.connection().await?)
            .await?;
        Ok(())
    }
}
