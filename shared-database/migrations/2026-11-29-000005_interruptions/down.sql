ALTER TABLE sync_job DROP COLUMN interruptions;
