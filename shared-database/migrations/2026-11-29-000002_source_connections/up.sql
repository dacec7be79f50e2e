-- RESTRICT above the connection, CASCADE below it: deleting the one row takes credentials, sync, jobs and entities along,
-- and nothing can take the connection away without its cleanup.
CREATE TABLE source_connection (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization ON DELETE RESTRICT,
    collection_id uuid NOT NULL REFERENCES collection ON DELETE RESTRICT,
    short_name text NOT NULL,
    name text NOT NULL,
    description text,
    config jsonb NOT NULL,
    auth_method text NOT NULL,
    is_authenticated boolean NOT NULL,
    authenticated_at timestamptz,
    cron text,
    continuous boolean NOT NULL DEFAULT false,
    cursor_field text,
    -- When the schedule is due next; null without cron, and where the expression can't be read.
    next_run_at timestamptz,
    created_by_email text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    modified_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- D1. Whoever sets it owns the 200.
    deletion_requested_at timestamptz,
    deletion_api_key_id uuid,
    deletion_request_id uuid,
    CHECK ((deletion_requested_at IS NULL) = (deletion_request_id IS NULL)),
    -- A schedule that is taken away can't fire any more.
    CONSTRAINT source_connection_next_run_needs_cron CHECK (next_run_at IS NULL OR cron IS NOT NULL)
);
-- Foreign key; list of an organization's connections, newest first.
CREATE INDEX source_connection_organization ON source_connection (organization_id, created_at DESC);
-- Foreign key; connections of a collection, for lists, search and the collection's deletion.
CREATE INDEX source_connection_collection ON source_connection (collection_id);
-- The finisher looks for deletions that nobody ended.
CREATE INDEX source_connection_deleting ON source_connection (deletion_requested_at)
    WHERE deletion_requested_at IS NOT NULL;
-- Schedulers look for what is due, and for the time at which something will be. Requesting a deletion takes the row out.
CREATE INDEX source_connection_due ON source_connection (next_run_at)
    WHERE next_run_at IS NOT NULL AND deletion_requested_at IS NULL;

CREATE TABLE credential (
    id uuid PRIMARY KEY,
    -- Foreign key, indexed by being unique.
    source_connection_id uuid NOT NULL UNIQUE REFERENCES source_connection ON DELETE CASCADE,
    -- Which key of the key ring encrypted it.
    key_id text NOT NULL,
    nonce bytea NOT NULL,
    ciphertext bytea NOT NULL,
    modified_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
