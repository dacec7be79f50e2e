DROP TABLE collection;
DROP TABLE api_key;
DROP TABLE organization;
