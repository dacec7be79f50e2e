//! Cleanups as their organization may read them. Read only.
//!
//! Keeps DEL-9: every call names the organization, or cleanups that were found by such a call.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use shared_models::{
    CleanupId, CleanupState, CleanupStatus, CleanupWork, CollectionId, DeletionReference, OrganizationId, PurgeTarget,
    SourceConnectionId, Standing, StandingFacts, SyncId, TargetsProgress, WriterEnd,
};

use crate::cleanups::{IS_PAUSED, is_allowed_as_stored, is_overdue_as_stored, standing};
use crate::error::Result;
use crate::pool::Database;
use crate::schema::cleanup;

mod asked;
mod urgency;
mod wire;

pub use asked::Asked;
pub(crate) use asked::KEY_NAME;
pub use urgency::Urgency;

/// A cleanup, as its organization may see it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = cleanup)]
#[expect(missing_docs, reason = "the migration says what each column means")]
pub struct CleanupRow {
    pub id: CleanupId,
    pub sync_id: SyncId,
    pub organization_id: OrganizationId,
    pub collection_id: CollectionId,
    pub source_connection_id: SourceConnectionId,
    /// Who asked for the deletion.
    #[diesel(embed)]
    pub asked: Asked,
    pub deletion_requested_at: DateTime<Utc>,
    pub rows_deleted_at: DateTime<Utc>,
    pub entity_rows_deleted: i64,
    pub blob_key_destroyed_at: Option<DateTime<Utc>>,
    pub has_plain_blobs: bool,
    pub writer_end: WriterEnd,
    targets: Vec<String>,
    progress: Value,
    pub state: CleanupState,
    pub next_attempt_at: DateTime<Utc>,
    claim_expires_at: Option<DateTime<Utc>>,
    pub attempts: i32,
    failing_since: Option<DateTime<Utc>>,
    pub error_code: Option<String>,
    pub error_text: Option<String>,
    pub check_again_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    /// When it was read, on PostgreSQL's clock.
    #[diesel(select_expression = sql("statement_timestamp()"))]
    #[diesel(select_expression_type = SqlLiteral<Timestamptz>)]
    pub read_at: DateTime<Utc>,
    next_work: CleanupWork,
    #[diesel(select_expression = sql(&is_allowed_as_stored()))]
    #[diesel(select_expression_type = SqlLiteral<Bool>)]
    is_allowed: bool,
    #[diesel(select_expression = sql(IS_PAUSED))]
    #[diesel(select_expression_type = SqlLiteral<Bool>)]
    is_paused: bool,
    /// How it stood against its deadline.
    #[diesel(embed)]
    pub urgency: Urgency,
}

impl CleanupRow {
    /// How it stood when it was read.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing::of(StandingFacts {
            state: self.state,
            has_failed: self.attempts > 0,
            is_claimed: self.claim_expires_at.is_some_and(|end| end > self.read_at),
            is_due: self.next_attempt_at <= self.read_at,
            next_work: self.next_work,
            is_allowed: self.is_allowed,
            is_paused: self.is_paused,
        })
    }

    /// Since when its attempts have been failing. Where a worker of an earlier version doesn't say, its last change
    /// is the latest that it can be.
    #[must_use]
    pub fn failing_since(&self) -> Option<DateTime<Utc>> {
        (self.standing() == Standing::Failing).then(|| self.failing_since.unwrap_or(self.modified_at))
    }

    /// Progress of every target that must be verified empty. A target that this version doesn't know, written by a
    /// newer one, is left out.
    #[must_use]
    pub fn targets(&self) -> TargetsProgress {
        let known = self.targets.iter().filter_map(|target| target.parse::<PurgeTarget>().ok());
        known
            .map(|target| {
                let progress = self.progress.get(target.as_str()).cloned();
                let progress = progress.and_then(|progress| serde_json::from_value(progress).ok());
                (target, progress.unwrap_or_default())
            })
            .collect()
    }
}

