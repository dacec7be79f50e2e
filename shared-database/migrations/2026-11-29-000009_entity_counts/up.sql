-- How much of each class a sync has, kept by the statements that change entities, so that nobody counts rows to show a
-- connection. Dirty rows count: what they speak of may be in the stores.
CREATE TABLE entity_count (
    sync_id uuid NOT NULL REFERENCES sync ON DELETE CASCADE,
    entity_class text NOT NULL,
    -- Rows of the class. None is left at zero: the row stays, for the next entity of the class.
    entities bigint NOT NULL,
    -- Documents that may exist in Vespa: the sum of their chunks.
    documents bigint NOT NULL,
    -- Those with a raw file.
    files bigint NOT NULL,
    -- When one of the class was last written or removed.
    last_updated_at timestamptz NOT NULL,
    -- Begins with the foreign key: the cascade of a deletion goes by it, and so does whoever shows a sync.
    PRIMARY KEY (sync_id, entity_class)
-- Each batch of a job changes a row: room for new versions in the same page.
) WITH (fillfactor = 50);

INSERT INTO entity_count (sync_id, entity_class, entities, documents, files, last_updated_at)
SELECT sync_id, entity_class, count(*), sum(chunk_count), count(file_name), max(modified_at)
FROM entity GROUP BY sync_id, entity_class;

-- Nobody else read it.
ALTER TABLE entity DROP COLUMN modified_at;
