//! Reading one document, and the checksum over many.

use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::{Store, StoreError};
use crate::document_id::bucket;
use crate::schema::{DocType, Field};

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its exact type.
    pub doc_type: DocType,
    /// Its fields as JSON.
    pub body: String,
}

/// What stands in the documents that have a value in a field.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Checksum {
    /// How many there are.
    pub documents: u64,
    /// Over ids and bodies, in the order of the ids.
    pub sha256: String,
}

impl Store {
    /// Reads a document.
    pub fn get(&self, id: &str) -> Result<Option<Stored>, StoreError> {
        self.reading(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT type, fields FROM document JOIN body USING (serial) WHERE bucket = ? AND id = ?",
            )?;
            let row = statement.query_row(params![bucket(id), id], |row| Ok((row.get::<_, u8>(0)?, row.get(1)?)));
            match row.optional()? {
                None => Ok(None),
                Some((code, body)) => {
                    let doc_type = DocType::from_code(code).ok_or_else(|| StoreError::Damaged(id.to_owned()))?;
                    Ok(Some(Stored { doc_type, body }))
                }
            }
        })
    }

    /// The checksum over all documents whose attribute has exactly this value as its text; over all if `None`.
    pub fn checksum(&self, matching: Option<(&Field, &str)>) -> Result<Checksum, StoreError> {
        self.reading(|connection| {
            let sql = match matching {
                Some((field, _)) => format!(
                    "SELECT id, fields FROM document JOIN body USING (serial)
                     WHERE CAST(document.{} AS TEXT) = ? ORDER BY id",
                    field.name
                ),
                None => "SELECT id, fields FROM document JOIN body USING (serial) ORDER BY id".to_owned(),
            };
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = match matching {
                Some((_, value)) => statement.query([value])?,
                None => statement.query([])?,
            };
            let mut hash = Sha256::new();
            let mut documents = 0;
            while let Some(row) = rows.next()? {
                for column in 0..2 {
                    let text = row.get_ref(column)?.as_bytes().unwrap_or_default();
                    // The length in front keeps two different splits from looking the same.
                    hash.update(text.len().to_string());
                    hash.update(b":");
                    hash.update(text);
                }
                documents += 1;
            }
            Ok(Checksum { documents, sha256: hex::encode(hash.finalize()) })
        })
    }
}
