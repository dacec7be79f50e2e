-- How many jobs of the sync, directly before this one, ended because their worker was told to stop.
ALTER TABLE sync_job ADD COLUMN interruptions integer NOT NULL DEFAULT 0;
