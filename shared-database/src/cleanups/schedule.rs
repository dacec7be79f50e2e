//! When purges may run: allowed hours, and from which age on a cleanup no longer waits for them.
//!
//! Workers go by their settings, which they hand to every question; what the last one was told is stored for those who
//! tell why a cleanup waits.

use std::num::NonZeroU32;
use std::time::Duration;

use diesel::sql_types;
use diesel_async::RunQueryDsl;

use super::AllowedHours;
use super::hours::open_at;
use crate::error::Result;
use crate::pool::Database;
use crate::statement::{Statement, sql_query};

/// The settings of the schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PurgeSchedule {
    /// When purges may run.
    pub hours: AllowedHours,
    /// From which age on an open cleanup ignores hours and rate; `None` is never.
    pub hurries_after: Option<Duration>,
    /// From which age on an open cleanup is overdue; `None` is never.
    pub deadline: Option<Duration>,
    /// Documents removed per second by all workers together; `None` is no limit.
    pub documents_per_second: Option<NonZeroU32>,
    /// Time from the first empty verification to the one that counts.
    pub settle_delay: Duration,
    /// Whether purges reach earlier versions of blobs.
    pub purges_versions: bool,
}

/// What an expression of this module says of the row `cleanup`, with the schedule bound from `$at` on; it takes four.
pub(super) struct ScheduleSql {
    at: u8,
}

impl ScheduleSql {
    pub(super) const fn bound_at(at: u8) -> Self {
        Self { at }
    }

    /// Whether purges may run at this time of day.
    pub(super) fn is_open(&self) -> String {
        let (from, to, zone) = (self.at, self.at + 1, self.at + 2);
        open_at("statement_timestamp()", &format!("unnest(${from}::int[], ${to}::int[])"), &format!("${zone}"))
    }

    /// Whether the cleanup is so old that it waits for nothing.
    pub(super) fn hurries(&self) -> String {
        is_as_old_as(&format!("make_interval(secs => ${})", self.at + 3))
    }

    /// Whether the cleanup may be purged now.
    pub(super) fn is_allowed(&self) -> String {
        format!("({} OR {})", self.hurries(), self.is_open())
    }
}

/// Binds a schedule as [`ScheduleSql`] expects it.
pub(super) fn bind<'f>(statement: Statement<'f>, schedule: &PurgeSchedule) -> Statement<'f> {
    let (from, to) = schedule.hours.bounds();
    statement
        .bind::<sql_types::Array<sql_types::Integer>, _>(from)
        .bind::<sql_types::Array<sql_types::Integer>, _>(to)
        .bind::<sql_types::Text, _>(schedule.hours.time_zone.clone())
        .bind::<sql_types::Nullable<sql_types::Double>, _>(schedule.hurries_after.map(|age| age.as_secs_f64()))
}

/// Whether purges may run at this time of day, by what is stored.
pub(super) fn is_open_as_stored() -> String {
    let windows = "(SELECT opens, closes FROM cleanup_hours)";
    open_at("statement_timestamp()", windows, "(SELECT time_zone FROM cleanup_schedule)")
}

/// Whether the cleanup has been open for that long; never, if `age` is null.
fn is_as_old_as(age: &str) -> String {
    format!("coalesce(opened_at <= statement_timestamp() - {age}, false)")
}

/// Whether the cleanup is so old that it waits for nothing, by what is stored.
pub(crate) fn hurries_as_stored() -> String {
    is_as_old_as("(SELECT hurries_after FROM cleanup_schedule)")
}

/// Whether the cleanup may be purged now, by what is stored.
pub(crate) fn is_allowed_as_stored() -> String {
    format!("({} OR {})", hurries_as_stored(), is_open_as_stored())
}

/// By when an open cleanup is to be done, by what is stored; null without a deadline, and if no work is left.
pub(crate) const DEADLINE_AS_STORED: &str = "CASE WHEN state IN ('scheduled', 'purging', 'settling')
    THEN opened_at + (SELECT deadline FROM cleanup_schedule) END";

/// Whether the cleanup is open, and its deadline has passed, by what is stored.
pub(crate) fn is_overdue_as_stored() -> String {
    format!("coalesce({DEADLINE_AS_STORED} <= statement_timestamp(), false)")
}

impl Database {
    /// Stores the schedule that this worker was told, in place of what was stored before.
    ///
    /// # Errors
    /// Any database error: so too if PostgreSQL doesn't know the time zone.
    pub async fn store_cleanup_schedule(&self, schedule: &PurgeSchedule) -> Result<()> {
        let told = sql_query(
            "WITH told AS (SELECT * FROM unnest($1::int[], $2::int[]) AS told (opens, closes)),
                  gone AS (DELETE FROM cleanup_hours WHERE (opens, closes) NOT IN (SELECT opens, closes FROM told)),
                  kept AS (INSERT INTO cleanup_hours SELECT DISTINCT opens, closes FROM told ON CONFLICT DO NOTHING)
             UPDATE cleanup_schedule
             SET time_zone = CASE WHEN statement_timestamp() AT TIME ZONE $3 IS NULL THEN NULL ELSE $3 END,
                 hurries_after = make_interval(secs => $4), deadline = make_interval(secs => $5),
                 documents_per_second = $6, settle_delay = make_interval(secs => $7), purges_versions = $8",
        );
        bind(told, schedule)
            .bind::<sql_types::Nullable<sql_types::Double>, _>(schedule.deadline.map(|age| age.as_secs_f64()))
            .bind::<sql_types::Nullable<sql_types::BigInt>, _>(
                schedule.documents_per_second.map(|limit| i64::from(limit.get())),
            )
            .bind::<sql_types::Double, _>(schedule.settle_delay.as_secs_f64())
            .bind::<sql_types::Bool, _>(schedule.purges_versions)
            .execute(&mut self.connection().await?)
            .await?;
        Ok(())
    }
}
