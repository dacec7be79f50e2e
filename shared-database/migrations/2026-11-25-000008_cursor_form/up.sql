-- In which form the documents are written that the cursor leaves behind it, vectors included. A job that writes another form
-- starts over: what lies behind the cursor would never get it. Takes the place of cursor_vectors, which workers of the version
-- before still use while they are replaced.
ALTER TABLE sync ADD COLUMN cursor_form text;
