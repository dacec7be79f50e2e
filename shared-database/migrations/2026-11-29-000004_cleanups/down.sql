DROP TABLE outbox;
DROP TABLE receipt;
DROP TABLE cleanup;
