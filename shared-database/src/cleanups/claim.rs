//! Claiming: looks in the order in which they are due, purges from each organization in turn.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::PurgeTarget;

use super::pause::IS_PAUSED;
use super::schedule::{self, ScheduleSql};
use super::{COLUMNS, ClaimedCleanup, PurgeSchedule, Row, moves};
use crate::error::Result;
use crate::pool::Database;
use crate::statement::{Statement, sql_query};

/// Open, due, and nobody's.
pub(super) const UNCLAIMED: &str = "cleanup.state IN ('scheduled', 'purging', 'settling')
    AND cleanup.next_attempt_at <= statement_timestamp()
    AND (cleanup.claim_expires_at IS NULL OR cleanup.claim_expires_at <= statement_timestamp())";

/// So many of an organization's purges are offered to one claim: another worker may hold the first ones locked.
const OFFERED: u32 = 8;

pub(super) fn names(targets: &[PurgeTarget]) -> Vec<&'static str> {
    targets.iter().map(|target| target.as_str()).collect()
}

impl Database {
    /// Claims the cleanup that has been due to be looked at the longest, for `ttl`. Rows with a target that isn't
    /// `known` are another version's. At any hour: a look removes nothing.
    ///
    /// # Errors
    /// Any database error. After [`crate::DatabaseError::Unavailable`] the claim may have happened: it runs out.
    pub async fn claim_look(&self, ttl: Duration, known: &[PurgeTarget]) -> Result<Option<ClaimedCleanup>> {
        let due = format!("{UNCLAIMED} AND next_work = 'look' AND targets <@ $1 AND NOT {IS_PAUSED}");
        self.claim(claim_of(
            &format!("SELECT id FROM cleanup WHERE {due} ORDER BY next_attempt_at, id LIMIT 1 FOR UPDATE SKIP LOCKED"),
            ttl,
            known,
        ))
        .await
    }

    /// Claims a cleanup to be purged, for `ttl`: of the organization that has the fewest under way, first those that
    /// hurry, then the one that has been due the longest. So an organization with a thousand doesn't keep another's one
    /// waiting. Cost: one look into an index for each organization that has something to be purged.
    ///
    /// # Errors
    /// As [`Database::claim_look`].
    pub async fn claim_purge(
        &self,
        ttl: Duration,
        known: &[PurgeTarget],
        schedule: &PurgeSchedule,
    ) -> Result<Option<ClaimedCleanup>> {
        let sql = ScheduleSql::bound_at(3);
        let (is_allowed, hurries) = (sql.is_allowed(), sql.hurries());
        let open = "state IN ('scheduled', 'purging', 'settling') AND next_work = 'purge'";
        let due = format!("{UNCLAIMED} AND next_work = 'purge' AND targets <@ $1 AND NOT {IS_PAUSED} AND {is_allowed}");
        let next = format!(
            "WITH RECURSIVE waiting (organization) AS (
                 (SELECT organization_id FROM cleanup WHERE {open} ORDER BY organization_id LIMIT 1)
                 UNION ALL
                 SELECT (SELECT organization_id FROM cleanup WHERE {open} AND organization_id > organization
                         ORDER BY organization_id LIMIT 1)
                 FROM waiting WHERE organization IS NOT NULL),
             offered AS (
                 SELECT first.id AS offered_id, first.hurries, under_way
                 FROM waiting,
                      LATERAL (SELECT count(*) AS under_way FROM cleanup
                               WHERE organization_id = organization AND claim_expires_at > statement_timestamp()
                                 AND next_work = 'purge') AS held,
                      LATERAL (SELECT id, {hurries} AS hurries FROM cleanup
                               WHERE organization_id = organization AND {due}
                               ORDER BY next_attempt_at LIMIT {OFFERED}) AS first)
             SELECT id FROM cleanup JOIN offered ON id = offered_id
             WHERE {due}
             ORDER BY under_way, offered.hurries DESC, next_attempt_at, id LIMIT 1 FOR UPDATE OF cleanup SKIP LOCKED"
        );
        self.claim(schedule::bind(claim_of(&next, ttl, known), schedule)).await
    }

    /// Nothing, while PostgreSQL's history is lost (DEL-10).
    async fn claim(&self, claim: Statement<'_>) -> Result<Option<ClaimedCleanup>> {
        if self.history().lost().is_some() {
            return Ok(None);
        }
        let row: Option<Row> = claim.get_result(&mut self.connection().await?).await.optional()?;
        row.map(ClaimedCleanup::try_from).transpose()
    }

    /// `done → scheduled` for rows whose later check has come. The claim grows, so that nobody who held it comes back.
    /// None, while PostgreSQL's history is lost (DEL-10).
    ///
    /// # Errors
    /// Any database error.
    pub async fn reopen_for_check(&self, known: &[PurgeTarget]) -> Result<()> {
        if self.history().lost().is_some() {
            return Ok(());
        }
        sql_query(moves::reopen_for_check())
            .bind::<sql_types::Array<sql_types::Text>, _>(names(known))
            .execute(&mut self.connection().await?)
            .await?;
        Ok(())
    }
}

/// The claim of the row that `next` selects, which finds the known targets at `$1`.
fn claim_of<'f>(next: &str, ttl: Duration, known: &[PurgeTarget]) -> Statement<'f> {
    sql_query(format!("UPDATE cleanup SET {} WHERE id = ({next}) RETURNING {COLUMNS}", moves::CLAIMED))
        .bind::<sql_types::Array<sql_types::Text>, _>(names(known))
        .bind::<sql_types::Double, _>(ttl.as_secs_f64())
}
