ALTER TABLE sync RENAME COLUMN cursor_form TO cursor_vectors;
