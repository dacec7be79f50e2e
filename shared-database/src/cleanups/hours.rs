//! The hours in which purges may run: asked of PostgreSQL's clock, and stored for those who tell why a cleanup waits.

use diesel::sql_types;
use diesel_async::RunQueryDsl;

use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

/// A part of each day, in seconds since midnight UTC; it may span midnight. `from` is in it, `to` isn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyWindow {
    /// Its first second.
    pub from: u32,
    /// The first second after it.
    pub to: u32,
}

/// When purges may run. No window means always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHours(pub Vec<DailyWindow>);

impl AllowedHours {
    /// SQL that tells whether now is in one of the windows bound as `$from` and `$to`.
    pub(super) fn sql(from: u8, to: u8) -> String {
        open_now(&format!("unnest(${from}::int[], ${to}::int[])"))
    }

    /// The same of the stored windows.
    pub(crate) fn sql_of_stored() -> String {
        open_now("(SELECT opens, closes FROM cleanup_hours)")
    }

    pub(super) fn bounds(&self) -> (Vec<i32>, Vec<i32>) {
        let second = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        self.0.iter().map(|window| (second(window.from), second(window.to))).unzip()
    }
}

/// SQL that tells whether now is in one of `windows`, or there is none.
fn open_now(windows: &str) -> String {
    format!(
        "(SELECT count(*) = 0 OR count(*) FILTER (
                WHERE CASE WHEN first < last THEN of_day >= first AND of_day < last
                           ELSE of_day >= first OR of_day < last END) > 0
          FROM {windows} AS allowed (first, last),
               (SELECT extract(epoch FROM (statement_timestamp() AT TIME ZONE 'UTC')::time) AS of_day) AS now)"
    )
}

impl Database {
    /// Stores the hours that this worker was told, in place of those stored before.
    ///
    /// # Errors
    /// Any database error.
    pub async fn store_cleanup_hours(&self, allowed: &AllowedHours) -> Result<()> {
        let (from, to) = allowed.bounds();
        sql_query(
            "WITH told AS (SELECT * FROM unnest($1::int[], $2::int[]) AS told (opens, closes)),
                  gone AS (DELETE FROM cleanup_hours WHERE (opens, closes) NOT IN (SELECT opens, closes FROM told))
             INSERT INTO cleanup_hours SELECT DISTINCT opens, closes FROM told ON CONFLICT DO NOTHING",
        )
        .bind::<sql_types::Array<sql_types::Integer>, _>(from)
        .bind::<sql_types::Array<sql_types::Integer>, _>(to)
        .execute(&mut self.connection().await?)
        .await?;
        Ok(())
    }
}
