//! Reading one document, and the checksum over many.

use rusqlite::params;
use sha2::{Digest, Sha256};

use super::{Store, StoreError, blob};
use crate::document;
use crate::document_id::bucket;
use crate::schema::{DocType, Field};

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its exact type.
    pub doc_type: DocType,
    /// Its fields as JSON, the vector among them.
    pub body: String,
}

/// What stands in the documents that have a value in a field.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Checksum {
    /// How many there are.
    pub documents: u64,
    /// Over ids, bodies and vectors, in the order of the ids.
    pub sha256: String,
}

impl Store {
    /// Reads a document.
    pub fn get(&self, id: &str) -> Result<Option<Stored>, StoreError> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT type, fields, vector FROM document JOIN body USING (serial) LEFT JOIN embedding USING (serial)
                 WHERE bucket = ? AND id = ?",
            )?;
            let mut rows = statement.query(params![bucket(id), id])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let damaged = || StoreError::Damaged(id.to_owned());
            let doc_type = DocType::from_code(row.get(0)?).ok_or_else(damaged)?;
            let body = document::complete(row.get(1)?, blob(row, 2)).ok_or_else(damaged)?;
            Ok(Some(Stored { doc_type, body }))
        })
    }

    /// Number of documents of a type from a bucket on.
    pub fn count_from(&self, doc_type: DocType, bucket: u16) -> Result<u64, StoreError> {
        self.reading(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT count(*) FROM document WHERE type = ? AND bucket >= ?")?;
            let count: i64 = statement.query_row(params![doc_type.code(), bucket], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }

    /// The checksum over all documents whose attribute has exactly this value as its text; over all if `None`.
    pub fn checksum(&self, matching: Option<(&Field, &str)>) -> Result<Checksum, StoreError> {
        self.reading(|connection| {
            let condition = match matching {
                Some((field, _)) => format!("WHERE CAST(document.{} AS TEXT) = ?", field.column),
                None => String::new(),
            };
            let mut statement = connection.prepare_cached(&format!(
                "SELECT id, fields, vector FROM document JOIN body USING (serial) LEFT JOIN embedding USING (serial)
                 {condition} ORDER BY id"
            ))?;
            let mut rows = match matching {
                Some((_, value)) => statement.query([value])?,
                None => statement.query([])?,
            };
            let mut hash = Sha256::new();
            let mut documents = 0;
            while let Some(row) = rows.next()? {
                for part in
                    [row.get_ref(0)?.as_bytes(), row.get_ref(1)?.as_bytes(), Ok(blob(row, 2).unwrap_or_default())]
                {
                    let part = part.unwrap_or_default();
                    // The length in front keeps two different splits from looking the same.
                    hash.update(part.len().to_string());
                    hash.update(b":");
                    hash.update(part);
                }
                documents += 1;
            }
            Ok(Checksum { documents, sha256: hex::encode(hash.finalize()) })
        })
    }
}
