DROP TABLE orphan_sweep;
DROP TABLE orphan;
ALTER TABLE cleanup DROP COLUMN origin;
