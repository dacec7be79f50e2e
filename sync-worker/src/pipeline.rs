//! One job's work: read → compare → embed → write, then remove what the source no longer has.
//!
//! Memory is bounded: a source waits while the batches under way are written. Batches that share no entity overlap, so
//! the order of each entity's writes is that of the source. A source that fails fails the job and removes nothing; nor is
//! anything removed that the source says it could not read, or was not asked for ([`crate::sources::Seen`]).

use std::collections::HashSet;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use serde_json::{Map, Value};
use shared_database::jobs::ClaimedJob;
use shared_models::{EntityKey, SyncJobId};
use shared_service::Tasks;
use shared_service::clock::utc_now;
use shared_stores::ArfError;
use shared_stores::arf::Manifest;
use tokio_util::task::AbortOnDropHandle;

mod batch;
mod chunk;
mod counts;
mod embed;
mod error;
mod hash;
mod limiter;
mod prepare;
mod remove;
mod write;
mod writer;

pub use counts::{Counted, Counts};
pub use embed::Embedding;
pub use error::JobError;
pub use hash::form;
pub use limiter::Limiter;
pub use writer::{Stores, Writer};

use crate::sources::{EntitySink, ReadSummary, Source, SourceAccess};
use batch::{Batch, Batches};
use writer::{NotWritten, StoreWrite};

/// Entities between source and batches; each may carry a raw file.
const READ_AHEAD: usize = 8;
/// Batches under way at once.
const BATCHES_IN_FLIGHT: usize = 3;

/// What all stages of one job share.
pub struct Run {
    /// The job.
    pub job: Arc<ClaimedJob>,
    /// The one place from which the job writes.
    pub writer: Writer,
    /// What it has done so far.
    pub counts: Arc<Counts>,
    /// Largest raw file that is kept as a blob, bytes.
    pub max_blob_bytes: u64,
    /// How chunks are embedded, if there is an embedder.
    pub embedding: Option<Embedding>,
}

/// How the source is read.
pub struct Reading {
    /// The source.
    pub source: Source,
    /// Config, as the catalogue validated it.
    pub config: Map<String, Value>,
    /// Credentials, likewise.
    pub credentials: Map<String, Value>,
    /// What the operator allows.
    pub access: SourceAccess,
    /// Where an earlier job came to an end; `None` reads everything.
    pub cursor: Option<Value>,
}

/// Reads the source and writes what is new, changed or gone. Returns the source's new cursor, if it has one.
///
/// # Errors
/// [`JobError`]; every write has been answered or let go of then.
pub async fn run(run: &Run, reading: Reading, tasks: &Tasks) -> Result<Option<Value>, JobError> {
    write_manifest(run).await?;
    let (sink, entities) = EntitySink::new(READ_AHEAD);
    let source = AbortOnDropHandle::new(tasks.spawn("source", async move {
        let Reading { source, config, credentials, access, cursor } = reading;
        Box::pin(source.read(&config, &credentials, &access, cursor.as_ref(), sink)).await
    }));
    write_all(run, Batches::new(entities)).await?;
    let ReadSummary { skipped, seen, cursor } = source.await.map_err(|_| JobError::SourceCrashed)??;
    remove::remove_vanished(run, &seen).await?;
    // The source would not yield what a store has refused again: the next job must start where this one did.
    let all_taken = run.counts.now().failed == 0;
    run.counts.add(Counted::Failed, skipped);
    Ok(cursor.filter(|_| all_taken))
}

/// Writes every batch. Batches without a common entity overlap.
async fn write_all(run: &Run, mut batches: Batches) -> Result<(), JobError> {
    type Written = (HashSet<EntityKey>, Result<(), JobError>);
    let mut under_way: FuturesUnordered<BoxFuture<'_, Written>> = FuturesUnordered::new();
    let mut busy: HashSet<EntityKey> = HashSet::new();
    let mut waiting: Option<Batch> = None;
    let mut is_at_end = false;
    let mut failure: Option<JobError> = None;
    loop {
        if let Some(batch) = waiting.take_if(|batch| failure.is_none() && batch.keys().all(|key| !busy.contains(key))) {
            let keys: HashSet<EntityKey> = batch.keys().copied().collect();
            busy.extend(&keys);
            under_way.push(async move { (keys, write::write_batch(run, batch).await) }.boxed());
        }
        let is_reading = !is_at_end && failure.is_none() && waiting.is_none() && under_way.len() < BATCHES_IN_FLIGHT;
        if under_way.is_empty() && !is_reading {
            return failure.map_or(Ok(()), Err);
        }
        tokio::select! {
            Some((keys, written)) = under_way.next() => {
                busy.retain(|key| !keys.contains(key));
                // After the first error the others are waited for: a batch that is dropped would leave writes open.
                if let (Err(error), None | Some(JobError::GivenUp)) = (written, &failure) {
                    failure = Some(run.writer.give_up(error));
                }
            }
            batch = batches.next(), if is_reading => match batch {
                Some(batch) => waiting = Some(batch),
                None => is_at_end = true,
            },
        }
    }
}

/// The manifest comes before anything else of the sync: what has no manifest isn't ours.
async fn write_manifest(run: &Run) -> Result<(), JobError> {
    let (writer, job) = (&run.writer, &run.job);
    if job.follows_lost_worker {
        let removed = writer.stores.arf.remove_staging(job.sync_id).await;
        let removed = removed.map_err(|error| writer.give_up(JobError::Arf(error)))?;
        tracing::info!(removed, "removed what a lost worker left half-way");
    }
    let earlier = match writer.stores.arf.manifest(job.sync_id).await {
        Ok(earlier) => earlier,
        Err(ArfError::Manifest(error)) => {
            tracing::warn!(%error, "the sync's manifest is unreadable; written anew");
            None
        }
        Err(error) => return Err(writer.give_up(JobError::Arf(error))),
    };
    let now = utc_now();
    let created_at = earlier.as_ref().map_or(now, |manifest| manifest.created_at);
    let mut sync_jobs: Vec<SyncJobId> = earlier.map(|manifest| manifest.sync_jobs).unwrap_or_default();
    sync_jobs.retain(|id| *id != job.job_id);
    sync_jobs.push(job.job_id);
    let manifest = Manifest {
        sync_id: job.sync_id,
        source_short_name: job.short_name.clone(),
        collection_id: job.collection_id,
        collection_readable_id: job.collection_readable_id.clone(),
        organization_id: job.organization_id,
        created_at,
        updated_at: now,
        sync_jobs,
    };
    match writer.store(StoreWrite::PutManifest(Box::new(manifest))).await {
        Ok(()) => Ok(()),
        Err(NotWritten::Job(error)) => Err(error),
        Err(NotWritten::Refused(why)) => Err(writer.give_up(JobError::Refused { count: 1, last: why })),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use shared_models::DocumentType;

    use crate::sources::SourceEntity;

    /// A plain entity.
    pub fn entity(id: &str, text: &str) -> SourceEntity {
        SourceEntity {
            class: "TestEntity",
            id: id.to_owned(),
            name: format!("Entity {id}"),
            document_type: DocumentType::Base,
            text: text.to_owned(),
            fields: Map::new(),
            breadcrumbs: Vec::new(),
            created_at: None,
            updated_at: None,
            web_url: String::new(),
            file: None,
        }
    }
}
