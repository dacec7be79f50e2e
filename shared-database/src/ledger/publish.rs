//! What a publication reads and marks. The ledger store has everything before the mark is made: a crash in between
//! repeats the work and changes nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use shared_models::ledger::Hash;
use shared_models::{OrganizationId, PublisherId};

use super::{hash, signed, unsigned};
use crate::error::{DatabaseError, Result};
use crate::pool::Database;
use crate::statement::sql_query;

/// A root that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Entries that it covers.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
    /// The checkpoint with its signature, a signed note.
    pub note: String,
    /// When all of it was in the ledger store.
    pub published_at: Option<DateTime<Utc>>,
}

/// An entry with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its place.
    pub index: u64,
    /// Whose fact it is.
    pub organization_id: Option<OrganizationId>,
    /// The entry.
    pub entry: Value,
    /// Its hash, as it was sequenced.
    pub leaf_hash: Hash,
}

#[derive(QueryableByName)]
struct CheckpointRow {
    #[diesel(sql_type = sql_types::BigInt)]
    size: i64,
    #[diesel(sql_type = sql_types::Bytea)]
    root: Vec<u8>,
    #[diesel(sql_type = sql_types::Text)]
    note: String,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    published_at: Option<DateTime<Utc>>,
}

impl TryFrom<CheckpointRow> for StoredCheckpoint {
    type Error = DatabaseError;

    fn try_from(row: CheckpointRow) -> Result<Self> {
        let (size, root) = (unsigned(row.size)?, hash(&row.root)?);
        Ok(Self { size, root, note: row.note, published_at: row.published_at })
    }
}

#[derive(QueryableByName)]
struct EntryRow {
    #[diesel(sql_type = sql_types::BigInt)]
    index: i64,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    organization_id: Option<OrganizationId>,
    #[diesel(sql_type = sql_types::Jsonb)]
    entry: Value,
    #[diesel(sql_type = sql_types::Bytea)]
    leaf_hash: Vec<u8>,
}

impl TryFrom<EntryRow> for StoredEntry {
    type Error = DatabaseError;

    fn try_from(row: EntryRow) -> Result<Self> {
        let (index, leaf_hash) = (unsigned(row.index)?, hash(&row.leaf_hash)?);
        Ok(Self { index, organization_id: row.organization_id, entry: row.entry, leaf_hash })
    }
}

impl Database {
    /// The newest checkpoint; the newest of those that were published if `published`.
    ///
    /// # Errors
    /// Any database error.
    pub async fn newest_checkpoint(&self, published: bool) -> Result<Option<StoredCheckpoint>> {
        // Two texts, for each has an index of its own.
        let which = if published { "WHERE published_at IS NOT NULL" } else { "" };
        let text =
            format!("SELECT size, root, note, published_at FROM ledger_checkpoint {which} ORDER BY size DESC LIMIT 1");
        let newest = sql_query(text).get_result(&mut self.connection().await?).await.optional()?;
        let row: Option<CheckpointRow> = newest;
        row.map(StoredCheckpoint::try_from).transpose()
    }

    /// The checkpoint of this size, if it was published.
    ///
    /// # Errors
    /// Any database error.
    pub async fn published_checkpoint(&self, size: u64) -> Result<Option<StoredCheckpoint>> {
        // No ledger is so large: what isn't a number of PostgreSQL's isn't there.
        let Ok(size) = signed(size) else { return Ok(None) };
        let published = "SELECT size, root, note, published_at FROM ledger_checkpoint
                         WHERE size = $1 AND published_at IS NOT NULL";
        let published = sql_query(published).bind::<sql_types::BigInt, _>(size);
        let row: Option<CheckpointRow> = published.get_result(&mut self.connection().await?).await.optional()?;
        row.map(StoredCheckpoint::try_from).transpose()
    }

