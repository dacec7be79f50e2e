DROP TABLE entity_count;
DROP TABLE entity;
DROP TABLE sync_job;
DROP TABLE sync;
