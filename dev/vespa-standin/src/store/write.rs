//! The one thread that writes.
//!
//! It takes what has piled up, runs it in one transaction, commits, and only then answers each. While it commits, the
//! next batch piles up: the more there is to do, the less a commit costs each.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{StoreError, TypeCounts, tables};
use crate::document::{Fields, Prepared};
use crate::document_id::bucket;
use crate::record::Whole;
use crate::schema::DocType;
use crate::selection::Expr;

/// More would make the first of a batch wait too long.
const MAX_BATCH: usize = 1000;

/// Something to write.
#[derive(Debug)]
pub enum Operation {
    /// Stores a document.
    Put {
        /// The full id.
        id: String,
        /// The document.
        document: Box<Prepared>,
        /// What the stored document must be.
        condition: Option<Condition>,
        /// Whether a missing document passes the condition.
        create: bool,
    },
    /// Changes fields of a document.
    Update {
        /// The full id.
        id: String,
        /// Its type, for the case that it is created.
        doc_type: DocType,
        /// The new values; null clears.
        fields: Fields,
        /// What the stored document must be.
        condition: Option<Condition>,
        /// Whether a missing document is created.
        create: bool,
    },
    /// Removes a document.
    Remove {
        /// The full id.
        id: String,
        /// What the stored document must be.
        condition: Option<Condition>,
    },
    /// Removes documents that a walk has found, unless they have been written since.
    RemoveSelected(Vec<(String, i64)>),
}

/// A condition on the stored document.
#[derive(Debug)]
pub struct Condition(pub Expr);

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is on disk. `examined` is the bytes read for it, if a stored document was looked at.
    Done {
        /// Documents written or removed.
        changed: u64,
        /// Documents looked at.
        examined: u64,
        /// Bytes of them.
        bytes: u64,
    },
    /// The stored document didn't match, or isn't there.
    ConditionFailed,
}

type Reply = oneshot::Sender<Result<Outcome, StoreError>>;
type Job = (Operation, Reply);

