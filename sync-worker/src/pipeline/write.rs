//! From a batch of entities to rows, documents and blobs: compare, say what will be written, write, settle.
//!
//! Whoever dies in between leaves dirty rows: they cover everything that may be in the stores, and the next job of the
//! sync writes those entities again.

use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt as _};
use shared_database::entities::{EntityIntent, StoredEntity, WrittenEntity};
use shared_models::EntityKey;

use super::batch::Batch;
use super::counts::Counted;
use super::prepare::{Hashed, Prepared};
use super::writer::{NotWritten, StoreWrite};
use super::{JobError, Run, embed, remove};

/// An entity to be written, and how many chunks of an earlier version there may be.
#[derive(Clone)]
struct Change {
    entity: Arc<Prepared>,
    earlier_chunks: u32,
    counted: Counted,
}

/// What a batch turned out to be.
#[derive(Default)]
struct Compared {
    kept: Vec<EntityKey>,
    changed: Vec<(Hashed, u32, Counted)>,
    /// Their documents are of another type, or their file has another name: removed, then written as new.
    replaced: Vec<StoredEntity>,
}

/// Brings one batch into rows and stores.
///
/// # Errors
/// [`JobError`]; no write of the batch is under way then.
pub async fn write_batch(run: &Run, batch: Batch) -> Result<(), JobError> {
    let hashed = hash(run, batch).await?;
    let keys: Vec<EntityKey> = hashed.iter().map(|entity| entity.key).collect();
    let writer = &run.writer;
    let stored = writer.read_rows(|| writer.database.stored_entities(writer.sync(), &keys)).await?;
    let Compared { kept, mut changed, replaced } = compare(hashed, stored);
    if !kept.is_empty() {
        writer.change_rows(|| writer.database.mark_seen(writer.rows, &kept)).await?;
        run.counts.add(Counted::Kept, count(kept.len()));
    }
    if !replaced.is_empty() {
        let gone = remove::remove(run, &replaced).await?;
        let stuck = |key: &EntityKey| replaced.iter().any(|old| old.key == *key) && !gone.contains(key);
        let before = changed.len();
        changed.retain(|(hashed, ..)| !stuck(&hashed.key));
        run.counts.add(Counted::Failed, count(before - changed.len()));
    }
    if changed.is_empty() {
        return Ok(());
    }
    write_changed(run, prepare(changed).await?).await
}

fn compare(hashed: Vec<Hashed>, stored: Vec<StoredEntity>) -> Compared {
    let mut stored: HashMap<EntityKey, StoredEntity> = stored.into_iter().map(|row| (row.key, row)).collect();
    let mut compared = Compared::default();
    for entity in hashed {
        match stored.remove(&entity.key) {
            None => compared.changed.push((entity, 0, Counted::Inserted)),
            Some(row) if row.content_hash.as_deref() == Some(entity.hash.as_slice()) => compared.kept.push(row.key),
            Some(row) if row.document_type == entity.entity.document_type && row.file_name == entity.file_name() => {
                compared.changed.push((entity, row.chunk_count, Counted::Updated));
            }
            Some(row) => {
                compared.changed.push((entity, 0, Counted::Updated));
                compared.replaced.push(row);
            }
        }
    }
    compared
}

async fn write_changed(run: &Run, changes: Vec<Change>) -> Result<(), JobError> {
    let writer = &run.writer;
    let intents: Vec<EntityIntent> = changes.iter().map(|change| change.entity.intent()).collect();
    writer.change_rows(|| writer.database.intend_entities(writer.rows, &intents)).await?;
    let blobs = changes.iter().map(|change| (change.entity.key(), blobs_of(change)));
    let mut refusals = match &run.embedding {
        None => {
            let documents = changes.iter().map(|change| (change.entity.key(), documents_of(run, change)));
            store_all(run, blobs.chain(documents).collect()).await?
        }
        Some(embedding) => {
            let refusals = store_all(run, blobs.collect()).await?;
            let entities = changes.iter().map(|change| change.entity.clone()).collect();
            embed::store_embedded(run, embedding, entities, refusals).await?
        }
    };
    let surplus = changes.iter().filter(|change| refusals.is_complete(change.entity.key()));
    let surplus = surplus.map(|change| (change.entity.key(), surplus_of(run, change)));
    refusals.add(store_all(run, surplus.collect()).await?);
    let (complete, refused): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|change| refusals.is_complete(change.entity.key()));
    let written: Vec<WrittenEntity> = complete.iter().map(|change| change.entity.written()).collect();
    if !written.is_empty() {
        writer.change_rows(|| writer.database.settle_entities(writer.rows, &written)).await?;
        writer.taken();
    }
    for change in complete {
        run.counts.add(change.counted, 1);
    }
    run.counts.add(Counted::Failed, count(refused.len()));
    refusals.note(run)
}

/// Writes of one entity, made one by one when their turn comes: a large entity has thousands.
pub(super) type Writes = Box<dyn Iterator<Item = StoreWrite> + Send>;

