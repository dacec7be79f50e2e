ALTER TABLE cleanup DROP COLUMN has_plain_blobs, DROP COLUMN blob_key_destroyed_at;
ALTER TABLE entity DROP COLUMN is_keyed;
ALTER TABLE sync_job DROP COLUMN knows_blob_keys;
ALTER TABLE sync DROP COLUMN has_plain_blobs, DROP COLUMN blob_key, DROP COLUMN blob_key_id;
