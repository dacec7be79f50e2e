//! The one place from which a job writes: every request to a store and every statement is one write under the lease.
//!
//! Keeps DEL-2: the start rule is asked directly before the send, a retry is a new write, and a write whose answer is
//! unknown stays open. Nothing here is dropped half-way: after a stop no write starts, and what is under way is waited
//! for, so that the stop can be acknowledged with the last answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use shared_database::entities::EntityWriter;
use shared_database::{Database, DatabaseError};
use shared_models::{DocumentId, SyncId};
use shared_service::Backoff;
use shared_stores::arf::{Blob, EntityBlobs, Manifest, PutHandle};
use shared_stores::vespa::Document;
use shared_stores::{ArfError, ArfStore, VespaClient, VespaError};
use tokio_util::sync::CancellationToken;

use super::error::JobError;
use super::limiter::Limiter;
use crate::lease::{Lease, StartRefused, Stop, WriteKind, WriteTicket};

/// Attempts at one write, refusals for overload not counted.
const ATTEMPTS: u32 = 5;
const PAUSES: Backoff = Backoff::new(Duration::from_millis(if cfg!(test) { 2 } else { 200 }), Duration::from_secs(5));

/// Refused entities in a row after which the fault isn't theirs.
const MAX_REFUSED_IN_A_ROW: u32 = 50;

/// Where documents and blobs go.
#[derive(Debug, Clone)]
pub struct Stores {
    /// Documents.
    pub vespa: VespaClient,
    /// Blobs.
    pub arf: ArfStore,
    /// Whether a write to ARF runs to its end on this machine.
    pub arf_writes: WriteKind,
    /// Writes in flight, of all jobs.
    pub limiter: Arc<Limiter>,
}

/// One write to a store.
#[derive(Debug, Clone)]
pub enum StoreWrite {
    /// A document.
    PutDocument(DocumentId, Box<Document>),
    /// A document that is no longer wanted.
    RemoveDocument(DocumentId),
    /// An entity's capture or raw file.
    PutBlob(Blob),
    /// Capture and raw file that are no longer wanted.
    RemoveBlobs(EntityBlobs),
    /// What the sync's blobs belong to.
    PutManifest(Box<Manifest>),
}

#[derive(Debug, thiserror::Error)]
enum StoreError {
    #[error(transparent)]
    Vespa(#[from] VespaError),
    #[error(transparent)]
    Arf(#[from] ArfError),
}

/// Why a store refuses one entity for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For logs.
    pub code: &'static str,
    /// For the job's row: the store's own words, which may hold the entity's.
    pub text: String,
}

/// Why a write to a store wasn't made.
#[derive(Debug)]
pub enum NotWritten {
    /// The store refuses this one for good.
    Refused(Refusal),
    /// The job can't go on.
    Job(JobError),
}

/// Writes for one job.
pub struct Writer {
    /// The job's lease.
    pub lease: Arc<Lease>,
    /// The identity under which rows are written.
    pub rows: EntityWriter,
    /// PostgreSQL.
    pub database: Database,
    /// Vespa and ARF.
    pub stores: Stores,
    /// Set by the first error that ends the job, so that nothing else is tried.
    pub given_up: CancellationToken,
    /// Entities refused one after the other.
    pub refused_in_a_row: AtomicU32,
}

impl Writer {
    /// Makes one write to a store, with retries.
    ///
    /// # Errors
    /// [`NotWritten`].
    pub async fn store(&self, write: StoreWrite) -> Result<(), NotWritten> {
        let mut pauses = PAUSES.pauses();
        let mut attempt = 1;
        loop {
            match self.try_store(&write).await? {
                Ok(()) => return Ok(()),
                Err(StoreError::Vespa(VespaError::Overloaded)) => {}
                Err(error) if error.is_refusal() => return Err(NotWritten::Refused(error.into())),
                Err(error) if attempt == ATTEMPTS || !error.is_retryable() => {
                    return Err(NotWritten::Job(self.give_up(error.into())));
                }
                Err(error) => {
                    tracing::debug!(%error, attempt, "a write failed; trying again");
                    attempt += 1;
                }
            }
            self.pause(pauses.pause()).await.map_err(NotWritten::Job)?;
        }
    }

