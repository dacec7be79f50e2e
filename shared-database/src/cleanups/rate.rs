//! The limit on documents removed per second, over all workers: one row says from when on the next may be removed.

use std::num::NonZeroU32;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::OrganizationId;

use super::schedule::is_open_as_stored;
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

    /// Takes in how many documents a second a purge removed: the newer ones count more.
    ///
    /// # Errors
    /// Any database error.
    pub async fn record_removal_rate(&self, per_second: f64) -> Result<()> {
        sql_query("UPDATE cleanup_rate SET measured_per_second = coalesce(0.7 * measured_per_second + 0.3 * $1, $1)")
            .bind::<sql_types::Double, _>(per_second)
            .execute(&mut self.connection().await?)
            .await?;
        Ok(())
    }

    /// What is known of how long a purge would take that began now, for an organization.
    ///
    /// # Errors
    /// Any database error.
    pub async fn purge_outlook(&self, organization: OrganizationId) -> Result<PurgeOutlook> {
        let outlook = sql_query(format!(
            "SELECT least(measured_per_second, documents_per_second) AS per_second,
                    extract(epoch FROM settle_delay)::float8 AS settle_seconds,
                    purges_versions,
                    {is_open} AS is_open,
                    EXISTS (SELECT 1 FROM cleanup_pause AS pause
                            WHERE pause.organization_id IS NULL OR pause.organization_id = $1) AS is_paused,
                    (SELECT coalesce(sum(greatest(0, (progress->'vespa'->>'found')::bigint
                                                     - (progress->'vespa'->>'removed')::bigint)), 0)::bigint
                     FROM cleanup
                     WHERE organization_id = $1 AND state IN ('scheduled', 'purging', 'settling')) AS documents_before
             FROM cleanup_rate, cleanup_schedule",
            is_open = is_open_as_stored()
        ))
        .bind::<sql_types::Uuid, _>(organization)
        .get_result(&mut self.connection().await?)
        .await?;
        Ok(outlook)
    }
}

/// What is known of how long a purge would take that began now.
#[derive(Debug, Clone, Copy, PartialEq, QueryableByName)]
pub struct PurgeOutlook {
    /// Documents a second, as purges removed them lately, or as their limit lets them; `None` if neither is known.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Double>)]
    pub per_second: Option<f64>,
    /// Seconds from the first empty verification to the one that counts; `None` until a worker has told it.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Double>)]
    pub settle_seconds: Option<f64>,
    /// Whether purges reach earlier versions of blobs.
    #[diesel(sql_type = sql_types::Bool)]
    pub purges_versions: bool,
    /// Whether purges may run at this time of day.
    #[diesel(sql_type = sql_types::Bool)]
    pub is_open: bool,
    /// Whether the organization's cleanups are paused.
    #[diesel(sql_type = sql_types::Bool)]
    pub is_paused: bool,
    /// Documents that the organization's other purges have found and not removed yet. Others' are nobody's business
    /// (DEL-9), and organizations take turns.
    #[diesel(sql_type = sql_types::BigInt)]
    pub documents_before: i64,
}
