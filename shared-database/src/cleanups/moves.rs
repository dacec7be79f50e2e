//! Every move of a cleanup from one state to another: each is one statement, and stands here alone.
//!
//! Keeps DEL-6 and DEL-7. Which moves there are, [`shared_models::CleanupState::may_become`] says; each update names
//! the states that it moves from, and the claim that it is made under. The databases of tests refuse every other move.

use shared_models::PurgeTarget;
use shared_models::ledger::SupersededReason;

/// Held: the row is open, and the claim is ours and wasn't given back.
pub(super) const HELD: &str = "id = $1 AND claim = $2 AND claim_expires_at IS NOT NULL
    AND state IN ('scheduled', 'purging', 'settling')";

/// An update of a held row that also stores what is known so far, `$3`.
fn of_held(set: &str) -> String {
    format!("UPDATE cleanup SET progress = $3, modified_at = clock_timestamp(), {set} WHERE {HELD}")
}

/// Gives a claim back: nobody holds the row, and it is due again after `$4` seconds.
const GIVEN_BACK: &str = "claim_expires_at = NULL, next_attempt_at = clock_timestamp() + make_interval(secs => $4)";

/// What ends a row of failures.
const NO_FAILURE: &str = "attempts = 0, error_code = NULL, error_text = NULL, failing_since = NULL";

/// No move: what is known so far.
pub(super) fn save_progress() -> String {
    of_held("state = state")
}

/// No move: what is known so far, something having been removed.
pub(super) fn save_headway() -> String {
    of_held(NO_FAILURE)
}

/// `purging → settling`, due again after `$4` seconds.
pub(super) fn settle() -> String {
    let set = format!("state = 'settling', {NO_FAILURE}, {GIVEN_BACK}");
    of_held(&set) + " AND state = 'purging'"
}

/// `purging | settling → scheduled`: given back, due after `$4` seconds, for the work `$5`; something having been
/// removed, or not.
pub(super) fn hand_over(has_headway: bool) -> String {
    let failures = if has_headway { NO_FAILURE } else { "attempts = attempts" };
    of_held(&format!("state = 'scheduled', next_work = $5, {failures}, {GIVEN_BACK}"))
}

/// `purging → scheduled`, or no move, of the rows `$1` held under the claims `$2`: given back, due now, without an
/// attempt and with nothing learnt.
pub(super) const RELEASE_ALL: &str =
    "UPDATE cleanup SET modified_at = clock_timestamp(), claim_expires_at = NULL, next_attempt_at = clock_timestamp(),
            state = CASE state WHEN 'purging' THEN 'scheduled' ELSE state END
     FROM unnest($1::uuid[], $2::bigint[]) AS held (cleanup_id, number)
     WHERE id = cleanup_id AND claim = number AND claim_expires_at IS NOT NULL
       AND state IN ('scheduled', 'purging', 'settling')";

/// `scheduled → purging`, or no move: what a claim sets, for `$2` seconds.
pub(super) const CLAIMED: &str = "claim = claim + 1, modified_at = clock_timestamp(),
    claim_expires_at = clock_timestamp() + make_interval(secs => $2),
    state = CASE state WHEN 'scheduled' THEN 'purging' ELSE state END";

/// `purging → scheduled`, or no move: given back, due after `$4` seconds, without an attempt.
pub(super) fn release() -> String {
    of_held(&format!("state = CASE state WHEN 'purging' THEN 'scheduled' ELSE state END, {GIVEN_BACK}"))
}

/// `purging | settling → scheduled` after a failure `$6`, `$7`, the `$5`th in a row; due after `$4` seconds.
pub(super) fn fail() -> String {
    let since = "CASE WHEN $5 > 1 THEN coalesce(failing_since, clock_timestamp()) ELSE clock_timestamp() END";
    of_held(&format!(
        "state = 'scheduled', next_work = 'look', attempts = $5, failing_since = {since}, error_code = $6, error_text = $7, {GIVEN_BACK}"
    ))
}

/// `scheduled | purging | settling → refused`.
pub(super) fn refuse() -> String {
    of_held(
        "state = 'refused', claim_expires_at = NULL, failing_since = NULL, error_code = 'sync_live',
         error_text = 'the sync has a row in PostgreSQL; nothing more was purged'",
    )
}

/// `settling → done`, to be verified once more at `$5`. Refused if the row, or this build, names a target that isn't
/// among those verified, `$4`, or if the sync is live.
pub(super) fn finish() -> String {
    let of_build = PurgeTarget::NAMES.join(",");
    let set = format!(
        "state = 'done', {NO_FAILURE}, claim_expires_at = NULL, check_again_at = $5, completed_at = clock_timestamp()"
    );
    format!(
        "{} AND state = 'settling' AND targets <@ $4 AND '{{{of_build}}}'::text[] <@ $4
            AND NOT EXISTS (SELECT 1 FROM sync WHERE sync.id = cleanup.sync_id)",
        of_held(&set)
    )
}

