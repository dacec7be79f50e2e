//! Counts and ages of cleanups, as plain numbers for metrics.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::CleanupState;

use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

/// How many cleanups there are, and how late the latest is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CleanupStats {
    /// Cleanups by state; a state without any is 0.
    pub by_state: BTreeMap<CleanupState, u64>,
    /// Seconds since the oldest open cleanup's rows were deleted, or since it had to be checked again;
    /// 0 if none is open.
    pub oldest_open_age_seconds: f64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Text)]
    state: CleanupState,
    #[diesel(sql_type = sql_types::BigInt)]
    cleanups: i64,
    #[diesel(sql_type = sql_types::Double)]
    oldest: f64,
}

impl Database {
    /// Cleanups by state, and the age of the oldest open one.
    ///
    /// # Errors
    /// Any database error.
    pub async fn cleanup_stats(&self) -> Result<CleanupStats> {
        let rows: Vec<Row> = sql_query(
            "SELECT state, count(*) AS cleanups,
                    greatest(0, extract(epoch FROM statement_timestamp() - min(
                        CASE WHEN completed_at IS NULL THEN rows_deleted_at
                             WHEN check_again_at <= statement_timestamp() THEN greatest(completed_at, check_again_at)
                             ELSE completed_at END)))::float8 AS oldest
             FROM cleanup GROUP BY state",
        )
        .load(&mut self.connection().await?)
        .await?;
        let mut stats = CleanupStats::default();
        for state in CleanupState::ALL {
            stats.by_state.insert(*state, 0);
        }
        for row in rows {
            stats.by_state.insert(row.state, u64::try_from(row.cleanups).unwrap_or_default());
            if row.state.is_open() {
                stats.oldest_open_age_seconds = stats.oldest_open_age_seconds.max(row.oldest);
            }
        }
        Ok(stats)
    }
}
