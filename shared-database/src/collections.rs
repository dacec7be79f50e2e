//! Collections. One whose deletion is requested is as good as gone here.
//!
//! Keeps DEL-9: every call names the organization.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use shared_models::{CollectionId, OrganizationId, StatusFacts};

use crate::connections::{LAST_JOB, LastJob};
use crate::error::Result;
use crate::pool::Database;
use crate::schema::collection;
use crate::statement::sql_query;

/// A row of `collection`.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = collection)]
#[expect(missing_docs, reason = "the migration says what each column means")]
pub struct CollectionRow {
    pub id: CollectionId,
    pub organization_id: OrganizationId,
    pub name: String,
    pub readable_id: String,
    pub sync_config: Option<Value>,
    pub created_by_email: Option<String>,
    pub modified_by_email: Option<String>,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
}

/// What a new collection is made of.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NewCollection {
    pub name: String,
    pub readable_id: String,
    pub sync_config: Option<Value>,
}

/// What to change; what is `None` stays.
#[derive(Debug, Clone, Default, AsChangeset)]
#[diesel(table_name = collection)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CollectionChange {
    pub name: Option<String>,
    pub sync_config: Option<Option<Value>>,
}

impl CollectionChange {
    const fn is_empty(&self) -> bool {
        self.name.is_none() && self.sync_config.is_none()
    }
}

/// What a collection shows of one of its connections.
#[derive(Debug, Clone, QueryableByName)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CollectionMember {
    #[diesel(sql_type = sql_types::Uuid)]
    pub collection_id: CollectionId,
    #[diesel(sql_type = sql_types::Text)]
    pub short_name: String,
    #[diesel(sql_type = sql_types::Text)]
    pub name: String,
    #[diesel(sql_type = sql_types::Bool)]
    is_authenticated: bool,
    #[diesel(embed)]
    last_job: LastJob,
}

impl CollectionMember {
    /// What its status is derived from.
    #[must_use]
    pub const fn facts(&self) -> StatusFacts {
        self.last_job.facts(self.is_authenticated)
    }
}

type Condition = Box<dyn BoxableExpression<collection::table, Pg, SqlType = sql_types::Bool>>;

/// Those collections of the organization that aren't being deleted.
fn visible(organization: OrganizationId) -> Condition {
    Box::new(collection::organization_id.eq(organization).and(collection::deletion_requested_at.is_null()))
}

/// Whose name or readable id has the text in it, whatever its case.
fn matching(search: Option<&str>) -> Condition {
    let Some(search) = search.filter(|search| !search.is_empty()) else {
        return Box::new(sql::<sql_types::Bool>("true"));
    };
    let escaped = search.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let pattern = format!("%{escaped}%");
    Box::new(collection::name.ilike(pattern.clone()).or(collection::readable_id.ilike(pattern)))
}

impl Database {
    /// Makes a collection.
    ///
    /// # Errors
    /// Any database error; [`crate::DatabaseError::Unique`] if any organization has a collection with that readable id.
    pub async fn create_collection(&self, organization: OrganizationId, new: &NewCollection) -> Result<CollectionRow> {
        let row = diesel::insert_into(collection::table)
            .values((
                collection::id.eq(CollectionId::random()),
                collection::organization_id.eq(organization),
                collection::name.eq(&new.name),
                collection::readable_id.eq(&new.readable_id),
                collection::sync_config.eq(&new.sync_config),
            ))
            .returning(CollectionRow::as_returning())
            .get_result(&mut self.connection().await?)
            .await?;
        Ok(row)
    }

    /// An organization's collections, newest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn list_collections(
        &self,
        organization: OrganizationId,
        search: Option<&str>,
        skip: i64,
        limit: i64,
    ) -> Result<Vec<CollectionRow>> {
        let rows = collection::table
            .filter(visible(organization))
            .filter(matching(search))
            .order((collection::created_at.desc(), collection::id))
            .offset(skip)
            .limit(limit)
            .select(CollectionRow::as_select())
            .load(&mut self.connection().await?)
            .await?;
        Ok(rows)
    }

    /// How many collections an organization has.
    ///
    /// # Errors
    /// Any database error.
    pub async fn count_collections(&self, organization: OrganizationId, search: Option<&str>) -> Result<i64> {
        let count = collection::table
            .filter(visible(organization))
            .filter(matching(search))
            .count()
            .get_result(&mut self.connection().await?)
            .await?;
        Ok(count)
    }

    /// One collection.
    ///
    /// # Errors
    /// Any database error.
    pub async fn collection(&self, organization: OrganizationId, readable_id: &str) -> Result<Option<CollectionRow>> {
        let row = collection::table
            .filter(visible(organization))
            .filter(collection::readable_id.eq(readable_id))
            .select(CollectionRow::as_select())
            .first(&mut self.connection().await?)
            .await
            .optional()?;
        Ok(row)
    }

    /// One collection, even if it is being deleted: a second DELETE helps the first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn collection_to_delete(
        &self,
        organization: OrganizationId,
        readable_id: &str,
    ) -> Result<Option<CollectionRow>> {
        let row = collection::table
            .filter(collection::organization_id.eq(organization))
            .filter(collection::readable_id.eq(readable_id))
            .select(CollectionRow::as_select())
            .first(&mut self.connection().await?)
            .await
            .optional()?;
        Ok(row)
    }

    /// Changes a collection; `None` if there is none, or it is being deleted.
    ///
    /// # Errors
    /// Any database error.
    pub async fn update_collection(
        &self,
        organization: OrganizationId,
        readable_id: &str,
        change: &CollectionChange,
    ) -> Result<Option<CollectionRow>> {
        if change.is_empty() {
            return self.collection(organization, readable_id).await;
        }
        let row = diesel::update(collection::table)
            .filter(collection::organization_id.eq(organization))
            .filter(collection::deletion_requested_at.is_null())
            .filter(collection::readable_id.eq(readable_id))
            .set((change, collection::modified_at.eq(sql::<sql_types::Timestamptz>("clock_timestamp()"))))
            .returning(CollectionRow::as_returning())
            .get_result(&mut self.connection().await?)
            .await
            .optional()?;
        Ok(row)
    }

    /// The connections of these collections that aren't being deleted, oldest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn collection_members(&self, collections: &[CollectionId]) -> Result<Vec<CollectionMember>> {
        let ids: Vec<uuid::Uuid> = collections.iter().map(|id| id.0).collect();
        let members = sql_query(format!(
            "SELECT c.collection_id, c.short_name, c.name, c.is_authenticated,
                    j.last_job, j.error_category
             FROM source_connection c JOIN sync s ON s.source_connection_id = c.id
             {LAST_JOB}
             WHERE c.collection_id = ANY($1) AND c.deletion_requested_at IS NULL
             ORDER BY c.created_at, c.id"
        ))
        .bind::<sql_types::Array<sql_types::Uuid>, _>(ids)
        .load(&mut self.connection().await?)
        .await?;
        Ok(members)
    }
}
