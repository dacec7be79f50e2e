//! Source connections, as their organization sees them.
//!
//! Keeps DEL-9: every call names the organization. A connection whose deletion is requested is as good as gone in every read,
//! but for [`Database::find_connection`], which says so.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use shared_models::job::ErrorCategory;
use shared_models::wire::source_connection::AuthMethod;
use shared_models::{CollectionId, JobStatus, OrganizationId, SourceConnectionId, StatusFacts, SyncId};

use crate::error::Result;
use crate::jobs::SyncJob;
use crate::pool::Database;
use crate::schedules;
use crate::schema::{collection, source_connection, sync, sync_job};
use crate::statement::sql_query;

mod footprint;
mod list;
mod write;

pub use footprint::Footprint;
pub use list::ListedConnection;
pub use write::{ConnectionChange, CreatedConnection, Credentials, NewConnection, ScheduleChange, UpdatedConnection};

/// A row of `source_connection`.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = source_connection)]
#[expect(missing_docs, reason = "the migration says what each column means")]
pub struct ConnectionRow {
    pub id: SourceConnectionId,
    pub organization_id: OrganizationId,
    pub collection_id: CollectionId,
    pub short_name: String,
    pub name: String,
    pub description: Option<String>,
    pub config: Value,
    pub auth_method: AuthMethod,
    pub is_authenticated: bool,
    pub authenticated_at: Option<DateTime<Utc>>,
    pub cron: Option<String>,
    pub continuous: bool,
    pub cursor_field: Option<String>,
    next_run_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
    deletion_requested_at: Option<DateTime<Utc>>,
}

impl ConnectionRow {
    /// Whether somebody asked for its deletion.
    #[must_use]
    pub const fn is_being_deleted(&self) -> bool {
        self.deletion_requested_at.is_some()
    }
}

/// How often a connection's sync ran.
#[derive(Debug, Clone, Copy, Default, QueryableByName)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RunCounts {
    #[diesel(sql_type = sql_types::BigInt)]
    pub total: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    pub successful: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    pub failed: i64,
}

/// Entities of one class that a sync has written.
#[derive(Debug, Clone, QueryableByName)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ClassCount {
    #[diesel(sql_type = sql_types::Text)]
    pub entity_class: String,
    #[diesel(sql_type = sql_types::BigInt)]
    pub entities: i64,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub last_updated: Option<DateTime<Utc>>,
}

/// A connection with all that is shown of it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ConnectionView {
    pub row: ConnectionRow,
    pub readable_collection_id: String,
    pub sync_id: SyncId,
    /// When its schedule is due; `None` while that is held back for new credentials.
    pub next_run: Option<DateTime<Utc>>,
    pub cursor: Option<Value>,
    pub last_job: Option<SyncJob>,
    pub runs: RunCounts,
    pub entities: Vec<ClassCount>,
}

impl ConnectionView {
    /// What its status is derived from.
    #[must_use]
    pub fn facts(&self) -> StatusFacts {
        StatusFacts {
            is_authenticated: self.row.is_authenticated,
            last_job: self.last_job.as_ref().map(|job| job.status),
            error_category: self.last_job.as_ref().and_then(|job| job.error_category),
        }
    }
}

/// Whether a connection that is being deleted counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// It is as good as gone.
    Live,
    /// It counts until its row is gone: a second DELETE helps the first.
    UntilGone,
}

impl Database {
    /// One connection with all that is shown of it.
    ///
    /// # Errors
    /// Any database error.
    pub async fn view_connection(
        &self,
        organization: OrganizationId,
        connection: SourceConnectionId,
        visibility: Visibility,
    ) -> Result<Option<ConnectionView>> {
        let mut db = self.connection().await?;
        let view = view(&mut db, organization, connection).await?;
        Ok(view.filter(|view| visibility == Visibility::UntilGone || !view.row.is_being_deleted()))
    }

    /// One connection's row, also while it is being deleted.
    ///
    /// # Errors
    /// Any database error.
    pub async fn find_connection(
        &self,
        organization: OrganizationId,
        connection: SourceConnectionId,
    ) -> Result<Option<ConnectionRow>> {
        let row = source_connection::table
            .filter(source_connection::id.eq(connection))
            .filter(source_connection::organization_id.eq(organization))
            .select(ConnectionRow::as_select())
            .first(&mut self.connection().await?)
            .await
            .optional()?;
        Ok(row)
    }

