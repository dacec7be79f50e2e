//! Documents with vectors: the chunks of a batch are embedded some at a time, and each such window is written before
//! the next is embedded, so that the vectors of a large entity are never in memory all at once.
//!
//! Embedding is no write: it needs no ticket and leaves nothing open. It is dropped the moment that the job is stopped,
//! so it never holds up an acknowledgement (DEL-8). If the embedder stays away, the job fails; what it was to write is
//! dirty in the rows, and the next job embeds and writes it again.

use std::sync::Arc;

use super::error::JobError;
use super::prepare::Prepared;
use super::run::{Embedding, Run};
use super::store::{Refusals, Writes, store_all};
use super::writer::StoreWrite;

/// Chunks that are embedded, then written.
const WINDOW: usize = 256;

/// Embeds and writes every chunk of these entities.
///
/// # Errors
/// [`JobError`]; no write is under way then.
pub async fn store_embedded(
    run: &Run,
    embedding: &Embedding,
    entities: Vec<Arc<Prepared>>,
) -> Result<Refusals, JobError> {
    let mut refusals = Refusals::default();
    let mut chunks = entities.into_iter().flat_map(|entity| {
        let count = entity.chunk_count();
        (0..count).map(move |chunk| (entity.clone(), chunk))
    });
    loop {
        let window: Vec<(Arc<Prepared>, u32)> = chunks.by_ref().take(WINDOW).collect();
        if window.is_empty() {
            return Ok(refusals);
        }
        refusals.add(store_window(run, embedding, window).await?);
    }
}

async fn store_window(
    run: &Run,
    embedding: &Embedding,
    window: Vec<(Arc<Prepared>, u32)>,
) -> Result<Refusals, JobError> {
    let texts: Vec<String> = window.iter().map(|(entity, chunk)| entity.embedding_input(*chunk)).collect();
    let vectors = run.writer.unless_stopped(embedding.embedder.embed(&texts, embedding.patience)).await?;
    let vectors = vectors.map_err(JobError::Embedder)?;
    let without = vectors.iter().filter(|vector| vector.is_none()).count();
    if without > 0 {
        metrics::counter!("unweave_chunks_without_vector_total").increment(u64::try_from(without).unwrap_or(u64::MAX));
        tracing::warn!(without, "chunks have no vector: they are blank, or the embedder refuses them");
    }
    let writes = window.into_iter().zip(vectors).map(|((entity, chunk), vector)| {
        let document = Box::new(entity.document(&run.job, chunk, vector));
        let write = StoreWrite::PutDocument(entity.document_id(&run.job, chunk), document);
        let writes: Writes = Box::new(std::iter::once(write));
        (entity.key(), writes)
    });
    store_all(&run.writer, writes.collect()).await
}
