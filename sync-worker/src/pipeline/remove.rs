//! Removing entities: rows dirty first, then documents and blobs, then the rows.
//!
//! Whoever dies in between leaves a dirty row that still covers everything; the next job goes on.

use shared_database::entities::StoredEntity;
use shared_models::{DocumentId, EntityKey, SyncId};
use shared_stores::arf::{EntityBlobs, RawFileBlob};

use super::counts::{Counted, count};
use super::error::JobError;
use super::run::Run;
use super::store::{Refusals, Writes, store_all};
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
        let (ids, vanished): (Vec<String>, Vec<StoredEntity>) =
            unseen.into_iter().filter(|(id, _)| seen.means_gone(id)).unzip();
        if vanished.is_empty() {
            continue;
        }
        let refusals = remove(writer, &vanished).await?;
        let (gone, stuck): (Vec<_>, Vec<_>) =
            ids.iter().zip(&vanished).partition(|(_, entity)| refusals.is_complete(entity.key));
        run.counts.add(Counted::Deleted, count(gone.len()));
        run.counts.add(Counted::Failed, count(stuck.len()));
        for (id, entity) in stuck {
            run.refused.add(id, refusals.why(entity.key));
        }
        refusals.note(writer)?;
    }
}

/// Removes `entities` everywhere but those of which a removal is refused: their rows stay dirty.
///
/// # Errors
/// [`JobError`]; no write is under way then.
pub async fn remove(writer: &Writer, entities: &[StoredEntity]) -> Result<Refusals, JobError> {
    let keys: Vec<EntityKey> = entities.iter().map(|entity| entity.key).collect();
    writer.change_rows(|| writer.database.make_dirty(writer.rows, &keys)).await?;
    let removals = entities.iter().map(|entity| (entity.key, removals_of(writer.sync(), entity)));
    let refusals = store_all(writer, removals.collect()).await?;
    let gone: Vec<EntityKey> = keys.into_iter().filter(|key| refusals.is_complete(*key)).collect();
    if !gone.is_empty() {
        writer.change_rows(|| writer.database.delete_entities(writer.rows, &gone)).await?;
    }
    Ok(refusals)
}

fn removals_of(sync: SyncId, entity: &StoredEntity) -> Writes {
    let (key, document_type) = (entity.key, entity.document_type);
    let documents = (0..entity.chunk_count)
        .map(move |chunk| StoreWrite::RemoveDocument(DocumentId::chunk(document_type, sync, key, chunk)));
    let file = match &entity.file_name {
        None => RawFileBlob::None,
        Some(_) if entity.is_keyed => RawFileBlob::Keyed,
        Some(name) => RawFileBlob::Named(name.clone()),
    };
    Box::new(documents.chain([StoreWrite::RemoveBlobs(EntityBlobs { key, file })]))
}
