ALTER TABLE sync_job DROP COLUMN error_details;
