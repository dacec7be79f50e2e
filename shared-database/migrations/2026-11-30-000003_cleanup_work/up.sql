-- What is to be done next with an open cleanup: to look at the stores, many cleanups in one query, or to purge one of
-- them. A worker of an earlier version does both under one claim and leaves it as it is; the next one that claims the
-- row sees from its progress what there is to do.
ALTER TABLE cleanup ADD COLUMN next_work text NOT NULL DEFAULT 'look' CHECK (next_work IN ('look', 'purge'));
-- Since when the cleanup is open: since the deletion, or since it was reopened. Deadlines count from here.
ALTER TABLE cleanup ADD COLUMN opened_at timestamptz NOT NULL DEFAULT clock_timestamp();
UPDATE cleanup SET opened_at = greatest(rows_deleted_at, coalesce(completed_at, rows_deleted_at));

DROP INDEX cleanup_due;
-- Looks are claimed oldest first.
CREATE INDEX cleanup_look_due ON cleanup (next_attempt_at)
    WHERE next_work = 'look' AND state IN ('scheduled', 'purging', 'settling');
-- Purges are claimed from each organization in turn, its oldest first.
CREATE INDEX cleanup_purge_due ON cleanup (organization_id, next_attempt_at)
    WHERE next_work = 'purge' AND state IN ('scheduled', 'purging', 'settling');
-- How many an organization has under way.
CREATE INDEX cleanup_claimed ON cleanup (organization_id) WHERE claim_expires_at IS NOT NULL;

-- What keeps cleanups from being worked on, of one organization or, where that is null, of all. No foreign key: a pause
-- must not end with the organization that it is about, which cleanups outlive.
CREATE TABLE cleanup_pause (
    organization_id uuid UNIQUE NULLS NOT DISTINCT,
    reason text,
    paused_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- From when on the next document may be removed, under a limit on documents per second of all workers together.
CREATE TABLE cleanup_rate (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Documents a second that purges removed lately, as one purge sees it; null until one was large enough to tell.
    measured_per_second double precision
);
INSERT INTO cleanup_rate DEFAULT VALUES;

-- The rest of the schedule, beside `cleanup_hours`, as the worker that started last was told.
CREATE TABLE cleanup_schedule (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    -- The time zone of `cleanup_hours`.
    time_zone text NOT NULL DEFAULT 'UTC',
    -- From which age on an open cleanup ignores hours and rate; null is never.
    hurries_after interval,
    -- From which age on an open cleanup is overdue; null is never.
    deadline interval,
    -- The limit on documents removed per second; null is none.
    documents_per_second bigint,
    -- Time from the first empty verification to the one that counts; null until a worker has told it.
    settle_delay interval
);
INSERT INTO cleanup_schedule DEFAULT VALUES;
