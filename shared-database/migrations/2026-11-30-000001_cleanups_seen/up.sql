-- When the first of the attempts failed that have failed in a row, without headway in between. A worker of an earlier
-- version leaves it as it is; `attempts` tells whether it means anything.
ALTER TABLE cleanup ADD COLUMN failing_since timestamptz;
-- What is failing now has failed by its last change at the latest.
UPDATE cleanup SET failing_since = modified_at
WHERE attempts > 0 AND state IN ('scheduled', 'purging', 'settling');
-- These texts are shown to the organization from here on, and the database's may name servers.
UPDATE cleanup SET error_text = 'PostgreSQL failed' WHERE error_code = 'database';

-- The hours in which cleanup-workers purge, in seconds since midnight UTC, as the one that started last was told.
-- No row means at any hour. The workers go by their settings; this only tells why a cleanup waits.
CREATE TABLE cleanup_hours (
    opens integer NOT NULL,
    closes integer NOT NULL,
    PRIMARY KEY (opens, closes)
);
