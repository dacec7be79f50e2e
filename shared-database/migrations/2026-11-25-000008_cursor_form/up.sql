-- In which form the documents are written that the cursor leaves behind it, vectors included. A job that writes another form
-- starts over: what lies behind the cursor would never get it.
ALTER TABLE sync ADD COLUMN cursor_form text;
