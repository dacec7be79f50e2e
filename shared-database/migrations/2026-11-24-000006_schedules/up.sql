-- When the schedule is due next; null without cron, and where the expression can't be read. Connections that had a cron
-- before this column get theirs from the scheduler.
ALTER TABLE source_connection ADD COLUMN next_run_at timestamptz;
-- A schedule that is taken away can't fire any more.
ALTER TABLE source_connection ADD CONSTRAINT source_connection_next_run_needs_cron
    CHECK (next_run_at IS NULL OR cron IS NOT NULL);
-- Schedulers look for what is due, and for the time at which something will be. Requesting a deletion takes the row out.
CREATE INDEX source_connection_due ON source_connection (next_run_at)
    WHERE next_run_at IS NOT NULL AND deletion_requested_at IS NULL;
