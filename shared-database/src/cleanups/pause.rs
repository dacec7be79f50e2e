//! Pauses: while there is one, no cleanup of the organization, or of any, is worked on. A pause wins over everything.
//!
//! Deletions go on: rows are gone and nothing is found by searches; what the stores hold stays until the pause ends.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::OrganizationId;
use shared_models::ledger::Actor;

use crate::audit::{self, audited};
use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

/// SQL that tells whether the row `cleanup` is paused.
pub(crate) const IS_PAUSED: &str = "EXISTS (SELECT 1 FROM cleanup_pause AS pause
    WHERE pause.organization_id IS NULL OR pause.organization_id = cleanup.organization_id)";

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Pause {
    /// Whose cleanups; `None` means everybody's.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    pub organization_id: Option<OrganizationId>,
    /// What for, in the operator's words.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub reason: Option<String>,
    /// Since when.
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub paused_at: DateTime<Utc>,
}

impl Database {
    /// Pauses the cleanups of an organization, or all. Returns `false` if they were paused before: that pause stands,
    /// with the new reason if there is one.
    ///
    /// # Errors
    /// Any database error.
    pub async fn pause_cleanups(&self, organization: Option<OrganizationId>, reason: Option<&str>) -> Result<bool> {
        #[derive(QueryableByName)]
        struct Paused {
            #[diesel(sql_type = sql_types::Bool)]
            is_new: bool,
        }
        let paused: Paused = sql_query(format!(
            "WITH paused AS (
                 INSERT INTO cleanup_pause AS pause (organization_id, reason) VALUES ($1, $2)
                 ON CONFLICT (organization_id) DO UPDATE SET reason = coalesce(excluded.reason, pause.reason)
                 RETURNING organization_id, organization_id AS object_id, xmax = 0 AS is_new), {}
             SELECT is_new FROM paused",
            audited("paused", "cleanups.paused", "$3")
        ))
        .bind::<sql_types::Nullable<sql_types::Uuid>, _>(organization)
        .bind::<sql_types::Nullable<sql_types::Text>, _>(reason)
        .bind::<sql_types::Jsonb, _>(audit::actor(Actor::Operator)?)
        .get_result(&mut self.connection().await?)
        .await?;
        Ok(paused.is_new)
    }

    /// Ends the pause of an organization, or the one of all; the other kind stays as it is. Returns whether there was
    /// one.
    ///
    /// # Errors
    /// Any database error.
    pub async fn resume_cleanups(&self, organization: Option<OrganizationId>) -> Result<bool> {
        let rows = sql_query(format!(
            "WITH resumed AS (
                 DELETE FROM cleanup_pause WHERE organization_id IS NOT DISTINCT FROM $1
                 RETURNING organization_id, organization_id AS object_id), {}
             SELECT FROM resumed",
            audited("resumed", "cleanups.resumed", "$2")
        ))
        .bind::<sql_types::Nullable<sql_types::Uuid>, _>(organization)
        .bind::<sql_types::Jsonb, _>(audit::actor(Actor::Operator)?)
        .execute(&mut self.connection().await?)
        .await?;
        Ok(rows > 0)
    }

    /// Whether there is such an organization, or are cleanups of one that there was.
    ///
    /// # Errors
    /// Any database error.
    pub async fn is_organization_known(&self, organization: OrganizationId) -> Result<bool> {
        #[derive(QueryableByName)]
        struct Known {
            #[diesel(sql_type = sql_types::Bool)]
            is_known: bool,
        }
        let known: Known = sql_query(
            "SELECT EXISTS (SELECT 1 FROM organization WHERE id = $1)
                 OR EXISTS (SELECT 1 FROM cleanup WHERE organization_id = $1) AS is_known",
        )
        .bind::<sql_types::Uuid, _>(organization)
        .get_result(&mut self.connection().await?)
        .await?;
        Ok(known.is_known)
    }

    /// The pauses that there are, the one of all first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn cleanup_pauses(&self) -> Result<Vec<Pause>> {
        let pauses =
            "SELECT organization_id, reason, paused_at FROM cleanup_pause ORDER BY organization_id NULLS FIRST";
        Ok(sql_query(pauses).load(&mut self.connection().await?).await?)
    }
}
