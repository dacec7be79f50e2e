//! Removing entities: rows dirty first, then documents and blobs, then the rows.
//!
//! Whoever dies in between leaves a dirty row that still covers everything; the next job goes on.

use std::collections::HashSet;

use shared_database::entities::StoredEntity;
use shared_models::{DocumentId, EntityKey, SyncId};

use super::counts::{Counted, count};
use super::error::JobError;
use super::run::Run;
use super::store::{Writes, store_all};
use super::writer::{StoreWrite, Writer};
use crate::sources::Seen;

const PAGE: u32 = 64;

/// Removes every entity that the job didn't see, and that is gone as far as the source can say. Call it only after the
/// source was read from its beginning to its end.
///
/// # Errors
/// [`JobError`]; no write is under way then.
pub async fn remove_vanished(run: &Run, seen: &Seen) -> Result<(), JobError> {
    if !seen.may_mean_gone() {
        return Ok(());
    }
    let writer = &run.writer;
    let mut after = None;
    loop {
        let read = || writer.database.unseen_entities(writer.sync(), writer.rows.job, after, PAGE);
        let unseen = writer.read_rows(read).await?;
        let Some((_, last)) = unseen.last() else { return Ok(()) };
        after = Some(last.key);
        let vanished: Vec<StoredEntity> =
            unseen.into_iter().filter(|(id, _)| seen.means_gone(id)).map(|(_, entity)| entity).collect();
        if vanished.is_empty() {
            continue;
        }
        let gone = remove(writer, &vanished).await?;
        run.counts.add(Counted::Deleted, count(gone.len()));
        run.counts.add(Counted::Failed, count(vanished.len() - gone.len()));
    }
}

/// Removes `entities` everywhere; returns those that are gone. The rows of the others stay dirty.
///
/// # Errors
/// [`JobError`]; no write is under way then.
pub async fn remove(writer: &Writer, entities: &[StoredEntity]) -> Result<HashSet<EntityKey>, JobError> {
    let keys: Vec<EntityKey> = entities.iter().map(|entity| entity.key).collect();
    writer.change_rows(|| writer.database.make_dirty(writer.rows, &keys)).await?;
    let removals = entities.iter().map(|entity| (entity.key, removals_of(writer.sync(), entity)));
    let refusals = store_all(writer, removals.collect()).await?;
    let gone: Vec<EntityKey> = keys.into_iter().filter(|key| refusals.is_complete(*key)).collect();
    if !gone.is_empty() {
        writer.change_rows(|| writer.database.delete_entities(writer.rows, &gone)).await?;
    }
    refusals.note(writer)?;
    Ok(gone.into_iter().collect())
}

fn removals_of(sync: SyncId, entity: &StoredEntity) -> Writes {
    let (key, document_type) = (entity.key, entity.document_type);
    let documents = (0..entity.chunk_count)
        .map(move |chunk| StoreWrite::RemoveDocument(DocumentId::chunk(document_type, sync, key, chunk)));
    Box::new(documents.chain([StoreWrite::RemoveBlobs(key, entity.file_name.clone())]))
}
