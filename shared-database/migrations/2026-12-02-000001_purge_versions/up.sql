-- Whether purges remove earlier versions of blobs, by what the last worker was told: a preview says what stays.
ALTER TABLE cleanup_schedule ADD COLUMN purges_versions boolean NOT NULL DEFAULT false;
