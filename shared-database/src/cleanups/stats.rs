//! Counts and ages of cleanups, as plain numbers for metrics.

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::{CleanupState, CleanupStats, CleanupStatus, Standing, WaitingFor};

use super::schedule::is_overdue_as_stored;
use super::standing;
use crate::error::{DatabaseError, Result};
use crate::pool::Database;
use crate::statement::sql_query;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Text)]
    state: CleanupState,
    #[diesel(sql_type = sql_types::Text)]
    status: CleanupStatus,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    waiting_for: Option<WaitingFor>,
    #[diesel(sql_type = sql_types::BigInt)]
    cleanups: i64,
    #[diesel(sql_type = sql_types::Double)]
    oldest: f64,
    #[diesel(sql_type = sql_types::BigInt)]
    overdue: i64,
    #[diesel(sql_type = sql_types::Double)]
    failing: f64,
}

impl Row {
    fn standing(&self) -> Result<Standing> {
        let known =
            |standing: &&Standing| (standing.status(), standing.waiting_for()) == (self.status, self.waiting_for);
        let standing = Standing::ALL.iter().find(known).copied();
        standing.ok_or_else(|| DatabaseError::Corrupt(format!("a cleanup is {} without a reason", self.status)))
    }

    fn add_to(&self, stats: &mut CleanupStats) -> Result<()> {
        let (standing, cleanups) = (self.standing()?, u64::try_from(self.cleanups).unwrap_or_default());
        *stats.by_state.entry(self.state).or_default() += cleanups;
        *stats.by_standing.entry(standing).or_default() += cleanups;
        stats.overdue += u64::try_from(self.overdue).unwrap_or_default();
        if self.state.is_open() {
            stats.oldest_open_age_seconds = stats.oldest_open_age_seconds.max(self.oldest);
        }
        if standing == Standing::Failing {
            stats.oldest_failing_age_seconds = stats.oldest_failing_age_seconds.max(self.failing);
        }
        Ok(())
    }
}

impl Database {
    /// Cleanups by state and by how they stand, and the ages of the oldest.
    ///
    /// # Errors
    /// Any database error.
    pub async fn cleanup_stats(&self) -> Result<CleanupStats> {
        let rows: Vec<Row> = sql_query(format!(
            "SELECT state, {status} AS status, {waiting_for} AS waiting_for, count(*) AS cleanups,
                    greatest(0, extract(epoch FROM statement_timestamp() - min(opened_at)))::float8 AS oldest,
                    count(*) FILTER (WHERE {is_overdue}) AS overdue,
                    greatest(0, extract(epoch FROM
                        statement_timestamp() - min(coalesce(failing_since, modified_at))))::float8 AS failing
             FROM cleanup GROUP BY 1, 2, 3",
            status = standing::status(),
            waiting_for = standing::waiting_for(),
            is_overdue = is_overdue_as_stored(),
        ))
        .load(&mut self.connection().await?)
        .await?;
        let mut stats = CleanupStats::default();
        rows.iter().try_for_each(|row| row.add_to(&mut stats))?;
        Ok(stats)
    }
}
