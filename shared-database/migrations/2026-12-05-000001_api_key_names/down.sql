DROP INDEX ledger_entry_audit;
DROP TABLE deleted_api_key;
ALTER TABLE api_key DROP COLUMN name;
