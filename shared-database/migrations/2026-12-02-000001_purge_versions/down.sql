ALTER TABLE cleanup_schedule DROP COLUMN purges_versions;