/// Which cleanups of an organization to list.
#[derive(Debug, Clone, Default)]
pub struct CleanupFilter {
    /// Only those of this collection's connections.
    pub collection: Option<CollectionId>,
    /// Only those of this connection.
    pub connection: Option<SourceConnectionId>,
    /// Only those whose deletion the caller called so.
    pub reference: Option<DeletionReference>,
    /// Only those in this state.
    pub state: Option<CleanupState>,
    /// Only those that stand so.
    pub status: Option<CleanupStatus>,
    /// Only those that are overdue, or only the others.
    pub is_overdue: Option<bool>,
    /// Only those made at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Only those made before this time.
    pub until: Option<DateTime<Utc>>,
    /// Only those that come after this one in the list.
    pub after: Option<CleanupPlace>,
}

/// Where a cleanup stands in the list of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanupPlace {
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Its id: several may be made at one time.
    pub id: CleanupId,
}

impl Database {
    /// An organization's cleanups, newest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn list_cleanups(
        &self,
        organization: OrganizationId,
        filter: CleanupFilter,
        skip: i64,
        limit: i64,
    ) -> Result<Vec<CleanupRow>> {
        self.cleanups_in(Some(organization), filter, skip, limit).await
    }

    /// The same over all organizations, for operators.
    ///
    /// # Errors
    /// Any database error.
    pub async fn list_all_cleanups(&self, filter: CleanupFilter, skip: i64, limit: i64) -> Result<Vec<CleanupRow>> {
        self.cleanups_in(None, filter, skip, limit).await
    }

    async fn cleanups_in(
        &self,
        organization: Option<OrganizationId>,
        filter: CleanupFilter,
        skip: i64,
        limit: i64,
    ) -> Result<Vec<CleanupRow>> {
        let mut query = cleanup::table
            .order((cleanup::created_at.desc(), cleanup::id))
            .offset(skip)
            .limit(limit)
            .select(CleanupRow::as_select())
            .into_boxed();
        if let Some(organization) = organization {
            query = query.filter(cleanup::organization_id.eq(organization));
        }
        if let Some(collection) = filter.collection {
            query = query.filter(cleanup::collection_id.eq(collection));
        }
        if let Some(connection) = filter.connection {
            query = query.filter(cleanup::source_connection_id.eq(connection));
        }
        if let Some(reference) = filter.reference {
            query = query.filter(cleanup::deletion_reference.eq(reference.as_str().to_owned()));
        }
        if let Some(state) = filter.state {
            query = query.filter(cleanup::state.eq(state));
        }
        if let Some(status) = filter.status {
            let is = sql::<Bool>(&format!("({}) = ", standing::status())).bind::<Text, _>(status);
            query = query.filter(is);
        }
        if let Some(is_overdue) = filter.is_overdue {
            query = query.filter(sql::<Bool>(&is_overdue_as_stored()).eq(is_overdue));
        }
        if let Some(since) = filter.since {
            query = query.filter(cleanup::created_at.ge(since));
        }
        if let Some(until) = filter.until {
            query = query.filter(cleanup::created_at.lt(until));
        }
        if let Some(CleanupPlace { created_at, id }) = filter.after {
            let same_time = cleanup::created_at.eq(created_at).and(cleanup::id.gt(id));
            query = query.filter(cleanup::created_at.lt(created_at).or(same_time));
        }
        Ok(query.load(&mut self.connection().await?).await?)
    }

    /// One cleanup.
    ///
    /// # Errors
    /// Any database error.
    pub async fn cleanup(&self, organization: OrganizationId, id: CleanupId) -> Result<Option<CleanupRow>> {
        let row = cleanup::table
            .filter(cleanup::id.eq(id).and(cleanup::organization_id.eq(organization)))
            .select(CleanupRow::as_select())
            .first(&mut self.connection().await?)
            .await
            .optional()?;
        Ok(row)
    }

    /// These cleanups as they are now, for those who watch them:
    /// whoever asks has found each of them in its organization before.
    ///
    /// # Errors
    /// Any database error.
    pub async fn watched_cleanups(&self, ids: &[CleanupId]) -> Result<Vec<CleanupRow>> {
        let rows = cleanup::table
            .filter(cleanup::id.eq_any(ids.iter().map(|id| id.0)))
            .select(CleanupRow::as_select())
            .load(&mut self.connection().await?)
            .await?;
        Ok(rows)
    }
}
