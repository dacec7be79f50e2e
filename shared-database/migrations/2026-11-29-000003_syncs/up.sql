-- One sync a connection; its id is what every document, blob and entity row carries.
CREATE TABLE sync (
    id uuid PRIMARY KEY,
    -- Foreign key, indexed by being unique.
    source_connection_id uuid NOT NULL UNIQUE REFERENCES source_connection ON DELETE CASCADE,
    cursor jsonb,
    -- In which form the documents are written that the cursor leaves behind it, vectors included. A job that writes another
    -- form starts over: what lies behind the cursor would never get it.
    cursor_form text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE sync_job (
    id uuid PRIMARY KEY,
    sync_id uuid NOT NULL REFERENCES sync ON DELETE CASCADE,
    status text NOT NULL
        CHECK (status IN ('pending', 'running', 'cancelling', 'completed', 'failed', 'cancelled')),
    force_full_sync boolean NOT NULL DEFAULT false,
    request_id uuid,
    -- The write lease: a worker may write only while it holds it.
    lease_owner uuid,
    lease_expires_at timestamptz,
    -- How the job's writer ended; null while the job is active.
    job_end text CHECK (job_end IN ('acknowledged', 'lease', 'never_started')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    modified_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    completed_at timestamptz,
    cancel_requested_at timestamptz,
    entities_inserted bigint NOT NULL DEFAULT 0,
    entities_updated bigint NOT NULL DEFAULT 0,
    entities_deleted bigint NOT NULL DEFAULT 0,
    entities_kept bigint NOT NULL DEFAULT 0,
    entities_failed bigint NOT NULL DEFAULT 0,
    error text,
    error_category text,
    -- Which entities a job left out and why, the first hundred by name. It is the connection's owner's, and goes with the job.
    error_details jsonb,
    -- A lease is held exactly while a worker may write.
    CHECK ((status IN ('running', 'cancelling')) = (lease_owner IS NOT NULL)),
    CHECK ((status IN ('pending', 'running', 'cancelling')) = (job_end IS NULL))
);
-- Foreign key; a sync's jobs, newest first.
CREATE INDEX sync_job_sync ON sync_job (sync_id, created_at DESC);
-- At most one active job a sync.
CREATE UNIQUE INDEX sync_job_one_active ON sync_job (sync_id)
    WHERE status IN ('pending', 'running', 'cancelling');
-- Workers look for pending jobs, the reaper for leases that ran out.
CREATE INDEX sync_job_active ON sync_job (status, created_at)
    WHERE status IN ('pending', 'running', 'cancelling');

-- What a sync has written. A row is inserted before its documents and blobs (content_hash null: dirty) and settled
-- after them, so that nothing in the stores is ever unknown to this table.
CREATE TABLE entity (
    sync_id uuid NOT NULL REFERENCES sync ON DELETE CASCADE,
    -- Hash of class and id.
    entity_key bytea NOT NULL,
    entity_class text NOT NULL,
    entity_id text NOT NULL,
    document_type text NOT NULL,
    content_hash bytea,
    -- Chunks that may exist in Vespa.
    chunk_count integer NOT NULL,
    -- Name of the raw file in ARF, if there is one.
    file_name text,
    -- The last job that saw the entity in its source.
    seen_by_job uuid NOT NULL,
    -- Begins with the foreign key: the cascade of a deletion goes by it.
    PRIMARY KEY (sync_id, entity_key)
) WITH (fillfactor = 85);

-- How much of each class a sync has, kept by the statements that change entities, so that nobody counts rows to show a
-- connection. Dirty rows count: what they speak of may be in the stores.
CREATE TABLE entity_count (
    sync_id uuid NOT NULL REFERENCES sync ON DELETE CASCADE,
    entity_class text NOT NULL,
    -- Rows of the class. None is left at zero: the row stays, for the next entity of the class.
    entities bigint NOT NULL,
    -- Documents that may exist in Vespa: the sum of their chunks.
    documents bigint NOT NULL,
    -- Those with a raw file.
    files bigint NOT NULL,
    -- When one of the class was last written or removed.
    last_updated_at timestamptz NOT NULL,
    -- Begins with the foreign key: the cascade of a deletion goes by it, and so does whoever shows a sync.
    PRIMARY KEY (sync_id, entity_class)
-- Each batch of a job changes a row: room for new versions in the same page.
) WITH (fillfactor = 50);
