//! What [`shared_models::Standing::of`] says of a row, in SQL: for filters and counts. A test holds the two equal.

use super::pause::IS_PAUSED;
use super::schedule::is_allowed_as_stored;

/// The name of a row's [`shared_models::CleanupStatus`].
pub(crate) fn status() -> String {
    format!(
        "CASE WHEN state IN ('done', 'refused') THEN state
              WHEN {IS_PAUSED} AND coalesce(claim_expires_at <= statement_timestamp(), true) THEN 'paused'
              WHEN attempts > 0 THEN 'failing'
              WHEN claim_expires_at > statement_timestamp() THEN 'working'
              ELSE 'waiting' END"
    )
}

/// The name of a row's [`shared_models::WaitingFor`], or null.
pub(crate) fn waiting_for() -> String {
    let (status, is_allowed) = (status(), is_allowed_as_stored());
    format!(
        "CASE WHEN ({status}) <> 'waiting' THEN NULL
              WHEN state IN ('settling') AND next_attempt_at > statement_timestamp() THEN 'settle_delay'
              WHEN next_work = 'purge' AND NOT {is_allowed} THEN 'hours'
              ELSE 'turn' END"
    )
}
