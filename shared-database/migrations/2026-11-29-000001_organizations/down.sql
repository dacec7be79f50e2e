DROP TABLE rate_limit;
DROP TABLE collection;
DROP TABLE api_key;
DROP TABLE organization;
