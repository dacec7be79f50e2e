-- The key that a sync's blobs are encrypted and its entities named with. It goes with the row: from the commit of that
-- cascade on nobody reads a blob of the sync any more. Null in a row that a gateway of an earlier version made: the next
-- job makes one.
ALTER TABLE sync
    -- Which key of the key ring wraps it.
    ADD COLUMN blob_key_id text,
    -- 24 bytes of nonce, the wrapped key, the tag.
    ADD COLUMN blob_key bytea,
    -- Whether blobs may have been written without encryption, at any time: what there is was. Set before the first one is
    -- written, and never reset: an object store may keep earlier versions.
    ADD COLUMN has_plain_blobs boolean NOT NULL DEFAULT true,
    ADD CONSTRAINT sync_blob_key_names_its_key CHECK ((blob_key IS NULL) = (blob_key_id IS NULL));
ALTER TABLE sync ALTER COLUMN has_plain_blobs SET DEFAULT false;

-- Whether the job's worker knows of blob keys. One of an earlier version doesn't say so, and writes plain blobs.
ALTER TABLE sync_job ADD COLUMN knows_blob_keys boolean NOT NULL DEFAULT false;

-- Whether key, documents and blobs are named under the sync's key, or by a hash that anybody can compute, as versions
-- before it did. The next full sync renames what there is.
ALTER TABLE entity ADD COLUMN is_keyed boolean NOT NULL DEFAULT false;
-- Whether a sync has any left that must be renamed. Empty once every sync has run.
CREATE INDEX entity_unkeyed ON entity (sync_id) WHERE NOT is_keyed;

-- What a receipt says of the key. Left alone by a gateway of an earlier version, which knows nothing of it.
ALTER TABLE cleanup
    ADD COLUMN blob_key_destroyed_at timestamptz,
    ADD COLUMN has_plain_blobs boolean NOT NULL DEFAULT true;
