-- Work order and tombstone of a deleted sync, kept for ever. It refers to rows that are gone, so it has no foreign keys.
CREATE TABLE cleanup (
    id uuid PRIMARY KEY,
    -- One cleanup a sync, however many try to commit the deletion.
    sync_id uuid NOT NULL UNIQUE,
    organization_id uuid NOT NULL,
    collection_id uuid NOT NULL,
    source_connection_id uuid NOT NULL,
    requested_by uuid,
    request_id uuid,
    deletion_requested_at timestamptz NOT NULL,
    rows_deleted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    entity_rows_deleted bigint NOT NULL,
    writer_end text NOT NULL CHECK (writer_end IN ('acknowledged', 'lease')),
    -- Targets that must be verified empty: data, so that an older worker never ends a row with a target it doesn't know.
    targets text[] NOT NULL,
    progress jsonb NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'scheduled'
        CHECK (state IN ('scheduled', 'purging', 'settling', 'done', 'refused')),
    -- Grows with every claim; every update carries the claim it was made under.
    claim bigint NOT NULL DEFAULT 0,
    claim_expires_at timestamptz,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts integer NOT NULL DEFAULT 0,
    error_code text,
    error_text text,
    -- When to verify once more after done, if a writer ended by its lease.
    check_again_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    modified_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    completed_at timestamptz
);
-- A worker claims the next due row, oldest first.
CREATE INDEX cleanup_due ON cleanup (next_attempt_at) WHERE state IN ('scheduled', 'purging', 'settling');
-- Rows to verify once more.
CREATE INDEX cleanup_check_again ON cleanup (check_again_at) WHERE state = 'done' AND check_again_at IS NOT NULL;
-- An organization's cleanups, newest first.
CREATE INDEX cleanup_organization ON cleanup (organization_id, created_at DESC);
-- What came of a deletion: the cleanups of a connection, or of a collection's.
CREATE INDEX cleanup_connection ON cleanup (source_connection_id);
CREATE INDEX cleanup_collection ON cleanup (collection_id);

-- Appended, never replaced.
CREATE TABLE receipt (
    id uuid PRIMARY KEY,
    cleanup_id uuid NOT NULL REFERENCES cleanup ON DELETE RESTRICT,
    signed jsonb NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Foreign key; the newest receipt of a cleanup.
CREATE INDEX receipt_cleanup ON receipt (cleanup_id, issued_at DESC);

-- Messages that commit with the rows they speak of. The relay publishes and marks them.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id uuid NOT NULL,
    request_id uuid,
    message jsonb NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- The relay looks for what is due.
CREATE INDEX outbox_due ON outbox (next_attempt_at) WHERE published_at IS NULL;
-- Published rows are dropped after a while.
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;
