//! What is due, and when the next will be: what drivers wait by.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::PurgeTarget;

use super::PurgeSchedule;
use super::claim::{UNCLAIMED, names};
use super::pause::IS_PAUSED;
use super::schedule::{self, ScheduleSql};
use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

/// The looks that are due, and whether more will be soon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LooksDue {
    /// How many, as far as was counted.
    pub count: u64,
    /// Whether one of them is of a cleanup that nobody has looked at yet.
    pub has_new: bool,
    /// How long the first of them has been due.
    pub oldest: Duration,
    /// Whether more will be due within the time that was asked about: by their time, or because their purge is under
    /// way.
    pub more_soon: bool,
    /// How long until another one is due, by its time.
    pub next: Option<Duration>,
}

#[derive(QueryableByName)]
struct DueRow {
    #[diesel(sql_type = sql_types::BigInt)]
    due: i64,
    #[diesel(sql_type = sql_types::Bool)]
    has_new: bool,
    #[diesel(sql_type = sql_types::Double)]
    oldest: f64,
    #[diesel(sql_type = sql_types::Bool)]
    more_soon: bool,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Double>)]
    next: Option<f64>,
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

impl Database {
    /// The looks that are due now, counted up to `most`, and whether more will be within `soon`.
    ///
    /// # Errors
    /// Any database error.
    pub async fn looks_due(
        &self,
        known: &[PurgeTarget],
        schedule: &PurgeSchedule,
        most: u32,
        soon: Duration,
    ) -> Result<LooksDue> {
        let sql = ScheduleSql::bound_at(4);
        let is_allowed = sql.is_allowed();
        let open = format!("state IN ('scheduled', 'purging', 'settling') AND targets <@ $1 AND NOT {IS_PAUSED}");
        let statement = sql_query(format!(
            "WITH due AS (SELECT next_attempt_at, progress FROM cleanup
                          WHERE {UNCLAIMED} AND next_work = 'look' AND targets <@ $1 AND NOT {IS_PAUSED}
                          ORDER BY next_attempt_at LIMIT $2),
                  later AS (SELECT min(greatest(next_attempt_at, claim_expires_at)) AS at FROM cleanup
                            WHERE next_work = 'look' AND {open}
                              AND greatest(next_attempt_at, claim_expires_at) > statement_timestamp())
             SELECT (SELECT count(*) FROM due) AS due,
                    EXISTS (SELECT 1 FROM due WHERE progress = '{{}}') AS has_new,
                    coalesce((SELECT extract(epoch FROM statement_timestamp() - min(next_attempt_at)) FROM due), 0)::float8
                        AS oldest,
                    coalesce((SELECT at <= statement_timestamp() + make_interval(secs => $3) FROM later), false)
                        OR EXISTS (SELECT 1 FROM cleanup WHERE next_work = 'purge' AND {open}
                                     AND (claim_expires_at > statement_timestamp()
                                          OR next_attempt_at <= statement_timestamp() AND {is_allowed})) AS more_soon,
                    (SELECT extract(epoch FROM at - statement_timestamp())::float8 FROM later) AS next"
        ))
        .bind::<sql_types::Array<sql_types::Text>, _>(names(known))
        .bind::<sql_types::BigInt, _>(i64::from(most))
        .bind::<sql_types::Double, _>(soon.as_secs_f64());
        let row: DueRow = schedule::bind(statement, schedule).get_result(&mut self.connection().await?).await?;
        Ok(LooksDue {
            count: u64::try_from(row.due).unwrap_or_default(),
            has_new: row.has_new,
            oldest: seconds(row.oldest),
            more_soon: row.more_soon,
            next: row.next.map(seconds),
        })
    }

    /// How long until a later check of a `done` cleanup is due, if there is one.
    ///
    /// # Errors
    /// Any database error.
    pub async fn next_check_due(&self, known: &[PurgeTarget]) -> Result<Option<Duration>> {
        let check =
            "SELECT extract(epoch FROM min(greatest(check_again_at - statement_timestamp(), interval '0')))::float8
                         AS wait FROM cleanup
                     WHERE state IN ('done') AND check_again_at IS NOT NULL AND targets <@ $1";
        let statement = sql_query(check).bind::<sql_types::Array<sql_types::Text>, _>(names(known));
        let row: Wait = statement.get_result(&mut self.connection().await?).await?;
        Ok(row.wait.map(seconds))
    }

    /// How long until a cleanup can be claimed to be purged, if there is one: zero for one that was locked at the last
    /// claim, or has become due since. One that waits for its hours counts as soon as those begin.
    ///
    /// # Errors
    /// Any database error.
    pub async fn next_purge_due(&self, known: &[PurgeTarget], schedule: &PurgeSchedule) -> Result<Option<Duration>> {
        let is_allowed = ScheduleSql::bound_at(2).is_allowed();
        let statement = sql_query(format!(
            "SELECT extract(epoch FROM min(
                        greatest(next_attempt_at, claim_expires_at, statement_timestamp()) - statement_timestamp()
                    ))::float8 AS wait
             FROM cleanup
             WHERE state IN ('scheduled', 'purging', 'settling') AND next_work = 'purge' AND targets <@ $1
               AND NOT {IS_PAUSED}
               AND (greatest(next_attempt_at, claim_expires_at) > statement_timestamp() OR {is_allowed})"
        ))
        .bind::<sql_types::Array<sql_types::Text>, _>(names(known));
        let row: Wait = schedule::bind(statement, schedule).get_result(&mut self.connection().await?).await?;
        Ok(row.wait.map(seconds))
    }
}

#[derive(QueryableByName)]
struct Wait {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Double>)]
    wait: Option<f64>,
}
