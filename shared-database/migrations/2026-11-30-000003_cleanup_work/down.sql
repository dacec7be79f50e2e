DROP TABLE cleanup_schedule;
DROP TABLE cleanup_rate;
DROP TABLE cleanup_pause;
DROP INDEX cleanup_claimed;
DROP INDEX cleanup_purge_due;
DROP INDEX cleanup_look_due;
CREATE INDEX cleanup_due ON cleanup (next_attempt_at) WHERE state IN ('scheduled', 'purging', 'settling');
ALTER TABLE cleanup DROP COLUMN opened_at;
ALTER TABLE cleanup DROP COLUMN next_work;