fn blobs_of(change: &Change) -> Writes {
    let entity = &change.entity;
    let capture = StoreWrite::PutCapture(entity.key(), entity.capture());
    let file = entity.file().map(|(name, content)| StoreWrite::PutFile(entity.key(), name, content));
    Box::new(std::iter::once(capture).chain(file))
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

/// Which entities had a write refused, and why.
#[derive(Debug, Default)]
pub(super) struct Refusals(HashMap<EntityKey, String>);

impl Refusals {
    pub(super) fn is_complete(&self, key: EntityKey) -> bool {
        !self.0.contains_key(&key)
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Tells the writer of each refused entity.
    pub(super) fn note(self, run: &Run) -> Result<(), JobError> {
        self.0.values().try_for_each(|why| run.writer.refused(why))
    }
}

/// Makes all writes of these entities, several at a time, and waits for every one of them, whatever becomes of the
/// others: a write that is let go of would stay open for its bound and hold up a stop.
pub(super) async fn store_all(run: &Run, entities: Vec<(EntityKey, Writes)>) -> Result<Refusals, JobError> {
    let in_flight = usize::try_from(run.writer.stores.limiter.most()).unwrap_or(1);
    let mut waiting = entities.into_iter();
    let mut current: Option<(EntityKey, Writes)> = None;
    let mut next = move || {
        loop {
            if let Some((key, writes)) = &mut current
                && let Some(write) = writes.next()
            {
                return Some((*key, write));
            }
            current = Some(waiting.next()?);
        }
    };
    let mut under_way = FuturesUnordered::new();
    let mut refusals = Refusals::default();
    let mut error: Option<JobError> = None;
    loop {
        while under_way.len() < in_flight
            && let Some((key, write)) = next()
        {
            under_way.push(store_one(run, key, write));
        }
        let Some((key, end)) = under_way.next().await else { break };
        match end {
            Ok(()) => {}
            Err(NotWritten::Refused(why)) => drop(refusals.0.insert(key, why)),
            Err(NotWritten::Job(JobError::GivenUp)) => drop(error.get_or_insert(JobError::GivenUp)),
            Err(NotWritten::Job(found)) => match error {
                None | Some(JobError::GivenUp) => error = Some(found),
                Some(_) => {}
            },
        }
    }
    error.map_or(Ok(refusals), Err)
}

async fn store_one(run: &Run, key: EntityKey, write: StoreWrite) -> (EntityKey, Result<(), NotWritten>) {
    (key, run.writer.store(write).await)
}

async fn hash(run: &Run, batch: Batch) -> Result<Vec<Hashed>, JobError> {
    let max_blob_bytes = run.max_blob_bytes;
    let embedder = run.embedding.as_ref().map(|embedding| embedding.embedder.identity());
    let hash = move |(key, entity)| Hashed::new(key, entity, max_blob_bytes, embedder.as_ref());
    let hash = move || batch.into_iter().map(hash).collect();
    tokio::task::spawn_blocking(hash).await.map_err(|_| JobError::PrepareCrashed)
}

async fn prepare(changed: Vec<(Hashed, u32, Counted)>) -> Result<Vec<Change>, JobError> {
    let prepare = move || {
        let changed = changed.into_iter();
        changed
            .map(|(hashed, earlier_chunks, counted)| Change {
                entity: Arc::new(Prepared::new(hashed)),
                earlier_chunks,
                counted,
            })
            .collect()
    };
    tokio::task::spawn_blocking(prepare).await.map_err(|_| JobError::PrepareCrashed)
}

pub(super) fn count(entities: usize) -> i64 {
    i64::try_from(entities).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use shared_models::DocumentType;

    use super::super::tests::entity;
    use super::*;
    use crate::sources::RawFile;

    fn hashed(file: Option<&str>) -> Hashed {
        let mut entity = entity("a", "text");
        entity.file = file.map(|name| RawFile { name: name.to_owned(), bytes: Bytes::from_static(b"1") });
        Hashed::new(EntityKey::new(entity.class, &entity.id), entity, 10, None)
    }

    fn row(of: &Hashed) -> StoredEntity {
        StoredEntity {
            key: of.key,
            document_type: of.entity.document_type,
            content_hash: Some(of.hash.to_vec()),
            chunk_count: 3,
            file_name: of.file_name(),
        }
    }

    fn verdict(new: Hashed, stored: Option<StoredEntity>) -> (usize, Vec<(u32, Counted)>, usize) {
        let compared = compare(vec![new], stored.into_iter().collect());
        let changed = compared.changed.iter().map(|(_, chunks, counted)| (*chunks, *counted)).collect();
        (compared.kept.len(), changed, compared.replaced.len())
    }

    #[test]
    fn an_entity_is_kept_only_if_its_row_is_clean_and_the_same() {
        let new = hashed(Some("f"));
        let same = row(&new);
        assert_eq!(verdict(new.clone(), Some(same.clone())), (1, vec![], 0));
        let dirty = StoredEntity { content_hash: None, ..same.clone() };
        assert_eq!(verdict(new.clone(), Some(dirty)), (0, vec![(3, Counted::Updated)], 0));
        let other = StoredEntity { content_hash: Some(vec![0; 32]), ..same };
        assert_eq!(verdict(new.clone(), Some(other)), (0, vec![(3, Counted::Updated)], 0));
        assert_eq!(verdict(new, None), (0, vec![(0, Counted::Inserted)], 0));
    }

    #[test]
    fn an_entity_whose_documents_or_file_would_be_left_behind_is_removed_first() {
        let new = hashed(Some("new-name"));
        let old = StoredEntity { content_hash: None, ..row(&new) };
        let of_another_type = StoredEntity { document_type: DocumentType::Web, ..old.clone() };
        let of_another_file = StoredEntity { file_name: Some("old-name".to_owned()), ..old.clone() };
        let without_file = StoredEntity { file_name: None, ..old };
        for stored in [of_another_type, of_another_file, without_file] {
            assert_eq!(verdict(new.clone(), Some(stored)), (0, vec![(0, Counted::Updated)], 1));
        }
    }
}
