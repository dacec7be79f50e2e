//! Source connections, as their organization sees them.
//!
//! Keeps DEL-9: every call names the organization. A connection whose deletion is requested is as good as gone in every
//! read, but for [`Database::find_connection`] and [`Visibility::UntilGone`], which say so.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use serde_json::Value;
use shared_models::job::ErrorCategory;
use shared_models::wire::source_connection::AuthMethod;
use shared_models::{JobStatus, OrganizationId, SourceConnectionId, StatusFacts, SyncId};

use crate::error::Result;
use crate::jobs::SyncJob;
use crate::pool::Database;
use crate::schema::{source_connection, sync, sync_job};

mod footprint;
mod list;
mod view;
mod write;

pub use footprint::Footprint;
pub use list::ListedConnection;
use view::view;
pub use write::{ConnectionChange, CreatedConnection, Credentials, NewConnection, ScheduleChange, UpdatedConnection};

/// A row of `source_connection`.
#[derive(Debug, Clone, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = source_connection)]
#[expect(missing_docs, reason = "the migration says what each column means")]
pub struct ConnectionRow {
    pub id: SourceConnectionId,
    pub organization_id: OrganizationId,
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
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ClassCount {
    pub entity_class: String,
    pub entities: i64,
    #[serde(rename = "last_updated_at")]
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
        let view = self.read(async |db| view(db, organization, connection).await).await?;
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
        self.read(async |db| {
            let row = source_connection::table
                .filter(source_connection::id.eq(connection))
                .filter(source_connection::organization_id.eq(organization))
                .select(ConnectionRow::as_select())
                .first(db)
                .await
                .optional()?;
            Ok(row)
        })
        .await
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
        self.read(async |db| {
            let id = source_connection::table
                .inner_join(sync::table)
                .filter(source_connection::id.eq(connection))
                .filter(source_connection::organization_id.eq(organization))
                .filter(source_connection::deletion_requested_at.is_null())
                .select(sync::id)
                .first(db)
                .await
                .optional()?;
            Ok(id)
        })
        .await
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
        self.read(async |db| {
            let jobs = sync_job::table
                .filter(sync_job::sync_id.eq(sync))
                .order((sync_job::created_at.desc(), sync_job::id))
                .limit(limit)
                .select(SyncJob::as_select())
                .load(db)
                .await?;
            Ok(Some(jobs))
        })
        .await
    }
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
