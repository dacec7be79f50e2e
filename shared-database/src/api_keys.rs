//! API keys, and what is left of those that were deleted. Only a key's hash is stored.
//!
//! Keeps DEL-9: every call names the organization, but for the look-up by hash in [`crate::rate_limits`], which finds
//! it, and the note that the key it found was used.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::api_key::KeyHash;
use shared_models::ledger::Actor;
use shared_models::{ApiKeyId, OrganizationId};

use crate::audit::{self, API_KEY_DELETED, audited};
use crate::error::Result;
use crate::pool::Database;
use crate::schema::deleted_api_key;
use crate::statement::sql_query;

/// A key, or what is left of one that was deleted.
#[derive(Debug, Clone, QueryableByName)]
#[diesel(table_name = deleted_api_key)]
#[expect(missing_docs, reason = "the migration says what each column means")]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub organization_id: OrganizationId,
    pub name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub created_by_email: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub deleted_at: Option<DateTime<Utc>>,
}

/// A key that is to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Of its text.
    pub hash: KeyHash,
    /// After so long it expires.
    pub lifetime: Duration,
    /// What those who use it call it: 1 to 100 characters.
    pub name: Option<String>,
}

/// Of [`ApiKey`], by name: a prepared statement that returns `*` breaks when a newer version adds a column.
macro_rules! columns {
    () => {
        "id, organization_id, name, created_at, modified_at, expires_at, last_used_at, created_by_email"
    };
}
const COLUMNS: &str = columns!();
/// The same of a key that is there.
const LIVE: &str = concat!(columns!(), ", NULL::timestamptz AS deleted_at");

/// The change of a key with its entry in the ledger; returns the key.
fn with_audit(change: &str, action: &str, actor: &str) -> String {
    format!(
        "WITH changed AS ({change} RETURNING {COLUMNS}, id AS object_id), {} SELECT {LIVE} FROM changed",
        audited("changed", action, actor)
    )
}

impl Database {
    /// Records that a key was used just now, unless a use in the last minute is recorded.
    ///
    /// # Errors
    /// Any database error.
    pub async fn record_key_use(&self, key: ApiKeyId) -> Result<()> {
        // Many requests may find it stale at once: one of them writes.
        sql_query(
            "UPDATE api_key SET last_used_at = clock_timestamp()
             WHERE id = $1 AND coalesce(last_used_at < clock_timestamp() - interval '1 minute', true)",
        )
        .bind::<sql_types::Uuid, _>(key)
        .execute(&mut self.connection().await?)
        .await?;
        Ok(())
    }

