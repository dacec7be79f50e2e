//! API keys. Only a key's SHA-256 is stored: 32 random bytes need no salt and no slow hash.
//!
//! Keeps DEL-9: every call names the organization, but for the look-up by hash in [`crate::rate_limits`], which finds
//! it, and the note that the key it found was used.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::ledger::Actor;
use shared_models::{ApiKeyId, OrganizationId};

use crate::audit::{self, API_KEY_DELETED, audited};
use crate::error::Result;
use crate::pool::Database;
use crate::schema::api_key;
use crate::statement::sql_query;

/// SHA-256 of a key's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(pub [u8; 32]);

/// A row of `api_key`.
#[derive(Debug, Clone, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = api_key)]
#[expect(missing_docs, reason = "the migration says what each column means")]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub organization_id: OrganizationId,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub created_by_email: Option<String>,
}

/// Of [`ApiKey`], by name: a prepared statement that returns `*` breaks when a newer version adds a column.
const COLUMNS: &str = "id, organization_id, created_at, modified_at, expires_at, last_used_at, created_by_email";

/// The change of a key with its entry in the ledger; returns the key.
fn with_audit(change: &str, action: &str, actor: &str) -> String {
    format!(
        "WITH changed AS ({change} RETURNING {COLUMNS}, id AS object_id), {} SELECT {COLUMNS} FROM changed",
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

    /// Makes a key that expires after `lifetime`.
    ///
    /// # Errors
    /// Any database error.
    pub async fn create_api_key(
        &self,
        organization: OrganizationId,
        hash: KeyHash,
        lifetime: Duration,
        by: Actor,
    ) -> Result<ApiKey> {
        let key = sql_query(with_audit(
            "INSERT INTO api_key (id, organization_id, key_hash, expires_at)
             VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))",
            "api_key.created",
            "$5",
        ))
        .bind::<sql_types::Uuid, _>(ApiKeyId::random())
        .bind::<sql_types::Uuid, _>(organization)
        .bind::<sql_types::Bytea, _>(hash.0.as_slice())
        .bind::<sql_types::Double, _>(lifetime.as_secs_f64())
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
        let keys = api_key::table
            .filter(api_key::organization_id.eq(organization))
            .order((api_key::created_at.desc(), api_key::id))
            .offset(skip)
            .limit(limit)
            .select(ApiKey::as_select())
            .load(&mut self.connection().await?)
            .await?;
        Ok(keys)
    }

    /// One key.
    ///
    /// # Errors
    /// Any database error.
    pub async fn api_key(&self, organization: OrganizationId, key: ApiKeyId) -> Result<Option<ApiKey>> {
        let key = api_key::table
            .filter(api_key::id.eq(key).and(api_key::organization_id.eq(organization)))
            .select(ApiKey::as_select())
            .first(&mut self.connection().await?)
            .await
            .optional()?;
        Ok(key)
    }

    /// Replaces a key's hash: the earlier key is refused from now on. Its lifetime begins anew, if it has one.
    ///
    /// # Errors
    /// Any database error.
    pub async fn rotate_api_key(
        &self,
        organization: OrganizationId,
        key: ApiKeyId,
        hash: KeyHash,
        by: Actor,
    ) -> Result<Option<ApiKey>> {
        let key = sql_query(with_audit(
            "UPDATE api_key SET key_hash = $3, expires_at = clock_timestamp() + (expires_at - modified_at),
                    modified_at = clock_timestamp(), last_used_at = NULL
             WHERE id = $1 AND organization_id = $2",
            "api_key.rotated",
            "$4",
        ))
        .bind::<sql_types::Uuid, _>(key)
        .bind::<sql_types::Uuid, _>(organization)
        .bind::<sql_types::Bytea, _>(hash.0.as_slice())
        .bind::<sql_types::Jsonb, _>(audit::actor(by)?)
        .get_result(&mut self.connection().await?)
        .await
        .optional()?;
        Ok(key)
    }

    /// Deletes a key; it is refused from now on.
    ///
    /// # Errors
    /// Any database error.
    pub async fn delete_api_key(
        &self,
        organization: OrganizationId,
        key: ApiKeyId,
        by: Actor,
    ) -> Result<Option<ApiKey>> {
        let deleted = "DELETE FROM api_key WHERE id = $1 AND organization_id = $2";
        let key = sql_query(with_audit(deleted, API_KEY_DELETED, "$3"))
            .bind::<sql_types::Uuid, _>(key)
            .bind::<sql_types::Uuid, _>(organization)
            .bind::<sql_types::Jsonb, _>(audit::actor(by)?)
            .get_result(&mut self.connection().await?)
            .await
            .optional()?;
        Ok(key)
    }
}
