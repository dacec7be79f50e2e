-- What those who use a key call it, so that "who asked" has an answer. Without one for keys of earlier versions.
ALTER TABLE api_key ADD COLUMN name text CHECK (length(name) BETWEEN 1 AND 100);

-- What is kept of keys that were deleted: everything but the hash, so that nobody gets in by one again, and every
-- deletion that one asked for can be told to somebody.
CREATE TABLE deleted_api_key (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organization ON DELETE CASCADE,
    name text,
    created_at timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    created_by_email text,
    deleted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- For the list of an organization's deleted keys, newest first.
CREATE INDEX deleted_api_key_organization ON deleted_api_key (organization_id, deleted_at DESC, id);

-- For the audit log: its entries are few among those of deletions and receipts.
CREATE INDEX ledger_entry_audit ON ledger_entry (id) WHERE entry->>'kind' = 'audit';
