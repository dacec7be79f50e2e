-- What the ledger store has stays there.
DROP FUNCTION ledger_superseded, ledger_deleted;
ALTER TABLE receipt DROP COLUMN superseded_reason, DROP COLUMN superseded_at, DROP COLUMN entry_id;
ALTER TABLE cleanup DROP COLUMN deletion_reference_salt, DROP COLUMN deletion_reference;
ALTER TABLE source_connection DROP COLUMN deletion_reference;
ALTER TABLE collection DROP COLUMN deletion_reference;
DROP TABLE ledger_key;
DROP TABLE ledger_publisher;
DROP TABLE ledger_checkpoint;
DROP TABLE ledger_tile;
DROP TABLE ledger_index;
DROP TABLE ledger_pending;
DROP TABLE ledger_entry;
DROP FUNCTION ledger_only_grows;
DROP FUNCTION ledger_entry_is_pending;
DROP FUNCTION ledger_reference_hash;
DROP FUNCTION ledger_time;
