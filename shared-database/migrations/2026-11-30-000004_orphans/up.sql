-- Which of a cleanup's syncs nobody deleted: orphans that a sweep found and somebody, or a setting, had purged. Those of
-- a deletion have their organization; these have none, and belong to the operator.
ALTER TABLE cleanup ADD COLUMN origin text NOT NULL DEFAULT 'deletion' CHECK (origin IN ('deletion', 'orphan'));

-- Sync ids that a store holds and PostgreSQL knows nothing of, neither a sync nor a cleanup: as the last sweep found
-- them. A row goes when a sweep no longer finds it, or when it is purged.
CREATE TABLE orphan (
    sync_id uuid PRIMARY KEY,
    -- Documents in Vespa.
    documents bigint NOT NULL,
    has_blobs boolean NOT NULL,
    -- Sweeps that found it, one after the other.
    sweeps integer NOT NULL DEFAULT 1,
    first_seen_at timestamptz NOT NULL,
    -- When the last sweep began that found it.
    last_seen_at timestamptz NOT NULL
);
-- What came up since a sweep began, and what it didn't find again.
CREATE INDEX orphan_last_seen ON orphan (last_seen_at);

-- One sweep at a time: whoever holds this row's lease.
CREATE TABLE orphan_sweep (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    owner uuid,
    lease_expires_at timestamptz,
    -- When the last began that went through to its end.
    last_began_at timestamptz,
    -- The first is due an interval after this: no installation and no upgrade begins with a look at everything.
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO orphan_sweep DEFAULT VALUES;
