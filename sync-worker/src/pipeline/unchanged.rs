//! Keeps what a source offers and what is stored already in just that version, so that it isn't read again.
//!
//! The hash of an entity with a version is that of its version, so one look at the rows tells. Whoever dies in between
//! has marked some as seen, which the next job's own marks replace.

use shared_models::EntityKey;
use shared_sources::{Offer, Offers};
use tokio::sync::mpsc;

use super::counts::{Counted, count};
use super::error::JobError;
use super::hash::version_hash;
use super::run::Run;

/// Rows that are looked at with one statement.
const PAGE: usize = 250;

/// Answers offers until the source has no more. An error ends the job; whoever waits for an answer then gets none.
pub async fn keep(run: &Run, mut offered: mpsc::Receiver<Offers>) -> Result<(), JobError> {
    while let Some(Offers { offers, answer }) = offered.recv().await {
        let mut kept = Vec::with_capacity(offers.len());
        for page in offers.chunks(PAGE) {
            kept.extend(keep_page(run, page).await.map_err(|error| run.writer.give_up(error))?);
        }
        // A source that is stopping doesn't wait for it.
        let _answered = answer.send(kept);
    }
    Ok(())
}

async fn keep_page(run: &Run, offers: &[Offer]) -> Result<Vec<bool>, JobError> {
    let writer = &run.writer;
    let embedder = run.embedding.as_ref().map(|embedding| embedding.embedder.identity());
    let keys: Vec<EntityKey> = offers.iter().map(|offer| run.entity_keys.key(offer.class, &offer.id)).collect();
    let stored = writer.read_rows(|| writer.database.stored_entities(writer.sync(), &keys)).await?;
    let is_stored = |(offer, key): (&Offer, &EntityKey)| {
        let hash = version_hash(offer.class, &offer.id, &offer.version, embedder.as_ref());
        stored.iter().any(|row| row.key == *key && row.content_hash.as_deref() == Some(hash.as_slice()))
    };
    let kept: Vec<bool> = offers.iter().zip(&keys).map(is_stored).collect();
    let unchanged: Vec<EntityKey> =
        keys.iter().zip(&kept).filter(|(_, is_kept)| **is_kept).map(|(key, _)| *key).collect();
    if !unchanged.is_empty() {
        writer.change_rows(|| writer.database.mark_seen(writer.rows, &unchanged)).await?;
        run.counts.add(Counted::Kept, count(unchanged.len()));
    }
    Ok(kept)
}
