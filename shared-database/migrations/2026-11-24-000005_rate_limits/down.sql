DROP TABLE rate_limit;
ALTER TABLE organization DROP COLUMN plan;
