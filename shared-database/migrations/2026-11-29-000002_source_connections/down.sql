DROP TABLE credential;
DROP TABLE source_connection;