pub(super) struct Writer {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, counts: Arc<TypeCounts>) -> Result<Self, StoreError> {
        let mut thread = Thread {
            serial: AtomicI64::new(tables::next_serial(&connection)?),
            inserts: DocType::ALL.map(tables::insert).to_vec(),
            insert_words: tables::insert_words(),
            connection,
            counts,
        };
        let (sender, jobs) = mpsc::channel();
        let thread = std::thread::Builder::new().name("writer".into()).spawn(move || thread.run(&jobs))?;
        Ok(Self { jobs: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    pub(super) fn submit(
        &self,
        operation: Operation,
    ) -> Result<oneshot::Receiver<Result<Outcome, StoreError>>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send((operation, reply)).map_err(|_| StoreError::Closed)?;
        Ok(answer)
    }

    pub(super) fn stop(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the writer panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Thread {
    connection: Connection,
    counts: Arc<TypeCounts>,
    serial: AtomicI64,
    inserts: Vec<String>,
    insert_words: String,
}

/// A document that is there.
struct Existing {
    serial: i64,
    doc_type: DocType,
}

/// The changes of a batch in the number of documents, to be counted once it has committed.
type Changes = Vec<(DocType, i64)>;

impl Thread {
    fn run(&mut self, jobs: &mpsc::Receiver<Job>) {
        let mut waiting: Option<Job> = None;
        while let Some(first) = waiting.take().or_else(|| jobs.recv().ok()) {
            let mut written: HashSet<String> = ids(&first.0).map(str::to_owned).collect();
            let mut batch = vec![first];
            while batch.len() < MAX_BATCH
                && let Ok(job) = jobs.try_recv()
            {
                // The full-text index forgets a removal of what the same transaction has added.
                if ids(&job.0).any(|id| written.contains(id)) {
                    waiting = Some(job);
                    break;
                }
                written.extend(ids(&job.0).map(str::to_owned));
                batch.push(job);
            }
            self.batch(batch);
        }
    }

    fn batch(&mut self, batch: Vec<Job>) {
        let mut changes = Changes::new();
        let (operations, replies): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        match self.transaction(operations, &mut changes) {
            Ok(outcomes) => {
                for (doc_type, by) in changes {
                    self.counts.add(doc_type, by);
                }
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    // Nobody waits any more: the client gave up. The write stands.
                    let _ = reply.send(Ok(outcome));
                }
            }
            Err(error) => {
                tracing::error!(%error, "a batch of writes was rolled back");
                for reply in replies {
                    let _ = reply.send(Err(StoreError::Folder(std::io::Error::other(error.to_string()))));
                }
            }
        }
    }

    fn transaction(&self, operations: Vec<Operation>, changes: &mut Changes) -> Result<Vec<Outcome>, StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut outcomes = Vec::with_capacity(operations.len());
        for operation in operations {
            outcomes.push(self.apply(operation, changes)?);
        }
        let serial = self.serial.load(Ordering::Relaxed);
        self.connection.prepare_cached("UPDATE next_serial SET value = ?")?.execute([serial])?;
        transaction.commit()?;
        Ok(outcomes)
    }

    fn apply(&self, operation: Operation, changes: &mut Changes) -> Result<Outcome, StoreError> {
        match operation {
            Operation::Put { id, document, condition, create } => {
                let existing = self.existing(&id)?;
                let (passed, bytes) = self.check(&id, existing.as_ref(), condition.as_ref())?;
                if !(passed || create && existing.is_none()) {
                    return Ok(Outcome::ConditionFailed);
                }
                self.store(&id, *document, existing.as_ref(), changes)?;
                Ok(Outcome::Done { changed: 1, examined: u64::from(bytes > 0), bytes })
            }
            Operation::Update { id, doc_type, fields, condition, create } => {
                self.update(&id, doc_type, fields, condition.as_ref(), create, changes)
            }
            Operation::Remove { id, condition } => {
                let existing = self.existing(&id)?;
                let (passed, bytes) = self.check(&id, existing.as_ref(), condition.as_ref())?;
                // As observed of the real thing: without the bucket there is nothing that could fail the condition.
                if !passed && (existing.is_some() || self.bucket_exists(&id)?) {
                    return Ok(Outcome::ConditionFailed);
                }
                let changed = match &existing {
                    Some(existing) => self.remove(&id, existing, changes)?,
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
                        changed += self.remove(&id, &existing, changes)?;
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
        let mut statement = self.connection.prepare_cached("SELECT fields FROM body WHERE serial = ?")?;
        let body: String = statement.query_row([existing.serial], |row| row.get(0))?;
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
        &self,
        id: &str,
        doc_type: DocType,
        changed: Fields,
        condition: Option<&Condition>,
        create: bool,
        changes: &mut Changes,
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
        self.store(id, Prepared::new(doc_type, fields), existing.as_ref(), changes)?;
        Ok(Outcome::Done { changed: 1, examined: u64::from(existing.is_some()), bytes })
    }

    fn store(
        &self,
        id: &str,
        document: Prepared,
        existing: Option<&Existing>,
        changes: &mut Changes,
    ) -> Result<(), StoreError> {
        if let Some(existing) = existing {
            self.forget(existing)?;
            changes.push((existing.doc_type, -1));
        }
        changes.push((document.doc_type, 1));
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let code = document.doc_type.code();
        let head = [
            Sql::Integer(i64::from(bucket(id))),
            Sql::Text(id.to_owned()),
            Sql::Integer(serial),
            Sql::Integer(i64::from(code)),
            document.sync_key.map_or(Sql::Null, Sql::Text),
        ];
        let Some(insert) = self.inserts.get(usize::from(code)) else { return Err(StoreError::Damaged(id.to_owned())) };
        self.connection
            .prepare_cached(insert)?
            .execute(params_from_iter(head.into_iter().chain(document.attributes)))?;
        self.connection
            .prepare_cached("INSERT INTO body (serial, fields) VALUES (?, ?)")?
            .execute(params![serial, document.body])?;
        self.connection
            .prepare_cached(&self.insert_words)?
            .execute(params_from_iter(std::iter::once(Sql::Integer(serial)).chain(document.texts)))?;
        Ok(())
    }

    /// Removes body and words.
    fn forget(&self, existing: &Existing) -> Result<(), StoreError> {
        self.connection.prepare_cached("DELETE FROM body WHERE serial = ?")?.execute([existing.serial])?;
        self.connection.prepare_cached("DELETE FROM words WHERE rowid = ?")?.execute([existing.serial])?;
        Ok(())
    }

    fn remove(&self, id: &str, existing: &Existing, changes: &mut Changes) -> Result<u64, StoreError> {
        self.forget(existing)?;
        self.connection
            .prepare_cached("DELETE FROM document WHERE bucket = ? AND id = ?")?
            .execute(params![bucket(id), id])?;
        changes.push((existing.doc_type, -1));
        Ok(1)
    }
}

/// The ids that an operation may write.
fn ids(operation: &Operation) -> impl Iterator<Item = &str> {
    let (one, many): (Option<&str>, &[(String, i64)]) = match operation {
        Operation::Put { id, .. } | Operation::Update { id, .. } | Operation::Remove { id, .. } => (Some(id), &[]),
        Operation::RemoveSelected(documents) => (None, documents),
    };
    one.into_iter().chain(many.iter().map(|(id, _)| id.as_str()))
}