    /// Writes blobs to the local folder on one thread, while the lease allows it and nothing fails; returns those that
    /// were not written.
    ///
    /// # Errors
    /// [`JobError`]; no blob is under way then.
    pub async fn put_each(&self, blobs: Vec<Blob>) -> Result<Vec<Blob>, JobError> {
        self.lease.writable().await?;
        let _permit = self.stores.limiter.acquire().await;
        let (lease, given_up) = (self.lease.clone(), self.given_up.clone());
        // The ticket is dropped when its write has returned, and with that the write is over.
        let start = move || if given_up.is_cancelled() { None } else { lease.start_blocking_write().ok() };
        let left = self.stores.arf.put_each(self.rows.sync, blobs, start).await;
        left.map_err(|error| self.give_up(JobError::Arf(error)))
    }

    /// One attempt: the outer error ends the job, the inner one is the store's.
    async fn try_store(&self, write: &StoreWrite) -> Result<Result<(), StoreError>, NotWritten> {
        let (permit, ticket) = loop {
            self.lease.writable().await.map_err(|stop| NotWritten::Job(stop.into()))?;
            let permit = self.stores.limiter.acquire().await;
            if self.given_up.is_cancelled() {
                return Err(NotWritten::Job(JobError::GivenUp));
            }
            let started = match write.kind(self.stores.arf_writes) {
                WriteKind::Remote => self.lease.start_write(),
                WriteKind::Blocking => self.lease.start_blocking_write(),
            };
            match started {
                Ok(ticket) => break (permit, ticket),
                Err(StartRefused::TooLittleLeft) => {}
                Err(StartRefused::Ended(stop)) => return Err(NotWritten::Job(stop.into())),
            }
        };
        let sent = self.send(write, ticket).await;
        match &sent {
            Ok(()) => permit.taken(),
            Err(StoreError::Vespa(VespaError::Overloaded)) => permit.overloaded(),
            Err(_) => drop(permit),
        }
        Ok(sent)
    }

    async fn send(&self, write: &StoreWrite, ticket: WriteTicket) -> Result<(), StoreError> {
        let (vespa, arf, sync) = (&self.stores.vespa, &self.stores.arf, self.rows.sync);
        let left = ticket.time_left();
        match write {
            StoreWrite::PutDocument(id, document) => vespa_answer(vespa.put(id, document.as_ref(), left).await, ticket),
            StoreWrite::RemoveDocument(id) => vespa_answer(vespa.remove(id, left).await, ticket),
            StoreWrite::PutBlob(blob) => arf_answer(arf.put_blob(sync, blob.clone(), left), ticket).await,
            StoreWrite::RemoveBlobs(blobs) => arf_answer(arf.delete_entity(sync, blobs, left), ticket).await,
            StoreWrite::PutManifest(manifest) => arf_answer(arf.put_manifest(manifest, left), ticket).await,
        }
    }

    /// Runs one statement that changes rows; `false` from it means that the lease is lost.
    ///
    /// # Errors
    /// [`JobError`].
    pub async fn change_rows<F, Fut>(&self, statement: F) -> Result<(), JobError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<bool, DatabaseError>>,
    {
        let mut pauses = PAUSES.pauses();
        loop {
            self.lease.writable().await?;
            let ticket = match self.lease.start_write() {
                Ok(ticket) => ticket,
                Err(StartRefused::TooLittleLeft) => continue,
                Err(StartRefused::Ended(stop)) => return Err(stop.into()),
            };
            match tokio::time::timeout(ticket.time_left(), statement()).await {
                Ok(Ok(true)) => {
                    ticket.answered();
                    return Ok(());
                }
                Ok(Ok(false) | Err(DatabaseError::ForeignKey { .. })) => {
                    ticket.answered();
                    self.lease.stop(Stop::RowsGone);
                    return Err(Stop::RowsGone.into());
                }
                Ok(Err(error)) if error.was_rolled_back() => {
                    ticket.answered();
                    tracing::debug!(%error, "a statement was rolled back; trying again");
                }
                Ok(Err(error)) if error.is_retryable() => tracing::warn!(%error, "PostgreSQL is away; trying again"),
                Ok(Err(error)) => {
                    ticket.answered();
                    return Err(self.give_up(error.into()));
                }
                Err(_) => tracing::warn!("PostgreSQL did not answer in time; trying again"),
            }
            self.pause(pauses.pause()).await?;
        }
    }

