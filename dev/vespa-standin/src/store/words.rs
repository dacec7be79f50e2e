//! The full-text index on disk: the words of each indexed field, how many there are, and what BM25 needs to know of all
//! documents of a type.
//!
//! Words come as [`crate::linguistics::documents`] makes them, with blanks between them; SQLite only splits at the
//! blanks. `word_count` has the lengths of a document's fields, `word_total` their sums, kept by triggers.

use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use serde_json::Value;

use super::StoreError;
use crate::document::Words;
use crate::schema::{self, DocType};

/// The statements that make the tables.
pub(super) fn tables() -> String {
    let names: Vec<&str> = schema::indexed().map(|field| field.name).collect();
    let list = |each: &dyn Fn(&str) -> String| names.iter().map(|name| each(name)).collect::<Vec<_>>().join(", ");
    let fields = names.join(", ");
    let counts = list(&|name| format!("{name} INTEGER NOT NULL"));
    let totals =
        list(&|name| format!("{name}_words INTEGER NOT NULL DEFAULT 0, {name}_documents INTEGER NOT NULL DEFAULT 0"));
    let changed = |sign: char, row: &str| {
        list(&|name| {
            format!(
                "{name}_words = {name}_words {sign} {row}.{name}, \
                 {name}_documents = {name}_documents {sign} ({row}.{name} > 0)"
            )
        })
    };
    let (added, gone) = (changed('+', "new"), changed('-', "old"));
    let types = DocType::ALL.map(|doc_type| format!("({})", doc_type.code())).join(", ");
    format!(
        "CREATE VIRTUAL TABLE words USING fts5({fields}, content='', contentless_delete=1, tokenize='ascii');
         CREATE VIRTUAL TABLE words_instance USING fts5vocab('words', 'instance');
         CREATE TABLE word_count (serial INTEGER PRIMARY KEY, type INTEGER NOT NULL, {counts});
         CREATE TABLE word_total (type INTEGER PRIMARY KEY, documents INTEGER NOT NULL DEFAULT 0, {totals});
         INSERT INTO word_total (type) VALUES {types};
         CREATE TRIGGER word_count_added AFTER INSERT ON word_count BEGIN
             UPDATE word_total SET documents = documents + 1, {added} WHERE type = new.type;
         END;
         CREATE TRIGGER word_count_gone AFTER DELETE ON word_count BEGIN
             UPDATE word_total SET documents = documents - 1, {gone} WHERE type = old.type;
         END;"
    )
}

/// The statement that stores the words of a document: its serial, then the texts.
pub(super) fn insert() -> String {
    let names: Vec<&str> = schema::indexed().map(|field| field.name).collect();
    format!("INSERT INTO words (rowid, {}) VALUES (?{})", names.join(", "), ", ?".repeat(names.len()))
}

/// The statement that stores how many there are: its serial, its type, then the numbers.
pub(super) fn insert_counts() -> String {
    let names: Vec<&str> = schema::indexed().map(|field| field.name).collect();
    format!("INSERT INTO word_count (serial, type, {}) VALUES (?, ?{})", names.join(", "), ", ?".repeat(names.len()))
}

/// Makes the tables anew from the documents, where an earlier version made the words in another way.
pub(super) fn renew(connection: &Connection, version: i64) -> Result<(), StoreError> {
    let transaction = connection.unchecked_transaction()?;
    connection.execute_batch(&format!("DROP TABLE words; {}", tables()))?;
    {
        let mut insert = connection.prepare(&insert())?;
        let mut insert_counts = connection.prepare(&insert_counts())?;
        let mut documents =
            connection.prepare("SELECT serial, type, fields FROM body JOIN document USING (serial) ORDER BY serial")?;
        let mut rows = documents.query([])?;
        while let Some(row) = rows.next()? {
            let (serial, code, body): (i64, u8, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let body: Value = body.parse().map_err(|_| StoreError::Damaged(format!("number {serial}")))?;
            let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
            let words: Vec<Words> = schema::indexed().map(|field| Words::of(text(field.name))).collect();
            let counts = words.iter().map(|words| words.count);
            insert_counts.execute(rusqlite::params_from_iter([serial, i64::from(code)].into_iter().chain(counts)))?;
            let texts = words.into_iter().map(|words| Sql::Text(words.text));
            insert.execute(rusqlite::params_from_iter(std::iter::once(Sql::Integer(serial)).chain(texts)))?;
        }
    }
    connection.pragma_update(None, "user_version", version)?;
    Ok(transaction.commit()?)
}
