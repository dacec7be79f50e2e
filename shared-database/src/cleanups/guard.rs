//! The question that is asked before each slice of a purge.

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::PurgeTarget;

use super::claim::{UNCLAIMED, names};
use super::pause::IS_PAUSED;
use super::schedule::{self, ScheduleSql};
use super::{Claim, ClaimError, ClaimLost, PurgeSchedule};
use crate::error::DatabaseError;
use crate::history::ledger_size;
use crate::pool::Database;
use crate::statement::sql_query;

const LEDGER_SIZE: &str = ledger_size!();

/// What PostgreSQL says before a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Guard {
    /// The sync has a row: purging it would be wrong (DEL-4).
    #[diesel(sql_type = sql_types::Bool)]
    pub is_live: bool,
    /// Somebody paused it.
    #[diesel(sql_type = sql_types::Bool)]
    pub is_paused: bool,
    /// Purging is allowed now: by the time of day, or because the cleanup hurries.
    #[diesel(sql_type = sql_types::Bool)]
    pub is_allowed: bool,
    /// The cleanup is so old that it ignores hours and rate.
    #[diesel(sql_type = sql_types::Bool)]
    pub hurries: bool,
    /// Another cleanup is due to be purged and nobody works on it.
    #[diesel(sql_type = sql_types::Bool)]
    pub others_wait: bool,
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(embed)]
    guard: Guard,
    #[diesel(sql_type = sql_types::BigInt)]
    ledger_size: i64,
}

impl Database {
    /// What must be known before a slice of the purge under this claim.
    ///
    /// # Errors
    /// [`ClaimLost`] if the claim is somebody else's, or if PostgreSQL's history is lost: nothing is known of it then
    /// (DEL-10). Or any database error.
    pub async fn cleanup_guard(
        &self,
        claim: Claim,
        known: &[PurgeTarget],
        schedule: &PurgeSchedule,
    ) -> Result<Guard, ClaimError> {
        let before = self.history().before().map_err(|_| ClaimLost)?;
        let sql = ScheduleSql::bound_at(4);
        let (is_allowed, hurries) = (sql.is_allowed(), sql.hurries());
        let guard = sql_query(format!(
            "SELECT {LEDGER_SIZE}, EXISTS (SELECT 1 FROM sync WHERE sync.id = cleanup.sync_id) AS is_live, {IS_PAUSED} AS is_paused,
                    {is_allowed} AS is_allowed, {hurries} AS hurries,
                    EXISTS (SELECT 1 FROM cleanup WHERE {UNCLAIMED} AND next_work = 'purge' AND targets <@ $1
                              AND NOT {IS_PAUSED} AND {is_allowed}) AS others_wait
             FROM cleanup WHERE id = $2 AND claim = $3 AND claim_expires_at IS NOT NULL
               AND state IN ('scheduled', 'purging', 'settling')"
        ))
        .bind::<sql_types::Array<sql_types::Text>, _>(names(known))
        .bind::<sql_types::Uuid, _>(claim.cleanup_id)
        .bind::<sql_types::BigInt, _>(claim.number);
        let guard = schedule::bind(guard, schedule).get_result(&mut self.connection().await?).await.optional();
        let answer: Option<Answer> = guard.map_err(DatabaseError::from)?;
        let Answer { guard, ledger_size } = answer.ok_or(ClaimLost)?;
        self.history().after(before, ledger_size).map_err(|_| ClaimLost)?;
        Ok(guard)
    }
}