    /// Makes a key.
    ///
    /// # Errors
    /// Any database error.
    pub async fn create_api_key(&self, organization: OrganizationId, new: NewApiKey, by: Actor) -> Result<ApiKey> {
        let key = sql_query(with_audit(
            "INSERT INTO api_key (id, organization_id, key_hash, expires_at, name)
             VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4), $5)",
            "api_key.created",
            "$6",
        ))
        .bind::<sql_types::Uuid, _>(ApiKeyId::random())
        .bind::<sql_types::Uuid, _>(organization)
        .bind::<sql_types::Bytea, _>(new.hash.0.as_slice())
        .bind::<sql_types::Double, _>(new.lifetime.as_secs_f64())
        .bind::<sql_types::Nullable<sql_types::Text>, _>(new.name)
        .bind::<sql_types::Jsonb, _>(audit::actor(by)?)
        .get_result(&mut self.connection().await?)
        .await?;
        Ok(key)
    }

    /// An organization's keys, newest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn list_api_keys(&self, organization: OrganizationId, skip: i64, limit: i64) -> Result<Vec<ApiKey>> {
        let keys = format!(
            "SELECT {LIVE} FROM api_key WHERE organization_id = $1 ORDER BY created_at DESC, id OFFSET $2 LIMIT $3"
        );
        self.page_of_keys(&keys, organization, skip, limit).await
    }

    /// What is left of an organization's deleted keys, the one that was deleted last first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn list_deleted_api_keys(
        &self,
        organization: OrganizationId,
        skip: i64,
        limit: i64,
    ) -> Result<Vec<ApiKey>> {
        let keys = format!(
            "SELECT {COLUMNS}, deleted_at FROM deleted_api_key
             WHERE organization_id = $1 ORDER BY deleted_at DESC, id OFFSET $2 LIMIT $3"
        );
        self.page_of_keys(&keys, organization, skip, limit).await
    }

    async fn page_of_keys(
        &self,
        statement: &str,
        organization: OrganizationId,
        skip: i64,
        limit: i64,
    ) -> Result<Vec<ApiKey>> {
        let keys = sql_query(statement)
            .bind::<sql_types::Uuid, _>(organization)
            .bind::<sql_types::BigInt, _>(skip)
            .bind::<sql_types::BigInt, _>(limit);
        Ok(keys.load(&mut self.connection().await?).await?)
    }

    /// One key.
    ///
    /// # Errors
    /// Any database error.
    pub async fn api_key(&self, organization: OrganizationId, key: ApiKeyId) -> Result<Option<ApiKey>> {
        let key = sql_query(format!("SELECT {LIVE} FROM api_key WHERE id = $1 AND organization_id = $2"))
            .bind::<sql_types::Uuid, _>(key)
            .bind::<sql_types::Uuid, _>(organization);
        Ok(key.get_result(&mut self.connection().await?).await.optional()?)
    }

    /// Replaces a key's hash: the earlier key is refused from now on. Its lifetime begins anew, if it has one. A `name`
    /// is its new one; without it, it keeps the one that it has.
    ///
    /// # Errors
    /// Any database error.
    pub async fn rotate_api_key(
        &self,
        organization: OrganizationId,
        key: ApiKeyId,
        hash: KeyHash,
        name: Option<&str>,
        by: Actor,
    ) -> Result<Option<ApiKey>> {
        let key = sql_query(with_audit(
            "UPDATE api_key SET key_hash = $3, expires_at = clock_timestamp() + (expires_at - modified_at),
                    modified_at = clock_timestamp(), last_used_at = NULL, name = coalesce($4, name)
             WHERE id = $1 AND organization_id = $2",
            "api_key.rotated",
            "$5",
        ))
        .bind::<sql_types::Uuid, _>(key)
        .bind::<sql_types::Uuid, _>(organization)
        .bind::<sql_types::Bytea, _>(hash.0.as_slice())
        .bind::<sql_types::Nullable<sql_types::Text>, _>(name)
        .bind::<sql_types::Jsonb, _>(audit::actor(by)?)
        .get_result(&mut self.connection().await?)
        .await
        .optional()?;
        Ok(key)
    }

    /// Deletes a key; it is refused from now on. Its name and times are kept.
    ///
    /// # Errors
    /// Any database error.
    pub async fn delete_api_key(
        &self,
        organization: OrganizationId,
        key: ApiKeyId,
        by: Actor,
    ) -> Result<Option<ApiKey>> {
        let deleted = format!(
            "WITH changed AS (
                 DELETE FROM api_key WHERE id = $1 AND organization_id = $2 RETURNING {COLUMNS}, id AS object_id
             ), kept AS (
                 INSERT INTO deleted_api_key ({COLUMNS}) SELECT {COLUMNS} FROM changed RETURNING deleted_at
             ), {}
             SELECT {COLUMNS}, deleted_at FROM changed, kept",
            audited("changed", API_KEY_DELETED, "$3")
        );
        let key = sql_query(deleted)
            .bind::<sql_types::Uuid, _>(key)
            .bind::<sql_types::Uuid, _>(organization)
            .bind::<sql_types::Jsonb, _>(audit::actor(by)?)
            .get_result(&mut self.connection().await?)
            .await
            .optional()?;
        Ok(key)
    }
}
