//! Fifth stage: blobs and documents go to the stores; then what an earlier, longer version left there is removed.

use shared_stores::arf::Blob;

use super::embed::store_embedded;
use super::error::JobError;
use super::mark::Change;
use super::run::Run;
use super::store::{Refusals, Writes, store_all, store_blobs};
use super::writer::StoreWrite;

/// Changes whose every write was answered.
#[derive(Debug)]
pub struct Written {
    /// The changes.
    pub changes: Vec<Change>,
    /// Which of them a store refused.
    pub refusals: Refusals,
}

/// Writes changes to the stores.
///
/// # Errors
/// [`JobError`]; no write is under way then, and the rows stay dirty.
pub async fn write(run: &Run, changes: Vec<Change>) -> Result<Written, JobError> {
    let blobs: Vec<Blob> = changes.iter().flat_map(|change| change.entity.blobs()).collect();
    let mut refusals = match &run.embedding {
        None => {
            let documents = changes.iter().map(|change| (change.entity.key(), documents_of(run, change)));
            let (blobs, documents) =
                tokio::join!(store_blobs(&run.writer, blobs), store_all(&run.writer, documents.collect()));
            both(blobs, documents)?
        }
        Some(embedding) => {
            let mut refusals = store_blobs(&run.writer, blobs).await?;
            let entities = changes.iter().map(|change| change.entity.clone()).collect();
            refusals.add(store_embedded(run, embedding, entities).await?);
            refusals
        }
    };
    let complete = changes.iter().filter(|change| refusals.is_complete(change.entity.key()));
    let surplus = complete.map(|change| (change.entity.key(), surplus_of(run, change)));
    refusals.add(store_all(&run.writer, surplus.collect()).await?);
    Ok(Written { changes, refusals })
}

/// The outcome of two that were both waited for. If one gave up because of the other, the other's error counts.
fn both(one: Result<Refusals, JobError>, other: Result<Refusals, JobError>) -> Result<Refusals, JobError> {
    match (one, other) {
        (Ok(mut one), Ok(other)) => {
            one.add(other);
            Ok(one)
        }
        (Err(JobError::GivenUp) | Ok(_), Err(error)) | (Err(error), Ok(_) | Err(_)) => Err(error),
    }
}

fn documents_of(run: &Run, change: &Change) -> Writes {
    let (job, entity) = (run.job.clone(), change.entity.clone());
    Box::new((0..entity.chunk_count()).map(move |chunk| {
        StoreWrite::PutDocument(entity.document_id(&job, chunk), Box::new(entity.document(&job, chunk, None)))
    }))
}

/// Chunks that an earlier, longer version of the entity had.
fn surplus_of(run: &Run, change: &Change) -> Writes {
    let (job, entity) = (run.job.clone(), change.entity.clone());
    let surplus = entity.chunk_count()..change.earlier_chunks;
    Box::new(surplus.map(move |chunk| StoreWrite::RemoveDocument(entity.document_id(&job, chunk))))
}