    /// Runs one statement that only reads, until it succeeds or the lease ends.
    ///
    /// # Errors
    /// [`JobError`].
    pub async fn read_rows<T, F, Fut>(&self, statement: F) -> Result<T, JobError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, DatabaseError>>,
    {
        let mut pauses = PAUSES.pauses();
        loop {
            match statement().await {
                Ok(rows) => return Ok(rows),
                Err(error) if error.is_retryable() => tracing::warn!(%error, "PostgreSQL is away; trying again"),
                Err(error) => return Err(self.give_up(error.into())),
            }
            self.pause(pauses.pause()).await?;
        }
    }

    /// Notes that an entity was taken.
    pub fn taken(&self) {
        self.refused_in_a_row.store(0, Ordering::Relaxed);
    }

    /// Notes that an entity was refused for good.
    ///
    /// # Errors
    /// [`JobError::Refused`] if too many were in a row.
    pub fn refused(&self, refusal: &Refusal) -> Result<(), JobError> {
        let count = self.refused_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::warn!(code = refusal.code, "an entity was refused");
        if count >= MAX_REFUSED_IN_A_ROW {
            return Err(self.give_up(JobError::Refused { count, last: refusal.text.clone() }));
        }
        Ok(())
    }

    /// Notes that the job ends with `error`.
    pub fn give_up(&self, error: JobError) -> JobError {
        self.given_up.cancel();
        error
    }

    async fn pause(&self, pause: Duration) -> Result<(), JobError> {
        self.unless_stopped(tokio::time::sleep(pause)).await
    }

    /// Does what is no write until it is done, or drops it when the job is stopped or gives up.
    ///
    /// # Errors
    /// Why it was dropped.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, JobError> {
        tokio::select! {
            biased;
            () = self.lease.stopped() => {
                Err(self.lease.stop_reason().map_or(JobError::GivenUp, |(stop, _)| stop.into()))
            }
            () = self.given_up.cancelled() => Err(JobError::GivenUp),
            done = work => Ok(done),
        }
    }

    /// The sync.
    #[must_use]
    pub const fn sync(&self) -> SyncId {
        self.rows.sync
    }
}

impl StoreWrite {
    const fn kind(&self, arf_writes: WriteKind) -> WriteKind {
        match self {
            Self::PutDocument(..) | Self::RemoveDocument(_) => WriteKind::Remote,
            Self::PutBlob(_) | Self::RemoveBlobs(_) | Self::PutManifest(_) => arf_writes,
        }
    }
}

impl StoreError {
    /// Whether it is this write that is refused, and not the job's writes altogether.
    fn is_refusal(&self) -> bool {
        match self {
            Self::Vespa(error) => matches!(error, VespaError::Rejected { .. }),
            Self::Arf(error) => {
                matches!(error, ArfError::TooLarge { .. } | ArfError::Store { .. }) && !error.is_retryable()
            }
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Vespa(error) => error.is_retryable(),
            Self::Arf(error) => error.is_retryable(),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Vespa(error) => error.code(),
            StoreError::Arf(error) => error.code(),
        };
        Self { code, text: error.to_string() }
    }
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Vespa(error) => Self::Vespa(error),
            StoreError::Arf(error) => Self::Arf(error),
        }
    }
}

fn vespa_answer(answer: Result<(), VespaError>, ticket: WriteTicket) -> Result<(), StoreError> {
    match &answer {
        Err(error) if error.may_still_apply() => drop(ticket),
        Ok(()) | Err(_) => ticket.answered(),
    }
    Ok(answer?)
}

/// The handle ends with the write itself where it runs on this machine, so the ticket is held as long as it does.
async fn arf_answer(put: PutHandle, ticket: WriteTicket) -> Result<(), StoreError> {
    let answer = put.await;
    match &answer {
        Err(error) if error.may_still_apply() => drop(ticket),
        Ok(()) | Err(_) => ticket.answered(),
    }
    Ok(answer?)
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
