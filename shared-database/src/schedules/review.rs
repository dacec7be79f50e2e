//! Review: schedules without a next run get one. These are the rows from before there was a scheduler, and those whose
//! expression an earlier version couldn't read.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;
use shared_models::SourceConnectionId;
use shared_models::schedule::CronExpression;

use crate::error::Result;
use crate::pool::Database;
use crate::session::Session;
use crate::statement::sql_query;

/// What a review found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Review {
    /// How many schedules have a next run now.
    pub planned: usize,
    /// Whose expression can't be read; they never run.
    pub unreadable: Vec<SourceConnectionId>,
    /// Where the next review begins; `None` if this one saw the last.
    pub next: Option<SourceConnectionId>,
}

#[derive(QueryableByName)]
struct Unplanned {
    #[diesel(sql_type = sql_types::Uuid)]
    id: SourceConnectionId,
    #[diesel(sql_type = sql_types::Text)]
    cron: String,
    #[diesel(sql_type = sql_types::Timestamptz)]
    now: DateTime<Utc>,
}

impl Database {
    /// Plans up to `limit` schedules without a next run whose ids come after `after`.
    ///
    /// # Errors
    /// Any database error; nothing has happened then.
    pub async fn review_schedules(&self, after: Option<SourceConnectionId>, limit: usize) -> Result<Review> {
        self.transaction(move |db| review(db, after, limit).boxed()).await
    }
}

async fn review(db: &mut Session, after: Option<SourceConnectionId>, limit: usize) -> Result<Review> {
    let unplanned: Vec<Unplanned> = sql_query(
        "SELECT id, cron, clock_timestamp() AS now FROM source_connection
         WHERE cron IS NOT NULL AND next_run_at IS NULL AND deletion_requested_at IS NULL
           AND ($1 IS NULL OR id > $1)
         ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED",
    )
    .bind::<sql_types::Nullable<sql_types::Uuid>, _>(after)
    .bind::<sql_types::BigInt, _>(i64::try_from(limit).unwrap_or(i64::MAX))
    .load(db)
    .await?;
    let mut review = Review::default();
    if unplanned.len() >= limit {
        review.next = unplanned.last().map(|row| row.id);
    }
    let (mut ids, mut times) = (Vec::new(), Vec::new());
    for row in unplanned {
        match CronExpression::parse(&row.cron).ok().and_then(|cron| cron.next_after(row.now)) {
            Some(next) => {
                ids.push(row.id);
                times.push(Some(next));
            }
            None => review.unreadable.push(row.id),
        }
    }
    review.planned = ids.len();
    super::set_next_runs(db, ids, times).await?;
    Ok(review)
}
