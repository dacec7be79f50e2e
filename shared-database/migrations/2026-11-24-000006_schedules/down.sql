ALTER TABLE source_connection DROP COLUMN next_run_at;
