DROP TABLE cleanup_hours;
ALTER TABLE cleanup DROP COLUMN failing_since;
