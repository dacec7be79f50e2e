//! Organizations: the tenants. An empty database gets its first one, with its first key, from the first gateway.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;
use shared_models::ledger::Actor;
use shared_models::{ApiKeyId, OrganizationId, Plan};

use crate::audit::{self, audited};
use crate::error::Result;
use crate::pool::Database;
use crate::schema::{api_key, organization};
use crate::session::Session;
use crate::statement::sql_query;
use shared_models::api_key::KeyHash;

mod deletion;

pub use deletion::{CleanupsLeft, OrganizationDeletion};

/// Advisory lock under which the first organization is made: several gateways may start at once. ASCII "unwvorg".
const FIRST_ORGANIZATION_LOCK: i64 = 0x75_6e_77_76_6f_72_67;

/// An organization, for its operator.
#[derive(Debug, Clone, QueryableByName)]
pub struct OrganizationSummary {
    /// Its id.
    #[diesel(sql_type = sql_types::Uuid)]
    pub id: OrganizationId,
    /// Its name.
    #[diesel(sql_type = sql_types::Text)]
    pub name: String,
    /// Its plan.
    #[diesel(sql_type = sql_types::Text)]
    pub plan: Plan,
    /// When it was made.
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// How many API keys it has, expired ones included.
    #[diesel(sql_type = sql_types::BigInt)]
    pub keys: i64,
    /// How many collections.
    #[diesel(sql_type = sql_types::BigInt)]
    pub collections: i64,
    /// How many source connections.
    #[diesel(sql_type = sql_types::BigInt)]
    pub connections: i64,
    /// How many cleanups have work left.
    #[diesel(sql_type = sql_types::BigInt)]
    pub open_cleanups: i64,
}

/// Of [`OrganizationSummary`].
const SUMMARY: &str = "SELECT id, name, plan, created_at,
    (SELECT count(*) FROM api_key WHERE organization_id = organization.id) AS keys,
    (SELECT count(*) FROM collection WHERE organization_id = organization.id) AS collections,
    (SELECT count(*) FROM source_connection WHERE organization_id = organization.id) AS connections,
    (SELECT count(*) FROM cleanup WHERE organization_id = organization.id
     AND state IN ('scheduled', 'purging', 'settling')) AS open_cleanups
    FROM organization";

impl Database {
    /// Makes an organization with one key that doesn't expire.
    ///
    /// # Errors
    /// Any database error.
    pub async fn create_organization(&self, name: &str, plan: Plan, key: KeyHash) -> Result<OrganizationId> {
        let name = name.to_owned();
        self.transaction(move |db| {
            let name = name.clone();
            async move { insert(db, &name, plan, key).await }.boxed()
        })
        .await
    }

    /// Puts an organization on another plan, from its next request on; false if there is no such organization.
    ///
    /// # Errors
    /// Any database error.
    pub async fn set_plan(&self, organization: OrganizationId, plan: Plan) -> Result<bool> {
        let rows = sql_query(format!(
            "WITH changed AS (
                 UPDATE organization SET plan = $2, modified_at = clock_timestamp() WHERE id = $1
                 RETURNING id AS organization_id, id AS object_id), {}
             SELECT FROM changed",
            audited("changed", "organization.plan_changed", "$3")
        ))
        .bind::<sql_types::Uuid, _>(organization)
        .bind::<sql_types::Text, _>(plan)
        .bind::<sql_types::Jsonb, _>(audit::actor(Actor::Operator)?)
        .execute(&mut self.connection().await?)
        .await?;
        Ok(rows == 1)
    }

    /// Every organization, oldest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn list_organizations(&self) -> Result<Vec<OrganizationSummary>> {
        let all = sql_query(format!("{SUMMARY} ORDER BY created_at, id"));
        Ok(all.load(&mut self.connection().await?).await?)
    }

    /// One organization.
    ///
    /// # Errors
    /// Any database error.
    pub async fn organization(&self, organization: OrganizationId) -> Result<Option<OrganizationSummary>> {
        let one = sql_query(format!("{SUMMARY} WHERE id = $1")).bind::<sql_types::Uuid, _>(organization);
        Ok(one.get_result(&mut self.connection().await?).await.optional()?)
    }

    /// Makes the first organization, without a limit, if there is none yet; `None` if there is one. Run twice, or by
    /// several gateways at once, it makes one.
    ///
    /// # Errors
    /// Any database error.
    pub async fn create_first_organization(&self, name: &str, key: KeyHash) -> Result<Option<OrganizationId>> {
        let name = name.to_owned();
        self.transaction(move |db| {
            let name = name.clone();
            async move {
                sql_query("SET LOCAL lock_timeout = '20s'").execute(db).await?;
                sql_query(format!("SELECT pg_advisory_xact_lock({FIRST_ORGANIZATION_LOCK})")).execute(db).await?;
                let count: i64 = organization::table.count().get_result(db).await?;
                if count > 0 {
                    return Ok(None);
                }
                insert(db, &name, Plan::Enterprise, key).await.map(Some)
            }
            .boxed()
        })
        .await
    }

    /// The oldest organization: the one that every request acts for when authentication is switched off.
    ///
    /// # Errors
    /// Any database error.
    pub async fn first_organization(&self) -> Result<Option<OrganizationId>> {
        let first = organization::table
            .order((organization::created_at, organization::id))
            .select(organization::id)
            .first(&mut self.connection().await?)
            .await
            .optional()?;
        Ok(first)
    }
}

async fn insert(db: &mut Session, name: &str, plan: Plan, key: KeyHash) -> Result<OrganizationId> {
    let id = OrganizationId::random();
    diesel::insert_into(organization::table)
        .values((organization::id.eq(id), organization::name.eq(name), organization::plan.eq(plan)))
        .execute(db)
        .await?;
    diesel::insert_into(api_key::table)
        .values((
            api_key::id.eq(ApiKeyId::random()),
            api_key::organization_id.eq(id),
            api_key::key_hash.eq(key.0.as_slice()),
        ))
        .execute(db)
        .await?;
    let made = "WITH made AS (SELECT $1::uuid AS organization_id, $1::uuid AS object_id)";
    sql_query(format!("{made}, {} SELECT FROM made", audited("made", "organization.created", "$2")))
        .bind::<sql_types::Uuid, _>(id)
        .bind::<sql_types::Jsonb, _>(audit::actor(Actor::Operator)?)
        .execute(db)
        .await?;
    Ok(id)
}
