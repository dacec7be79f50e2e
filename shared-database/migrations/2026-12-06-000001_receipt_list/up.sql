-- Receipts are listed and exported in the order in which they were issued, over all organizations.
CREATE INDEX receipt_issued ON receipt (issued_at, id);
