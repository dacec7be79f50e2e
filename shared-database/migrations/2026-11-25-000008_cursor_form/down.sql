ALTER TABLE sync DROP COLUMN cursor_form;
