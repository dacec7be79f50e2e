CREATE TABLE organization (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    -- How many requests a minute it may send. No limit unless an operator sets one: who runs the service himself doesn't
    -- expect his own requests to be refused.
    plan text NOT NULL DEFAULT 'enterprise' CHECK (plan IN ('developer', 'pro', 'team', 'enterprise')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    modified_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The requests of the last minute of each organization with a limit, and what was decided last. One row an
-- organization, overwritten by each request, so there are no old windows to remove.
-- Unlogged: every request would otherwise wait for the disk, and all that a crash or a failover loses is one minute of
-- counting.
CREATE UNLOGGED TABLE rate_limit (
    -- Foreign key, indexed by being the primary key.
    organization_id uuid PRIMARY KEY REFERENCES organization ON DELETE CASCADE,
    -- When requests were admitted, oldest first; at most as many as the largest limit.
    admitted_at timestamptz[] NOT NULL,
    decided_at timestamptz NOT NULL,
    is_admitted boolean NOT NULL
-- Room for new versions in the same page, and no row of this size is compressed or moved out of line.
) WITH (fillfactor = 30, toast_tuple_target = 8160);

-- Only the hash of a key is kept: 32 random bytes need no salt and no slow hash.
CREATE TABLE api_key (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization ON DELETE RESTRICT,
    -- The look-up of every request.
    key_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    modified_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    last_used_at timestamptz,
    created_by_email text
);
-- Foreign key; list of an organization's keys.
CREATE INDEX api_key_organization ON api_key (organization_id);

-- deletion_requested_at blocks creating connections in the collection while it is being deleted.
CREATE TABLE collection (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization ON DELETE RESTRICT,
    name text NOT NULL,
    -- Unique over all organizations, as in the public contract.
    readable_id text NOT NULL UNIQUE,
    sync_config jsonb,
    created_by_email text,
    modified_by_email text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    modified_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deletion_requested_at timestamptz,
    deletion_api_key_id uuid,
    deletion_request_id uuid,
    CHECK ((deletion_requested_at IS NULL) = (deletion_request_id IS NULL))
);
-- Foreign key; list of an organization's collections, newest first.
CREATE INDEX collection_organization ON collection (organization_id, created_at DESC);
-- The finisher looks for deletions that nobody ended.
CREATE INDEX collection_deleting ON collection (deletion_requested_at) WHERE deletion_requested_at IS NOT NULL;
