//! The one thread that writes.
//!
//! It takes what has piled up, runs it in one transaction, commits, and only then answers each. While it commits, the
//! next batch piles up: the more there is to do, the less a commit costs each.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::operation::{Operation, Outcome};
use super::transaction::{Batch, Statements};
use super::{StoreError, TypeCounts, tables};
/// More would make the first of a batch wait too long.
const MAX_BATCH: usize = 1000;

type Reply = oneshot::Sender<Result<Outcome, StoreError>>;
type Job = (Operation, Reply);

pub(super) struct Writer {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, counts: Arc<TypeCounts>) -> Result<Self, StoreError> {
        let mut thread = Thread {
            next_serial: tables::next_serial(&connection)?,
            statements: Statements::new(),
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
        let jobs = self.jobs.lock();
        let jobs = jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send((operation, reply)).map_err(|_| StoreError::Closed)?;
        Ok(answer)
    }

    pub(super) fn stop(&self) {
        drop(self.jobs.lock().take());
        let thread = self.thread.lock().take();
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
    statements: Statements,
    next_serial: i64,
}

impl Thread {
    fn run(&mut self, jobs: &mpsc::Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let batch = std::iter::once(first).chain(jobs.try_iter()).take(MAX_BATCH).collect();
            self.batch(batch);
        }
    }

    fn batch(&mut self, batch: Vec<Job>) {
        let (operations, replies): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        match self.transaction(operations) {
            Ok(outcomes) => {
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    // Nobody waits any more: the client gave up. The write stands.
                    let _ = reply.send(Ok(outcome));
                }
            }
            Err(error) => {
                tracing::error!(%error, "a batch of writes was rolled back");
                for reply in replies {
                    let _ = reply.send(Err(StoreError::RolledBack(error.to_string())));
                }
            }
        }
    }

    fn transaction(&mut self, operations: Vec<Operation>) -> Result<Vec<Outcome>, StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut batch = Batch::new(&self.connection, &self.statements, &mut self.next_serial);
        let outcomes: Vec<Outcome> =
            operations.into_iter().map(|operation| batch.apply(operation)).collect::<Result<_, _>>()?;
        let changes = batch.finish()?;
        transaction.commit()?;
        for (doc_type, by) in changes {
            self.counts.add(doc_type, by);
        }
        Ok(outcomes)
    }
}
