//! Claiming the next due cleanup, and the question that is asked before each slice.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::{PurgeTarget, SyncId};

use super::{AllowedHours, COLUMNS, ClaimedCleanup, Row, moves};
use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

/// What PostgreSQL says before a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Guard {
    /// The sync has a row: purging it would be wrong (DEL-4).
    #[diesel(sql_type = sql_types::Bool)]
    pub is_live: bool,
    /// Purging is allowed at this time of day.
    #[diesel(sql_type = sql_types::Bool)]
    pub is_allowed: bool,
    /// Another cleanup is due and nobody works on it.
    #[diesel(sql_type = sql_types::Bool)]
    pub others_wait: bool,
    /// PostgreSQL's clock.
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub now: DateTime<Utc>,
}

/// Open, due, and nobody's. `$1` is what this worker can empty.
const DUE: &str = "state IN ('scheduled', 'purging', 'settling') AND next_attempt_at <= statement_timestamp()
    AND (claim_expires_at IS NULL OR claim_expires_at <= statement_timestamp()) AND targets <@ $1";

fn names(targets: &[PurgeTarget]) -> Vec<&'static str> {
    targets.iter().map(|target| target.as_str()).collect()
}

impl Database {
    /// Claims the cleanup that has been due the longest, for `ttl`. Rows with a target that isn't `known` are another
    /// version's. Outside of the allowed hours only settle checks, which purge nothing, are handed out.
    ///
    /// # Errors
    /// Any database error. After [`crate::DatabaseError::Unavailable`] the claim may have happened: it runs out.
    pub async fn claim_next_cleanup(
        &self,
        ttl: Duration,
        known: &[PurgeTarget],
        allowed: &AllowedHours,
    ) -> Result<Option<ClaimedCleanup>> {
        self.reopen_for_check(known, allowed).await?;
        let (from, to) = allowed.bounds();
        let hours = AllowedHours::sql(2, 3);
        let row: Option<Row> = sql_query(format!(
            "UPDATE cleanup SET claim = claim + 1, modified_at = clock_timestamp(),
                    claim_expires_at = clock_timestamp() + make_interval(secs => $4)
             WHERE id = (SELECT id FROM cleanup WHERE {DUE} AND (state = 'settling' OR {hours})
                         ORDER BY next_attempt_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING {COLUMNS}"
        ))
        .bind::<sql_types::Array<sql_types::Text>, _>(names(known))
        .bind::<sql_types::Array<sql_types::Integer>, _>(from)
        .bind::<sql_types::Array<sql_types::Integer>, _>(to)
        .bind::<sql_types::Double, _>(ttl.as_secs_f64())
        .get_result(&mut self.connection().await?)
        .await
        .optional()?;
        row.map(ClaimedCleanup::try_from).transpose()
    }

    /// `done → scheduled` for rows whose later check has come. The claim grows, so that nobody who held it comes back.
    async fn reopen_for_check(&self, known: &[PurgeTarget], allowed: &AllowedHours) -> Result<()> {
        let (from, to) = allowed.bounds();
        sql_query(moves::reopen_for_check())
            .bind::<sql_types::Array<sql_types::Text>, _>(names(known))
            .bind::<sql_types::Array<sql_types::Integer>, _>(from)
            .bind::<sql_types::Array<sql_types::Integer>, _>(to)
            .execute(&mut self.connection().await?)
            .await?;
        Ok(())
    }

    /// How long until a cleanup can be claimed, if there is one: zero for one that was locked at the last look, or has
    /// become due since. Outside of the allowed hours only settle checks count as due.
    ///
    /// # Errors
    /// Any database error.
    pub async fn next_cleanup_due(&self, known: &[PurgeTarget], allowed: &AllowedHours) -> Result<Option<Duration>> {
        #[derive(QueryableByName)]
        struct Wait {
            #[diesel(sql_type = sql_types::Nullable<sql_types::Double>)]
            seconds: Option<f64>,
        }
        let (from, to) = allowed.bounds();
        let hours = AllowedHours::sql(2, 3);
        let wait: Wait = sql_query(format!(
            "SELECT extract(epoch FROM min(greatest(due_at - statement_timestamp(), interval '0')))::float8 AS seconds
             FROM (SELECT greatest(next_attempt_at, claim_expires_at) AS due_at, state = 'settling' AS at_any_hour
                   FROM cleanup WHERE state IN ('scheduled', 'purging', 'settling') AND targets <@ $1
                   UNION ALL
                   SELECT check_again_at, false FROM cleanup
                   WHERE state = 'done' AND check_again_at IS NOT NULL AND targets <@ $1) AS open
             WHERE due_at > statement_timestamp() OR at_any_hour OR {hours}"
        ))
        .bind::<sql_types::Array<sql_types::Text>, _>(names(known))
        .bind::<sql_types::Array<sql_types::Integer>, _>(from)
        .bind::<sql_types::Array<sql_types::Integer>, _>(to)
        .get_result(&mut self.connection().await?)
        .await?;
        Ok(wait.seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()))
    }

    /// What must be known before a slice.
    ///
    /// # Errors
    /// Any database error.
    pub async fn cleanup_guard(&self, sync: SyncId, known: &[PurgeTarget], allowed: &AllowedHours) -> Result<Guard> {
        let (from, to) = allowed.bounds();
        let hours = AllowedHours::sql(2, 3);
        let guard = sql_query(format!(
            "SELECT EXISTS (SELECT 1 FROM sync WHERE id = $4) AS is_live, {hours} AS is_allowed,
                    EXISTS (SELECT 1 FROM cleanup WHERE {DUE}) AS others_wait, clock_timestamp() AS now"
        ))
        .bind::<sql_types::Array<sql_types::Text>, _>(names(known))
        .bind::<sql_types::Array<sql_types::Integer>, _>(from)
        .bind::<sql_types::Array<sql_types::Integer>, _>(to)
        .bind::<sql_types::Uuid, _>(sync)
        .get_result(&mut self.connection().await?)
        .await?;
        Ok(guard)
    }
}
