-- The deletion ledger: an append-only log of what was deleted, kept outside of this database too. See docs/ledger.md.

-- A time as the ledger writes it: RFC 3339 in UTC, always with microseconds, in any session.
CREATE FUNCTION ledger_time(at timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE RETURN
    to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- The hash of a deletion reference, in lower-case hex, or null if there is none. By the salt nobody can guess it.
CREATE FUNCTION ledger_reference_hash(salt bytea, reference text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    encode(sha256(salt || convert_to(reference, 'UTF8')), 'hex');

-- What the ledger is told, in the transaction of the fact. Ids, times and counts only: it may end up in storage that
-- nobody can erase.
CREATE TABLE ledger_entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Whose fact it is; null for what an operator did to the installation.
    organization_id uuid,
    entry jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- An organization's own entries.
CREATE INDEX ledger_entry_organization ON ledger_entry (organization_id, id);

-- Entries that have no index yet: the sequencer takes them out. A row for each entry, by the trigger below, so that no
-- writer can forget one.
CREATE TABLE ledger_pending (
    entry_id bigint PRIMARY KEY REFERENCES ledger_entry ON DELETE RESTRICT,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The place of each entry in the log, and the hash that the log's tree is made of: SHA-256(0 || canonical JSON).
CREATE TABLE ledger_index (
    index bigint PRIMARY KEY CHECK (index >= 0),
    entry_id bigint NOT NULL UNIQUE REFERENCES ledger_entry ON DELETE RESTRICT,
    leaf_hash bytea NOT NULL CHECK (octet_length(leaf_hash) = 32)
);

-- Hashes of full tiles, 256 hashes of the level below each: what roots and proofs are computed from without reading all.
CREATE TABLE ledger_tile (
    level smallint NOT NULL CHECK (level BETWEEN 1 AND 7),
    index bigint NOT NULL CHECK (index >= 0),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, index)
);

-- Every root that was signed.
CREATE TABLE ledger_checkpoint (
    size bigint PRIMARY KEY CHECK (size > 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    note text NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When all that it covers was in the ledger store.
    published_at timestamptz
);
-- The last one that was published.
CREATE INDEX ledger_checkpoint_published ON ledger_checkpoint (size) WHERE published_at IS NOT NULL;

-- One process publishes at a time, by a lease. Two at once would do no harm, only the same work.
CREATE TABLE ledger_publisher (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    owner uuid,
    lease_expires_at timestamptz
);
INSERT INTO ledger_publisher DEFAULT VALUES;

-- Keys that have signed, the old ones too: what verifiers are told, with the periods.
CREATE TABLE ledger_key (
    verifier_key text PRIMARY KEY,
    name text NOT NULL,
    first_used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When a process last had it as the key that signs.
    last_used_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION ledger_entry_is_pending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_pending (entry_id) SELECT id FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_entry_is_pending AFTER INSERT ON ledger_entry
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_is_pending();

-- The log only grows. What nobody may do, a mistake can't do either.
CREATE FUNCTION ledger_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger only grows: % of % is refused', TG_OP, TG_TABLE_NAME;
END $$;
CREATE TRIGGER ledger_entry_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_grows();
CREATE TRIGGER ledger_index_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_index
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_grows();
CREATE TRIGGER ledger_tile_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_tile
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_grows();
CREATE TRIGGER ledger_checkpoint_only_grows BEFORE DELETE OR TRUNCATE ON ledger_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_grows();

-- A caller's own name for a deletion, such as the number of a data subject's request. It goes with the rows, and is kept
-- with the cleanup; in the ledger is only its hash with the salt.
ALTER TABLE collection ADD COLUMN deletion_reference text;
ALTER TABLE source_connection ADD COLUMN deletion_reference text;
ALTER TABLE cleanup
    ADD COLUMN deletion_reference text,
    ADD COLUMN deletion_reference_salt bytea CHECK (octet_length(deletion_reference_salt) = 16),
    ADD CONSTRAINT cleanup_reference_has_salt CHECK ((deletion_reference IS NULL) = (deletion_reference_salt IS NULL));
-- Cleanups by their reference.
CREATE INDEX cleanup_reference ON cleanup (organization_id, deletion_reference) WHERE deletion_reference IS NOT NULL;

ALTER TABLE receipt
    -- Its entry in the ledger; null only for what a worker of an earlier version wrote.
    ADD COLUMN entry_id bigint UNIQUE REFERENCES ledger_entry ON DELETE RESTRICT,
    -- Since when it no longer holds, and why; its entry in the ledger says the same.
    ADD COLUMN superseded_at timestamptz,
    ADD COLUMN superseded_reason text,
    ADD CONSTRAINT receipt_says_why_superseded CHECK ((superseded_at IS NULL) = (superseded_reason IS NULL));

-- The two entries that are made of rows, in form 1. As texts, so that a column can be dropped without them.
CREATE FUNCTION ledger_deleted(gone cleanup) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('form', 1, 'kind', 'deleted', 'organization_id', gone.organization_id,
        'collection_id', gone.collection_id, 'source_connection_id', gone.source_connection_id,
        'sync_id', gone.sync_id, 'cleanup_id', gone.id,
        'deletion_requested_at', ledger_time(gone.deletion_requested_at),
        'rows_deleted_at', ledger_time(gone.rows_deleted_at), 'requested_by', gone.requested_by,
        'request_id', gone.request_id,
        'reference_hash', ledger_reference_hash(gone.deletion_reference_salt, gone.deletion_reference),
        'entity_rows_deleted', gone.entity_rows_deleted, 'writer_end', gone.writer_end,
        'targets', to_jsonb(gone.targets), 'blob_key_destroyed_at', ledger_time(gone.blob_key_destroyed_at),
        'has_plain_blobs', gone.has_plain_blobs)
$$;
CREATE FUNCTION ledger_superseded(ended receipt, of_organization uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('form', 1, 'kind', 'superseded', 'organization_id', of_organization,
        'cleanup_id', ended.cleanup_id, 'receipt_id', ended.id, 'superseded_at', ledger_time(ended.superseded_at),
        'reason', ended.superseded_reason)
$$;

-- What there is already enters the log, once, in the order in which it happened: deletions, receipts, and those that no
-- longer hold, because their cleanup is open again or has a later one.
DO $$
DECLARE
    fact record;
    added bigint;
BEGIN
    FOR fact IN
        SELECT organization_id, rows_deleted_at AS at, 1 AS place, NULL::uuid AS receipt_id, ledger_deleted(c) AS entry
        FROM cleanup c
        UNION ALL
        SELECT c.organization_id, r.issued_at, 2, r.id,
               jsonb_build_object('form', 1, 'kind', 'receipt', 'receipt', r.signed->'receipt')
        FROM receipt r JOIN cleanup c ON c.id = r.cleanup_id
        ORDER BY at, place
    LOOP
        INSERT INTO ledger_entry (organization_id, entry) VALUES (fact.organization_id, fact.entry) RETURNING id INTO added;
        UPDATE receipt SET entry_id = added WHERE id = fact.receipt_id;
    END LOOP;
END $$;

UPDATE receipt r
SET superseded_at = coalesce(later.issued_at, c.opened_at), superseded_reason = 'reopened'
FROM cleanup c, receipt this
     LEFT JOIN LATERAL (SELECT issued_at FROM receipt other
                        WHERE other.cleanup_id = this.cleanup_id AND (other.issued_at, other.id) > (this.issued_at, this.id)
                        ORDER BY other.issued_at, other.id LIMIT 1) AS later ON true
WHERE this.id = r.id AND c.id = r.cleanup_id AND (later.issued_at IS NOT NULL OR c.state <> 'done');

INSERT INTO ledger_entry (organization_id, entry)
SELECT c.organization_id, ledger_superseded(r, c.organization_id)
FROM receipt r JOIN cleanup c ON c.id = r.cleanup_id
WHERE r.superseded_at IS NOT NULL
ORDER BY r.superseded_at, r.id;

-- The receipt of a cleanup that holds: one at most.
CREATE INDEX receipt_that_holds ON receipt (cleanup_id) WHERE superseded_at IS NULL;
