//! The limit on documents removed per second, over all workers: one row says from when on the next may be removed.

use std::num::NonZeroU32;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;

use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

impl Database {
    /// Takes the right to remove so many documents, under a limit of `per_second` over all workers. Returns how long to
    /// wait before they are removed; `None` if that would be longer than `longest_wait`, and then nothing is taken.
    ///
    /// # Errors
    /// Any database error. If the connection was lost the right may have been taken, and is lost with it.
    pub async fn reserve_removals(
        &self,
        documents: u32,
        per_second: NonZeroU32,
        longest_wait: Duration,
    ) -> Result<Option<Duration>> {
        #[derive(QueryableByName)]
        struct Reserved {
            #[diesel(sql_type = sql_types::Double)]
            wait: f64,
        }
        let takes = f64::from(documents) / f64::from(per_second.get());
        let reserved: Option<Reserved> = sql_query(
            "UPDATE cleanup_rate
             SET next_at = greatest(next_at, statement_timestamp()) + make_interval(secs => $1)
             WHERE next_at <= statement_timestamp() + make_interval(secs => $2)
             RETURNING greatest(0, extract(epoch FROM next_at - statement_timestamp()) - $1)::float8 AS wait",
        )
        .bind::<sql_types::Double, _>(takes)
        .bind::<sql_types::Double, _>(longest_wait.as_secs_f64())
        .get_result(&mut self.connection().await?)
        .await
        .optional()?;
        Ok(reserved.map(|reserved| Duration::try_from_secs_f64(reserved.wait).unwrap_or_default()))
    }
}
