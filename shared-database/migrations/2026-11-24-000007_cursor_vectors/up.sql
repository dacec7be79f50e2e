-- Whose vectors the documents carry that the cursor leaves behind it; null if they carry none. A job with another embedder
-- starts over: what lies behind the cursor would never get its vectors.
ALTER TABLE sync ADD COLUMN cursor_vectors text;
