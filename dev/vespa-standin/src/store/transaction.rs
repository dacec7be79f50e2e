//! One transaction of the writer: what each operation does to the tables.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use serde_json::Value;

use super::operation::{Condition, Operation, Outcome};
use super::{StoreError, blob, tables, words};
use crate::document::{self, Fields, Prepared, Words};
use crate::document_id::bucket;
use crate::record::Whole;
use crate::schema::DocType;

/// The statements that depend on the schema.
pub(super) struct Statements {
    /// By the type's number.
    inserts: Vec<String>,
    insert_words: String,
    insert_word_counts: String,
}

impl Statements {
    pub(super) fn new() -> Self {
        Self {
            inserts: DocType::ALL.map(tables::insert).to_vec(),
            insert_words: words::insert(),
            insert_word_counts: words::insert_counts(),
        }
    }
}

/// A document that is there.
struct Existing {
    serial: i64,
    doc_type: DocType,
}

/// The operations of one transaction.
///
/// The full-text index is changed at the end, in the order of the serials, removals first: a smaller rowid than the
/// last makes it write out what it has gathered, so that overwriting one after the other would cost a segment each.
pub(super) struct Batch<'a> {
    connection: &'a Connection,
    statements: &'a Statements,
    next_serial: &'a mut i64,
    /// Changes in the number of documents, to be counted once the transaction has committed.
    changes: Vec<(DocType, i64)>,
    added: BTreeMap<i64, (DocType, Vec<Words>)>,
    gone: BTreeSet<i64>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(connection: &'a Connection, statements: &'a Statements, next_serial: &'a mut i64) -> Self {
        let (added, gone) = (BTreeMap::new(), BTreeSet::new());
        Self { connection, statements, next_serial, changes: vec![], added, gone }
    }

    /// Writes what was put off, and tells how the numbers of documents change.
    pub(super) fn finish(self) -> Result<Vec<(DocType, i64)>, StoreError> {
        let mut delete = self.connection.prepare_cached("DELETE FROM words WHERE rowid = ?")?;
        let mut delete_counts = self.connection.prepare_cached("DELETE FROM word_count WHERE serial = ?")?;
        for serial in self.gone {
            delete.execute([serial])?;
            delete_counts.execute([serial])?;
        }
        let mut insert = self.connection.prepare_cached(&self.statements.insert_words)?;
        let mut insert_counts = self.connection.prepare_cached(&self.statements.insert_word_counts)?;
        for (serial, (doc_type, fields)) in self.added {
            let counts = fields.iter().map(|words| words.count);
            insert_counts.execute(params_from_iter([serial, i64::from(doc_type.code())].into_iter().chain(counts)))?;
            let texts = fields.into_iter().map(|words| Sql::Text(words.text));
            insert.execute(params_from_iter(std::iter::once(Sql::Integer(serial)).chain(texts)))?;
        }
        self.connection.prepare_cached("UPDATE next_serial SET value = ?")?.execute([*self.next_serial])?;
        Ok(self.changes)
    }

    pub(super) fn apply(&mut self, operation: Operation) -> Result<Outcome, StoreError> {
        match operation {
            Operation::Put { id, document, condition, create } => {
                let existing = self.existing(&id)?;
                let (passed, bytes) = self.check(&id, existing.as_ref(), condition.as_ref())?;
                if !(passed || create && existing.is_none()) {
                    return Ok(Outcome::ConditionFailed);
                }
                self.store(&id, *document, existing.as_ref())?;
                Ok(Outcome::Done { changed: 1, examined: u64::from(bytes > 0), bytes })
            }
            Operation::Update { id, doc_type, fields, condition, create } => {
                self.update(&id, doc_type, fields, condition.as_ref(), create)
            }
            Operation::Remove { id, condition } => {
                let existing = self.existing(&id)?;
                let (passed, bytes) = self.check(&id, existing.as_ref(), condition.as_ref())?;
                // As observed of the real thing: without the bucket there is nothing that could fail the condition.
                if !passed && (existing.is_some() || self.bucket_exists(&id)?) {
                    return Ok(Outcome::ConditionFailed);
                }
                let changed = match &existing {
                    Some(existing) => self.remove(&id, existing)?,
                    None => 0,
                };
                Ok(Outcome::Done { changed, examined: u64::from(bytes > 0), bytes })
            }
            Operation::RemoveSelected(documents) => {
                let mut changed = 0;
                for (id, serial) in documents {
                    if let Some(existing) = self.existing(&id)?
                        && existing.serial == serial
                    {
                        changed += self.remove(&id, &existing)?;
                    }
                }
                Ok(Outcome::Done { changed, examined: 0, bytes: 0 })
            }
        }
    }

    fn existing(&self, id: &str) -> Result<Option<Existing>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT serial, type FROM document WHERE bucket = ? AND id = ?")?;
        let found = statement.query_row(params![bucket(id), id], |row| Ok((row.get(0)?, row.get::<_, u8>(1)?)));
        match found.optional()? {
            None => Ok(None),
            Some((serial, code)) => {
                let doc_type = DocType::from_code(code).ok_or_else(|| StoreError::Damaged(id.to_owned()))?;
                Ok(Some(Existing { serial, doc_type }))
            }
        }
    }

    fn bucket_exists(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.connection.prepare_cached("SELECT 1 FROM document WHERE bucket = ? LIMIT 1")?.exists([bucket(id)])?)
    }

    fn fields(&self, id: &str, existing: &Existing) -> Result<(Fields, u64), StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT fields, vector FROM body LEFT JOIN embedding USING (serial) WHERE serial = ?")?;
        let mut rows = statement.query([existing.serial])?;
        let damaged = || StoreError::Damaged(id.to_owned());
        let row = rows.next()?.ok_or_else(damaged)?;
        let body = document::complete(row.get(0)?, blob(row, 1)).ok_or_else(damaged)?;
        match body.parse() {
            Ok(Value::Object(fields)) => Ok((fields, u64::try_from(body.len()).unwrap_or(u64::MAX))),
            _ => Err(StoreError::Damaged(id.to_owned())),
        }
    }

    /// Whether the condition holds, and the bytes read to find out.
    fn check(
        &self,
        id: &str,
        existing: Option<&Existing>,
        condition: Option<&Condition>,
    ) -> Result<(bool, u64), StoreError> {
        let Some(Condition(condition)) = condition else { return Ok((true, 0)) };
        let Some(existing) = existing else { return Ok((false, 0)) };
        let (fields, bytes) = self.fields(id, existing)?;
        Ok((condition.selects(&Whole { id, doc_type: existing.doc_type, fields: &fields }), bytes))
    }

    fn update(
        &mut self,
        id: &str,
        doc_type: DocType,
        changed: Fields,
        condition: Option<&Condition>,
        create: bool,
    ) -> Result<Outcome, StoreError> {
        let existing = self.existing(id)?;
        let (passed, _) = self.check(id, existing.as_ref(), condition)?;
        if !(passed || create && existing.is_none()) {
            return Ok(Outcome::ConditionFailed);
        }
        let (mut fields, bytes) = match &existing {
            Some(existing) => self.fields(id, existing)?,
            None if create => (Fields::new(), 0),
            None => return Ok(Outcome::Done { changed: 0, examined: 0, bytes: 0 }),
        };
        for (name, value) in changed {
            if value.is_null() {
                fields.remove(&name);
            } else {
                fields.insert(name, value);
            }
        }
        self.store(id, Prepared::new(doc_type, fields), existing.as_ref())?;
        Ok(Outcome::Done { changed: 1, examined: u64::from(existing.is_some()), bytes })
    }

    fn store(&mut self, id: &str, document: Prepared, existing: Option<&Existing>) -> Result<(), StoreError> {
        if let Some(existing) = existing {
            self.forget(existing)?;
            self.changes.push((existing.doc_type, -1));
        }
        self.changes.push((document.doc_type, 1));
        let serial = *self.next_serial;
        *self.next_serial += 1;
        let code = document.doc_type.code();
        let head = [
            Sql::Integer(i64::from(bucket(id))),
            Sql::Text(id.to_owned()),
            Sql::Integer(serial),
            Sql::Integer(i64::from(code)),
            document.sync_key.map_or(Sql::Null, Sql::Text),
        ];
        let Some(insert) = self.statements.inserts.get(usize::from(code)) else {
            return Err(StoreError::Damaged(id.to_owned()));
        };
        self.connection.prepare_cached(insert)?.execute(params_from_iter(head.into_iter().chain(document.columns)))?;
        self.connection
            .prepare_cached("INSERT INTO body (serial, fields) VALUES (?, ?)")?
            .execute(params![serial, document.body])?;
        if let Some(vector) = document.embedding {
            self.connection
                .prepare_cached("INSERT INTO embedding (serial, vector) VALUES (?, ?)")?
                .execute(params![serial, vector])?;
        }
        self.added.insert(serial, (document.doc_type, document.words));
        Ok(())
    }

    /// Removes body, vector and words.
    fn forget(&mut self, existing: &Existing) -> Result<(), StoreError> {
        for table in ["DELETE FROM body WHERE serial = ?", "DELETE FROM embedding WHERE serial = ?"] {
            self.connection.prepare_cached(table)?.execute([existing.serial])?;
        }
        if self.added.remove(&existing.serial).is_none() {
            self.gone.insert(existing.serial);
        }
        Ok(())
    }

    fn remove(&mut self, id: &str, existing: &Existing) -> Result<u64, StoreError> {
        self.forget(existing)?;
        self.connection
            .prepare_cached("DELETE FROM document WHERE bucket = ? AND id = ?")?
            .execute(params![bucket(id), id])?;
        self.changes.push((existing.doc_type, -1));
        Ok(1)
    }
}
