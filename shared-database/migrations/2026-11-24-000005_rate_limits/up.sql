-- How many requests a minute an organization may send. No limit unless an operator sets one: who runs the service
-- himself doesn't expect his own requests to be refused.
ALTER TABLE organization ADD COLUMN plan text NOT NULL DEFAULT 'enterprise'
    CHECK (plan IN ('developer', 'pro', 'team', 'enterprise'));

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
