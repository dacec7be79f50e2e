ALTER TABLE entity ADD COLUMN modified_at timestamptz NOT NULL DEFAULT clock_timestamp();
DROP TABLE entity_count;