    /// Entries of one organization that have their place behind `after`, in their order, at most `limit` (DEL-9).
    ///
    /// # Errors
    /// Any database error.
    pub async fn organization_entries(
        &self,
        organization: OrganizationId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<StoredEntry>> {
        let entries = sql_query(
            "SELECT i.index, e.organization_id, e.entry, i.leaf_hash
             FROM ledger_entry e JOIN ledger_index i ON i.entry_id = e.id
             WHERE e.organization_id = $1 AND i.index > $2 ORDER BY i.index LIMIT $3",
        );
        let entries = entries.bind::<sql_types::Uuid, _>(organization).bind::<sql_types::BigInt, _>(after);
        let entries = entries.bind::<sql_types::BigInt, _>(limit);
        let rows: Vec<EntryRow> = entries.load(&mut self.connection().await?).await?;
        rows.into_iter().map(StoredEntry::try_from).collect()
    }

    /// The checkpoint to publish after one of `size` entries: the newest that covers at most `most` more, or the first
    /// after it; nothing if there is none.
    ///
    /// # Errors
    /// Any database error.
    pub async fn checkpoint_after(&self, size: u64, most: u64) -> Result<Option<StoredCheckpoint>> {
        let (size, most) = (signed(size)?, signed(most)?);
        let next = sql_query(
            "(SELECT size, root, note, published_at FROM ledger_checkpoint
              WHERE size > $1 AND size <= $1 + $2 ORDER BY size DESC LIMIT 1)
             UNION ALL
             (SELECT size, root, note, published_at FROM ledger_checkpoint WHERE size > $1 ORDER BY size LIMIT 1)
             LIMIT 1",
        );
        let next = next.bind::<sql_types::BigInt, _>(size).bind::<sql_types::BigInt, _>(most);
        let row: Option<CheckpointRow> = next.get_result(&mut self.connection().await?).await.optional()?;
        row.map(StoredCheckpoint::try_from).transpose()
    }

    /// Takes the lease on publishing for `ttl`, or renews it. Whether this process has it then.
    ///
    /// # Errors
    /// Any database error.
    pub async fn hold_publisher(&self, owner: PublisherId, ttl: Duration) -> Result<bool> {
        let held = sql_query(
            "UPDATE ledger_publisher
             SET owner = $1, lease_expires_at = statement_timestamp() + make_interval(secs => $2)
             WHERE owner = $1 OR owner IS NULL OR lease_expires_at <= statement_timestamp()",
        )
        .bind::<sql_types::Uuid, _>(owner)
        .bind::<sql_types::Double, _>(ttl.as_secs_f64())
        .execute(&mut self.connection().await?)
        .await?;
        Ok(held == 1)
    }

    /// Gives the lease on publishing back.
    ///
    /// # Errors
    /// Any database error.
    pub async fn drop_publisher(&self, owner: PublisherId) -> Result<()> {
        sql_query("UPDATE ledger_publisher SET owner = NULL, lease_expires_at = NULL WHERE owner = $1")
            .bind::<sql_types::Uuid, _>(owner)
            .execute(&mut self.connection().await?)
            .await?;
        Ok(())
    }

    /// The entries from `from` up to before `to`, in their order.
    ///
    /// # Errors
    /// Any database error, or [`DatabaseError::Corrupt`] if one is missing.
    pub async fn ledger_entries(&self, from: u64, to: u64) -> Result<Vec<StoredEntry>> {
        let rows: Vec<EntryRow> = sql_query(
            "SELECT i.index, e.organization_id, e.entry, i.leaf_hash
             FROM ledger_index i JOIN ledger_entry e ON e.id = i.entry_id
             WHERE i.index >= $1 AND i.index < $2 ORDER BY i.index",
        )
        .bind::<sql_types::BigInt, _>(signed(from)?)
        .bind::<sql_types::BigInt, _>(signed(to)?)
        .load(&mut self.connection().await?)
        .await?;
        if u64::try_from(rows.len()).ok() != to.checked_sub(from) {
            return Err(DatabaseError::Corrupt(format!("the ledger has not every entry from {from} to {to}")));
        }
        rows.into_iter().map(StoredEntry::try_from).collect()
    }

    /// Marks the checkpoint of this size as published.
    ///
    /// # Errors
    /// Any database error.
    pub async fn mark_checkpoint_published(&self, size: u64) -> Result<()> {
        sql_query(
            "UPDATE ledger_checkpoint SET published_at = clock_timestamp() WHERE size = $1 AND published_at IS NULL",
        )
        .bind::<sql_types::BigInt, _>(signed(size)?)
        .execute(&mut self.connection().await?)
        .await?;
        Ok(())
    }
}
