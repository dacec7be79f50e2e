//! What [`shared_models::Standing::of`] says of a row, in SQL: for filters and counts. A test holds the two equal.

use super::AllowedHours;

/// The name of a row's [`shared_models::CleanupStatus`].
pub(crate) const STATUS: &str = "CASE WHEN state IN ('done', 'refused') THEN state
    WHEN attempts > 0 THEN 'failing'
    WHEN claim_expires_at > statement_timestamp() THEN 'working'
    ELSE 'waiting' END";

/// The name of a row's [`shared_models::WaitingFor`], or null.
pub(crate) fn waiting_for() -> String {
    let hours = AllowedHours::sql_of_stored();
    format!(
        "CASE WHEN ({STATUS}) <> 'waiting' THEN NULL
              WHEN state IN ('settling') AND next_attempt_at > statement_timestamp() THEN 'settle_delay'
              WHEN state IN ('settling') OR {hours} THEN 'turn'
              ELSE 'hours' END"
    )
}
