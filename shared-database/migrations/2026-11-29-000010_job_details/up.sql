-- Which entities a job left out and why, the first hundred by name. It is the connection's owner's, and goes with the job.
ALTER TABLE sync_job ADD COLUMN error_details jsonb;
