//! Audit entries: who changed keys, organizations, plans, pauses, or had something purged. Each is written into the
//! ledger by the statement that makes the change, so that neither is there without the other (DEL-11).

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use shared_models::OrganizationId;
use shared_models::ledger::{Actor, Audit, Entry, EntryError, ReadEntry, canonical};

use crate::error::{DatabaseError, Result};
use crate::pool::Database;
use crate::statement::sql_query;

/// A collection was deleted, after its connections.
pub const COLLECTION_DELETED: &str = "collection.deleted";
/// An API key was deleted.
pub const API_KEY_DELETED: &str = "api_key.deleted";

/// Somebody began to delete an organization.
pub const ORGANIZATION_DELETION_REQUESTED: &str = "organization.deletion_requested";
/// An organization was deleted, after its collections and keys.
pub const ORGANIZATION_DELETED: &str = "organization.deleted";

/// The part of a `WITH` that writes an audit entry for each row of the part `changed`, which has the columns
/// `organization_id` and `object_id`; the actor is the parameter `actor`.
pub(crate) fn audited(changed: &str, action: &str, actor: &str) -> String {
    format!(
        "audited AS (
             INSERT INTO ledger_entry (organization_id, entry)
             SELECT organization_id, ledger_audit({actor}, organization_id, '{action}', object_id) FROM {changed})"
    )
}

/// An actor as a parameter.
pub(crate) fn actor(who: Actor) -> Result<Value> {
    serde_json::to_value(who).map_err(|error| DatabaseError::Corrupt(format!("an actor: {error}")))
}

/// Which audit entries to read.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only what concerns this organization.
    pub organization: Option<OrganizationId>,
    /// Only actions that begin so.
    pub action: Option<String>,
    /// Only what happened at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Only what happened before this time.
    pub until: Option<DateTime<Utc>>,
}

/// An audit entry, and what the ledger's entry doesn't say.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// What it says; nothing if a later version wrote it.
    pub audit: Option<Audit>,
    /// What the API key is called, or was, if it was one.
    pub actor_name: Option<String>,
    /// Its place in the ledger; it waits for one if there is none.
    pub index: Option<i64>,
}

impl Database {
    /// Audit entries of all organizations, the newest first.
    ///
    /// # Errors
    /// Any database error; `Corrupt` for an entry that can't be read.
    pub async fn audit_entries(&self, filter: &AuditFilter, limit: i64) -> Result<Vec<AuditEntry>> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = sql_types::Jsonb)]
            entry: Value,
            #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
            name: Option<String>,
            #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
            index: Option<i64>,
        }
        let rows: Vec<Row> = sql_query(
            "SELECT entry, coalesce(live.name, gone.name) AS name, placed.index
             FROM ledger_entry
                  LEFT JOIN ledger_index placed ON placed.entry_id = ledger_entry.id
                  LEFT JOIN api_key live ON live.id = (entry->'actor'->>'api_key_id')::uuid
                  LEFT JOIN deleted_api_key gone ON gone.id = (entry->'actor'->>'api_key_id')::uuid
             WHERE entry->>'kind' = 'audit'
               AND ($1 IS NULL OR ledger_entry.organization_id = $1)
               AND ($2 IS NULL OR starts_with(entry->>'action', $2))
               AND ($3 IS NULL OR (entry->>'at')::timestamptz >= $3)
               AND ($4 IS NULL OR (entry->>'at')::timestamptz < $4)
             ORDER BY ledger_entry.id DESC LIMIT $5",
        )
        .bind::<sql_types::Nullable<sql_types::Uuid>, _>(filter.organization)
        .bind::<sql_types::Nullable<sql_types::Text>, _>(filter.action.as_deref())
        .bind::<sql_types::Nullable<sql_types::Timestamptz>, _>(filter.since)
        .bind::<sql_types::Nullable<sql_types::Timestamptz>, _>(filter.until)
        .bind::<sql_types::BigInt, _>(limit)
        .load(&mut self.connection().await?)
        .await?;
        rows.into_iter()
            .map(|Row { entry, name, index }| {
                let corrupt = |error: EntryError| DatabaseError::Corrupt(format!("an audit entry: {error}"));
                match Entry::read(&canonical(&entry).map_err(corrupt)?).map_err(corrupt)? {
                    ReadEntry::Known(Entry::Audit(audit)) => {
                        Ok(AuditEntry { audit: Some(audit), actor_name: name, index })
                    }
                    ReadEntry::Known(_) | ReadEntry::Unknown { .. } => {
                        Ok(AuditEntry { audit: None, actor_name: name, index })
                    }
                }
            })
            .collect()
    }
}
