//! Every move of a job from one state to another, and its creation: each is one statement, and stands here alone.
//!
//! Keeps DEL-2. Which moves there are, [`shared_models::JobStatus::may_become`] says; each update names the states that
//! it moves from, so a job that somebody else has moved meanwhile isn't touched.
//! The databases of tests refuse every other move.

/// A new job `$1` of connection `$2`, unless that is being deleted; it meets D1's lock.
pub(super) const CREATE: &str = "
    INSERT INTO sync_job (id, sync_id, status, force_full_sync, request_id)
    SELECT $1, s.id, 'pending', $3, $4
    FROM source_connection c JOIN sync s ON s.source_connection_id = c.id
    WHERE c.id = $2 AND c.deletion_requested_at IS NULL
    FOR SHARE OF c";

/// New jobs `$1` of syncs `$2`, whose connections the caller has locked; none for a sync that has an active job.
pub(crate) const CREATE_DUE: &str = "
    INSERT INTO sync_job (id, sync_id, status)
    SELECT due.job, due.sync, 'pending' FROM unnest($1, $2) AS due (job, sync)
    ON CONFLICT (sync_id) WHERE status IN ('pending', 'running', 'cancelling') DO NOTHING
    RETURNING id";

/// `pending → running`, under a lease of `$1` for `$2` seconds. To be followed by which job, and what to return.
pub(super) const CLAIM: &str = "
    UPDATE sync_job j
    SET status = 'running', lease_owner = $1, lease_expires_at = clock_timestamp() + make_interval(secs => $2),
        started_at = clock_timestamp(), modified_at = clock_timestamp(), knows_blob_keys = true
    FROM sync s JOIN source_connection c ON c.id = s.source_connection_id
    WHERE s.id = j.sync_id AND j.status = 'pending' AND j.id =";

/// `pending → cancelled`, `running → cancelling`; what is cancelling stays so. To be followed by which active jobs `j`.
pub(crate) const STOP: &str = "
    UPDATE sync_job j
    SET status = CASE j.status WHEN 'pending' THEN 'cancelled' ELSE 'cancelling' END,
        job_end = CASE j.status WHEN 'pending' THEN 'never_started' END,
        completed_at = CASE j.status WHEN 'pending' THEN clock_timestamp() END,
        cancel_requested_at = coalesce(j.cancel_requested_at, clock_timestamp()), modified_at = clock_timestamp()";

/// `running → completed | failed` as `$3` says, `cancelling → cancelled`, and the cursor of a completed job. The sync's
/// row is locked before the job's, in the protocol's order: a cascade takes them in that order too.
///
/// A job that fails because its worker is told to stop is followed by the new job `$13`, unless `$16` jobs in a row
/// were ended so; `$14` and `$15` are the message that says so. A deletion locks the sync's row too: it sees either the
/// job that ends, and cancels it so that none follows, or the one that follows.
pub(super) const END: &str = "
    WITH held AS MATERIALIZED (
        SELECT s.id FROM sync s JOIN sync_job j ON j.sync_id = s.id
        WHERE j.id = $1 AND j.lease_owner = $2
        FOR NO KEY UPDATE OF s
    ), ended AS (
        UPDATE sync_job j
        SET status = CASE j.status WHEN 'cancelling' THEN 'cancelled' ELSE $3 END,
            error = CASE j.status WHEN 'cancelling' THEN NULL ELSE $4 END,
            error_category = CASE j.status WHEN 'cancelling' THEN NULL ELSE $5 END,
            lease_owner = NULL, lease_expires_at = NULL, job_end = 'acknowledged',
            completed_at = clock_timestamp(), modified_at = clock_timestamp(),
            entities_inserted = $6, entities_updated = $7, entities_deleted = $8, entities_kept = $9,
            entities_failed = $10
        FROM held
        WHERE j.id = $1 AND j.sync_id = held.id AND j.lease_owner = $2 AND j.status IN ('running', 'cancelling')
        RETURNING j.sync_id, j.status, j.force_full_sync, j.request_id, j.interruptions
    ), kept AS (
        UPDATE sync s SET cursor = $11, cursor_form = $12 FROM ended
        WHERE s.id = ended.sync_id AND ended.status = 'completed' AND $11 IS NOT NULL
    ), successor AS (
        INSERT INTO sync_job (id, sync_id, status, force_full_sync, request_id, interruptions)
        SELECT $13, sync_id, 'pending', force_full_sync, request_id, interruptions + 1 FROM ended
        WHERE $13 IS NOT NULL AND status = 'failed' AND interruptions < $16
        RETURNING request_id
    ), said AS (
        INSERT INTO outbox (message_id, request_id, message) SELECT $14, request_id, $15 FROM successor
    )
    SELECT status FROM ended";

/// `running → failed`, `cancelling → cancelled` for jobs whose lease ended more than `$1` seconds ago.
pub(super) const REAP: &str = "
    UPDATE sync_job
    SET status = CASE status WHEN 'cancelling' THEN 'cancelled' ELSE 'failed' END,
        error = CASE status WHEN 'cancelling' THEN NULL ELSE 'worker lost' END,
        lease_owner = NULL, lease_expires_at = NULL, job_end = 'lease',
        completed_at = clock_timestamp(), modified_at = clock_timestamp()
    WHERE status IN ('running', 'cancelling')
      AND lease_expires_at < clock_timestamp() - make_interval(secs => $1)
    RETURNING id AS job_id, status";
