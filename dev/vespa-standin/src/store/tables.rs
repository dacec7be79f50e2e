//! The tables.
//!
//! `document` holds what Vespa keeps in memory: ids and attributes, in the order of the buckets, which is the order of
//! a visit. `body` holds the documents, `embedding` their vectors; all go by `serial`, a number that a document gets
//! anew with each write and that is never used twice. The indexes on the sync id and the purge key are for queries
//! alone: a visit walks the table. The full-text index has tables of its own: [`super::words`].

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::{StoreError, words};
use crate::schema::{self, DocType, Field, Kind};

/// The version of these tables; a store of another one is refused rather than guessed at.
const VERSION: i64 = 4;

/// What version 1 didn't have: vectors, and the attributes of breadcrumbs.
const SINCE_1: &str = "BEGIN;
     CREATE TABLE embedding (serial INTEGER PRIMARY KEY, vector BLOB NOT NULL);
     ALTER TABLE document ADD COLUMN breadcrumbs TEXT;
     UPDATE document SET breadcrumbs =
         (SELECT json_extract(fields, '$.breadcrumbs') FROM body WHERE body.serial = document.serial);
     COMMIT;";

/// What a query looks up. Nearly every sync id is stored as it is compared, in lower case; the few others are listed,
/// so that the index by sync can answer for the rest alone.
const INDEXES: &str = "
     CREATE INDEX document_by_purge_key ON document (type, airweave_system_metadata_purge_key)
         WHERE airweave_system_metadata_purge_key IS NOT NULL;
     CREATE INDEX document_by_cased_sync ON document (sync_key)
         WHERE sync_key <> airweave_system_metadata_sync_id;";

/// What version 3 didn't have: the purge key.
fn since_3() -> String {
    format!(
        "BEGIN;
         ALTER TABLE document ADD COLUMN airweave_system_metadata_purge_key INTEGER;
         {INDEXES}
         PRAGMA user_version = {VERSION};
         COMMIT;"
    )
}

pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // NORMAL would survive a kill, but not a power cut.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.pragma_update(None, "mmap_size", 1_073_741_824_i64)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "wal_autocheckpoint", 8_000)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

pub(super) fn create(connection: &Connection) -> Result<(), StoreError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version == VERSION {
        return Ok(());
    }
    if version == 1 {
        connection.execute_batch(SINCE_1)?;
    }
    if version == 1 || version == 2 {
        words::renew(connection, 3)?;
    }
    if (1..=3).contains(&version) {
        return Ok(connection.execute_batch(&since_3())?);
    }
    if version != 0 {
        return Err(StoreError::Folder(std::io::Error::other(format!("made by another version ({version})"))));
    }
    let columns: String = schema::columns().map(column).collect();
    let words = words::tables();
    connection.execute_batch(&format!(
        "BEGIN;
         CREATE TABLE document (
             bucket INTEGER NOT NULL,
             id TEXT NOT NULL,
             serial INTEGER NOT NULL,
             type INTEGER NOT NULL,
             sync_key TEXT{columns},
             PRIMARY KEY (bucket, id)
         ) WITHOUT ROWID;
         CREATE UNIQUE INDEX document_by_serial ON document (serial);
         CREATE INDEX document_by_sync ON document (sync_key, type);
         {INDEXES}
         CREATE TABLE body (serial INTEGER PRIMARY KEY, fields TEXT NOT NULL);
         CREATE TABLE embedding (serial INTEGER PRIMARY KEY, vector BLOB NOT NULL);
         {words}
         CREATE TABLE next_serial (value INTEGER NOT NULL);
         INSERT INTO next_serial VALUES (1);
         PRAGMA user_version = {VERSION};
         COMMIT;"
    ))?;
    Ok(())
}

fn column(field: &Field) -> String {
    let affinity = match field.kind {
        Kind::Text | Kind::TextArray | Kind::Structs(_) => "TEXT",
        Kind::Int | Kind::Long | Kind::Bool => "INTEGER",
        Kind::Tensor => "BLOB",
    };
    format!(", {} {affinity}", field.column)
}

pub(super) fn count_by_type(connection: &Connection) -> Result<Vec<(DocType, i64)>, StoreError> {
    let mut statement = connection.prepare("SELECT type, count(*) FROM document GROUP BY type")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, u8>(0)?, row.get::<_, i64>(1)?)))?;
    let mut counts = Vec::new();
    for row in rows {
        let (code, count) = row?;
        counts.extend(DocType::from_code(code).map(|doc_type| (doc_type, count)));
    }
    Ok(counts)
}

pub(super) fn next_serial(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("SELECT value FROM next_serial", [], |row| row.get(0)).optional()?.unwrap_or(1))
}

/// The number of bytes of the vectors in the store, if there are any.
pub(super) fn embedding_bytes(connection: &Connection) -> Result<Option<i64>, StoreError> {
    Ok(connection.query_row("SELECT length(vector) FROM embedding LIMIT 1", [], |row| row.get(0)).optional()?)
}

/// The statement that stores the columns of a document of one type.
pub(super) fn insert(doc_type: DocType) -> String {
    let names: Vec<&str> =
        doc_type.fields().filter(|field| field.access.has_column()).map(|field| field.column).collect();
    format!(
        "INSERT OR REPLACE INTO document (bucket, id, serial, type, sync_key, {}) VALUES (?, ?, ?, ?, ?{})",
        names.join(", "),
        ", ?".repeat(names.len())
    )
}
