//! The end of an organization. Its connections go by the protocol, collection by collection; here is what comes before
//! and after that.
//!
//! When it began and ended is in the ledger, so both are known when the organization is gone, and a deletion that was
//! interrupted goes on wherever it was.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;
use shared_models::ledger::Actor;
use shared_models::{CollectionId, OrganizationId};

use crate::audit::{self, API_KEY_DELETED, ORGANIZATION_DELETED, ORGANIZATION_DELETION_REQUESTED, audited};
use crate::error::Result;
use crate::pool::Database;
use crate::schema::collection;
use crate::session::Session;
use crate::statement::sql_query;

/// How far the deletion of an organization is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrganizationDeletion {
    /// When it was begun.
    pub requested_at: DateTime<Utc>,
    /// When its last row was gone; not yet if there is none.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Cleanups of an organization that haven't ended well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, QueryableByName)]
pub struct CleanupsLeft {
    /// With work left.
    #[diesel(sql_type = sql_types::BigInt)]
    pub open: i64,
    /// Of those, the ones whose last attempts failed.
    #[diesel(sql_type = sql_types::BigInt)]
    pub failing: i64,
    /// Refused: somebody must look.
    #[diesel(sql_type = sql_types::BigInt)]
    pub refused: i64,
    /// All that there are.
    #[diesel(sql_type = sql_types::BigInt)]
    pub all: i64,
}

impl Database {
    /// Begins the deletion of an organization, or goes on with it: every API key that it has now goes, so that nobody
    /// makes anything new. `false` if there is no such organization.
    ///
    /// # Errors
    /// Any database error.
    pub async fn begin_organization_deletion(&self, organization: OrganizationId) -> Result<bool> {
        self.transaction(move |db| begin(db, organization).boxed()).await
    }

    /// The collections that it has.
    ///
    /// # Errors
    /// Any database error.
    pub async fn collections_of(&self, organization: OrganizationId) -> Result<Vec<CollectionId>> {
        let collections = collection::table
            .filter(collection::organization_id.eq(organization))
            .order((collection::created_at, collection::id))
            .select(collection::id);
        Ok(collections.load(&mut self.connection().await?).await?)
    }

    /// The organization's row goes, with its plan, its counters, the names of its deleted keys and the pause of its
    /// cleanups. `false` if it has a collection, a connection or a key still, or is gone already.
    ///
    /// # Errors
    /// Any database error.
    pub async fn finish_organization_deletion(&self, organization: OrganizationId) -> Result<bool> {
        self.transaction(move |db| finish(db, organization).boxed()).await
    }

    /// How far its deletion is, also when it is gone; nothing if nobody began one.
    ///
    /// # Errors
    /// Any database error.
    pub async fn organization_deletion(&self, organization: OrganizationId) -> Result<Option<OrganizationDeletion>> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
            requested_at: Option<DateTime<Utc>>,
            #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
            deleted_at: Option<DateTime<Utc>>,
        }
        let told = sql_query(
            "SELECT min((entry->>'at')::timestamptz) FILTER (WHERE entry->>'action' = $2) AS requested_at,
                    max((entry->>'at')::timestamptz) FILTER (WHERE entry->>'action' = $3) AS deleted_at
             FROM ledger_entry WHERE organization_id = $1 AND entry->>'kind' = 'audit'",
        );
        let told: Row = told
            .bind::<sql_types::Uuid, _>(organization)
            .bind::<sql_types::Text, _>(ORGANIZATION_DELETION_REQUESTED)
            .bind::<sql_types::Text, _>(ORGANIZATION_DELETED)
            .get_result(&mut self.connection().await?)
            .await?;
        let deleted_at = told.deleted_at;
        Ok(told.requested_at.map(|requested_at| OrganizationDeletion { requested_at, deleted_at }))
    }

    /// Its cleanups that haven't ended well.
    ///
    /// # Errors
    /// Any database error.
    pub async fn cleanups_left(&self, organization: OrganizationId) -> Result<CleanupsLeft> {
        let left = sql_query(
            "SELECT count(*) FILTER (WHERE state IN ('scheduled', 'purging', 'settling')) AS open,
                    count(*) FILTER (WHERE state IN ('scheduled', 'purging', 'settling') AND attempts > 0) AS failing,
                    count(*) FILTER (WHERE state IN ('refused')) AS refused, count(*) AS \"all\"
             FROM cleanup WHERE organization_id = $1",
        );
        let left = left.bind::<sql_types::Uuid, _>(organization);
        Ok(left.get_result(&mut self.connection().await?).await?)
    }
}

async fn begin(db: &mut Session, organization: OrganizationId) -> Result<bool> {
    let locked = sql_query("SELECT FROM organization WHERE id = $1 FOR UPDATE");
    if locked.bind::<sql_types::Uuid, _>(organization).execute(db).await? == 0 {
        return Ok(false);
    }
    let keys = format!(
        "WITH gone AS (
             DELETE FROM api_key WHERE organization_id = $1
             RETURNING id, organization_id, name, created_at, modified_at, expires_at, last_used_at, created_by_email,
                       id AS object_id
         ), kept AS (
             INSERT INTO deleted_api_key (id, organization_id, name, created_at, modified_at, expires_at, last_used_at,
                                          created_by_email)
             SELECT id, organization_id, name, created_at, modified_at, expires_at, last_used_at, created_by_email
             FROM gone
         ), {} SELECT FROM gone",
        audited("gone", API_KEY_DELETED, "$2")
    );
    let requested = format!(
        "WITH asked AS (
             SELECT $1::uuid AS organization_id, $1::uuid AS object_id
             WHERE NOT EXISTS (SELECT FROM ledger_entry WHERE organization_id = $1 AND entry->>'kind' = 'audit'
                               AND entry->>'action' = '{ORGANIZATION_DELETION_REQUESTED}')
         ), {} SELECT FROM asked",
        audited("asked", ORGANIZATION_DELETION_REQUESTED, "$2")
    );
    for statement in [requested, keys] {
        sql_query(statement)
            .bind::<sql_types::Uuid, _>(organization)
            .bind::<sql_types::Jsonb, _>(audit::actor(Actor::Operator)?)
            .execute(db)
            .await?;
    }
    Ok(true)
}

async fn finish(db: &mut Session, organization: OrganizationId) -> Result<bool> {
    // Two statements: what was made until the lock was there is seen by the second.
    let locked = sql_query("SELECT FROM organization WHERE id = $1 FOR UPDATE");
    locked.bind::<sql_types::Uuid, _>(organization).execute(db).await?;
    let gone = format!(
        "WITH gone AS (
             DELETE FROM organization o
             WHERE id = $1 AND NOT EXISTS (SELECT FROM collection WHERE organization_id = o.id)
               AND NOT EXISTS (SELECT FROM source_connection WHERE organization_id = o.id)
               AND NOT EXISTS (SELECT FROM api_key WHERE organization_id = o.id)
             RETURNING id AS organization_id, id AS object_id
         ), resumed AS (
             DELETE FROM cleanup_pause USING gone WHERE cleanup_pause.organization_id = gone.organization_id
         ), {} SELECT FROM gone",
        audited("gone", ORGANIZATION_DELETED, "$2")
    );
    let rows = sql_query(gone)
        .bind::<sql_types::Uuid, _>(organization)
        .bind::<sql_types::Jsonb, _>(audit::actor(Actor::Operator)?)
        .execute(db)
        .await?;
    Ok(rows == 1)
}