/// `refused → scheduled`, or no move, of the cleanup `$1`: due now. What failed before is kept, until there is headway:
/// else whoever tries again and again would silence the alarm. Not one that somebody holds, or
/// whose sync is live; nor one that settles, whose wait is part of the proof.
pub(super) const RETRY: &str =
    "UPDATE cleanup SET state = CASE state WHEN 'refused' THEN 'scheduled' ELSE state END, next_work = 'look',
                error_code = CASE state WHEN 'refused' THEN NULL ELSE error_code END,
                error_text = CASE state WHEN 'refused' THEN NULL ELSE error_text END,
                next_attempt_at = clock_timestamp(), modified_at = clock_timestamp(),
                opened_at = CASE state WHEN 'refused' THEN clock_timestamp() ELSE opened_at END
         WHERE id = $1 AND (
             (state = 'scheduled' AND claim_expires_at IS NULL)
             OR (state = 'refused' AND NOT EXISTS (SELECT 1 FROM sync WHERE sync.id = cleanup.sync_id)))
         RETURNING organization_id, id AS object_id, request_id";

/// What every way back to `scheduled` of a closed row does: the claim grows, so that nobody who held it can come back.
const REOPENED: &str = "state = 'scheduled', next_work = 'look', claim = claim + 1, claim_expires_at = NULL,
    opened_at = clock_timestamp(), modified_at = clock_timestamp()";

/// `done | settling → scheduled`, due now: something may have been written for sync `$1` after all.
pub(super) fn reopen() -> String {
    let reopened = format!(
        "UPDATE cleanup SET next_attempt_at = clock_timestamp(), {REOPENED}
         WHERE sync_id = $1 AND state IN ('done', 'settling')
         RETURNING id, organization_id, request_id"
    );
    format!(
        "WITH reopened AS ({reopened}), {} SELECT id, request_id FROM reopened",
        supersede(SupersededReason::LateWrite)
    )
}

/// `done → scheduled` for rows whose later check has come; of targets among `$1`.
pub(super) fn reopen_for_check() -> String {
    let reopened = format!(
        "UPDATE cleanup SET next_attempt_at = check_again_at, {REOPENED}
         WHERE state = 'done' AND check_again_at <= statement_timestamp() AND targets <@ $1
         RETURNING id, organization_id"
    );
    format!("WITH reopened AS ({reopened}), {} SELECT id FROM reopened", supersede(SupersededReason::LaterCheck))
}

/// `done → scheduled` for those of the syncs `$1` that the target `$4` was seen to hold, by a list that began at `$3`,
/// unless it was verified empty after that. Due now. Two parts of a `WITH`, the first of which, `reopened`, has their
/// ids.
pub(crate) fn reopen_found() -> String {
    let reopened = format!(
        "UPDATE cleanup SET next_attempt_at = clock_timestamp(), {REOPENED}
         WHERE sync_id = ANY ($1) AND state = 'done'
           AND coalesce((progress->$4->>'verified_empty_at')::timestamptz, '-infinity') < $3
           AND NOT EXISTS (SELECT 1 FROM sync WHERE sync.id = cleanup.sync_id)
         RETURNING id, organization_id"
    );
    format!("reopened AS ({reopened}), {}", supersede(SupersededReason::FoundAgain))
}

/// `done → scheduled` for the cleanups of the syncs `$1` and those of the ids `$2`, due now, whose data a restore may
/// have brought back. Receipts of theirs end, whatever state they are in.
pub(crate) fn reopen_restored(reason: SupersededReason) -> String {
    format!(
        "WITH opened AS (
             UPDATE cleanup SET next_attempt_at = clock_timestamp(), {REOPENED}
             WHERE (sync_id = ANY ($1) OR id = ANY ($2)) AND state = 'done' RETURNING id
         ), reopened AS (SELECT id, organization_id FROM cleanup WHERE sync_id = ANY ($1) OR id = ANY ($2)), {}
         SELECT count(*) AS reopened FROM opened",
        supersede(reason)
    )
}

/// The receipts of the cleanups in `reopened` hold no longer, and the ledger is told so.
pub(super) fn supersede(reason: SupersededReason) -> String {
    format!(
        "superseded AS (
             UPDATE receipt SET superseded_at = clock_timestamp(), superseded_reason = '{reason}'
             FROM reopened WHERE receipt.cleanup_id = reopened.id AND receipt.superseded_at IS NULL
             RETURNING reopened.organization_id, ledger_superseded(receipt, reopened.organization_id) AS entry
         ), remembered AS (
             INSERT INTO ledger_entry (organization_id, entry) SELECT organization_id, entry FROM superseded
         )"
    )
}
