//! Schedules: when connections run by themselves, and the firing of what is due.
//!
//! A due schedule fires one job a due time, however many schedulers run: job, message and next due time are one
//! transaction under the connection's lock, so a crash leaves all of it or nothing. Rows that somebody else holds are
//! left for the next look. Keeps DEL-2: that lock is the one that D1 takes,
//! and a connection being deleted is never due.
//!
//! What was missed, because no scheduler ran, fires once. Not guaranteed: that a due time fires at all. It is skipped
//! while a job is active or the source refuses the credentials.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::SourceConnectionId;
use shared_models::schedule::CronExpression;

use crate::error::Result;
use crate::pool::Database;
use crate::schema::source_connection;
use crate::session::Session;
use crate::statement::sql_query;

mod fire;
mod review;

pub use fire::{FiredSchedule, Firing, SkippedSchedule};
pub use review::Review;

/// Whether the source refused the credentials of connection `c` with sync `s`, and nothing has changed since: the
/// newest job that says something about them was refused, and they weren't replaced after it had started.
pub(crate) const NEEDS_CREDENTIALS: &str = "
    coalesce((SELECT j.error_category IS NOT NULL
                     AND NOT EXISTS (SELECT 1 FROM credential k WHERE k.source_connection_id = c.id
                                     AND k.modified_at > coalesce(j.started_at, j.created_at))
              FROM sync_job j
              WHERE j.sync_id = s.id AND (j.status = 'completed' OR j.error_category IS NOT NULL)
              ORDER BY j.created_at DESC, j.id LIMIT 1), false)";

/// When schedules will be due, on PostgreSQL's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// Time until the next one is due; zero if one is. `None` if there is no schedule.
    pub due_in: Option<Duration>,
    /// How long the oldest due one has been waiting; zero if none is due.
    pub overdue: Duration,
}

impl Outlook {
    fn of(seconds_to_go: Option<f64>) -> Self {
        let positive = |seconds: f64| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
        Self {
            due_in: seconds_to_go.map(positive),
            overdue: seconds_to_go.map_or(Duration::ZERO, |seconds| positive(-seconds)),
        }
    }
}

/// Sets when a connection's schedule is due next, in the transaction that `db` is in and under the connection's lock.
///
/// # Errors
/// Any database error.
pub(crate) async fn plan(db: &mut Session, connection: SourceConnectionId, cron: &CronExpression) -> Result<()> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Timestamptz)]
        now: DateTime<Utc>,
    }
    let row: Row = sql_query("SELECT clock_timestamp() AS now").get_result(db).await?;
    diesel::update(source_connection::table.find(connection))
        .set(source_connection::next_run_at.eq(cron.next_after(row.now)))
        .execute(db)
        .await?;
    Ok(())
}

/// Sets when schedules are due next, each connection with the time at its place, in the transaction that `db` is in.
async fn set_next_runs(
    db: &mut Session,
    connections: Vec<SourceConnectionId>,
    times: Vec<Option<DateTime<Utc>>>,
) -> Result<()> {
    sql_query(
        "UPDATE source_connection c SET next_run_at = planned.next
         FROM unnest($1, $2) AS planned (id, next) WHERE c.id = planned.id",
    )
    .bind::<sql_types::Array<sql_types::Uuid>, _>(connections)
    .bind::<sql_types::Array<sql_types::Nullable<sql_types::Timestamptz>>, _>(times)
    .execute(db)
    .await?;
    Ok(())
}

impl Database {
    /// When schedules will be due.
    ///
    /// # Errors
    /// Any database error.
    pub async fn schedule_outlook(&self) -> Result<Outlook> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = sql_types::Nullable<sql_types::Double>)]
            seconds_to_go: Option<f64>,
        }
        let row: Row = sql_query(
            "SELECT extract(epoch FROM min(next_run_at) - clock_timestamp())::float8 AS seconds_to_go
             FROM source_connection WHERE next_run_at IS NOT NULL AND deletion_requested_at IS NULL",
        )
        .get_result(&mut self.connection().await?)
        .await?;
        Ok(Outlook::of(row.seconds_to_go))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlook_tells_waiting_from_being_late() {
        let (some, zero) = (Duration::from_millis(2_500), Duration::ZERO);
        assert_eq!(Outlook::of(Some(2.5)), Outlook { due_in: Some(some), overdue: zero });
        assert_eq!(Outlook::of(Some(-2.5)), Outlook { due_in: Some(zero), overdue: some });
        assert_eq!(Outlook::of(None), Outlook { due_in: None, overdue: zero });
        assert_eq!(Outlook::of(Some(f64::MAX)).due_in, Some(Duration::MAX));
    }
}