    /// The sync of a connection.
    ///
    /// # Errors
    /// Any database error.
    pub async fn sync_of_connection(
        &self,
        organization: OrganizationId,
        connection: SourceConnectionId,
    ) -> Result<Option<SyncId>> {
        let id = source_connection::table
            .inner_join(sync::table)
            .filter(source_connection::id.eq(connection))
            .filter(source_connection::organization_id.eq(organization))
            .filter(source_connection::deletion_requested_at.is_null())
            .select(sync::id)
            .first(&mut self.connection().await?)
            .await
            .optional()?;
        Ok(id)
    }

    /// A connection's jobs, newest first; `None` if there is no such connection.
    ///
    /// # Errors
    /// Any database error.
    pub async fn connection_jobs(
        &self,
        organization: OrganizationId,
        connection: SourceConnectionId,
        limit: i64,
    ) -> Result<Option<Vec<SyncJob>>> {
        let Some(sync) = self.sync_of_connection(organization, connection).await? else { return Ok(None) };
        let jobs = sync_job::table
            .filter(sync_job::sync_id.eq(sync))
            .order((sync_job::created_at.desc(), sync_job::id))
            .limit(limit)
            .select(SyncJob::as_select())
            .load(&mut self.connection().await?)
            .await?;
        Ok(Some(jobs))
    }
}

/// Reads a connection with all that is shown of it, also while it is being deleted.
async fn view(
    db: &mut AsyncPgConnection,
    organization: OrganizationId,
    connection: SourceConnectionId,
) -> Result<Option<ConnectionView>> {
    let found: Option<(ConnectionRow, String, SyncId, Option<Value>)> = source_connection::table
        .inner_join(collection::table)
        .inner_join(sync::table)
        .filter(source_connection::id.eq(connection))
        .filter(source_connection::organization_id.eq(organization))
        .select((ConnectionRow::as_select(), collection::readable_id, sync::id, sync::cursor))
        .first(db)
        .await
        .optional()?;
    let Some((row, readable_collection_id, sync_id, cursor)) = found else { return Ok(None) };
    let last_job = sync_job::table
        .filter(sync_job::sync_id.eq(sync_id))
        .order((sync_job::created_at.desc(), sync_job::id))
        .select(SyncJob::as_select())
        .first(db)
        .await
        .optional()?;
    let runs = sql_query(
        "SELECT count(*) AS total, count(*) FILTER (WHERE status = 'completed') AS successful,
                count(*) FILTER (WHERE status = 'failed') AS failed
         FROM sync_job WHERE sync_id = $1",
    )
    .bind::<sql_types::Uuid, _>(sync_id)
    .get_result(db)
    .await?;
    let entities = sql_query(
        "SELECT entity_class, count(*) AS entities, max(modified_at) AS last_updated
         FROM entity WHERE sync_id = $1 GROUP BY entity_class ORDER BY entity_class",
    )
    .bind::<sql_types::Uuid, _>(sync_id)
    .load(db)
    .await?;
    let next_run = next_run(db, &row, last_job.as_ref()).await?;
    Ok(Some(ConnectionView { row, readable_collection_id, sync_id, next_run, cursor, last_job, runs, entities }))
}

/// As stored, in the past while nobody fires; but a schedule that would be skipped for its credentials has none.
async fn next_run(
    db: &mut AsyncPgConnection,
    row: &ConnectionRow,
    last_job: Option<&SyncJob>,
) -> Result<Option<DateTime<Utc>>> {
    let may_be_held_back = last_job.is_some_and(|job| job.status != JobStatus::Completed);
    if row.next_run_at.is_some() && may_be_held_back && schedules::needs_credentials(db, row.id).await? {
        return Ok(None);
    }
    Ok(row.next_run_at)
}

/// Joins what [`LastJob`] needs to a list of connections with their syncs `s`: select `j.last_job` and
/// `j.error_category`. The newest job is the one that a connection alone shows, also among jobs of the same time.
pub(crate) const LAST_JOB: &str = "
    LEFT JOIN LATERAL (SELECT status AS last_job, error_category FROM sync_job WHERE sync_id = s.id
                       ORDER BY created_at DESC, id LIMIT 1) j ON true";

/// The newest job's state and error category, by which a connection in a list gets its status.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub(crate) struct LastJob {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    last_job: Option<JobStatus>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    error_category: Option<ErrorCategory>,
}

impl LastJob {
    /// What the connection's status is derived from.
    pub(crate) const fn facts(self, is_authenticated: bool) -> StatusFacts {
        StatusFacts { is_authenticated, last_job: self.last_job, error_category: self.error_category }
    }
}
