//! Second stage, after reading: what is new, changed, or the same as its row says. Reads rows and writes nothing.

use std::collections::HashMap;

use shared_database::entities::StoredEntity;
use shared_models::EntityKey;

use super::batch::Batch;
use super::counts::Counted;
use super::error::JobError;
use super::prepare::Hashed;
use super::run::Run;

/// An entity to be written.
#[derive(Debug)]
pub struct Changed {
    /// What it is now.
    pub entity: Hashed,
    /// How many chunks of an earlier version there may be.
    pub earlier_chunks: u32,
    /// What it counts as once it is written.
    pub counted: Counted,
}

/// What a batch turned out to be.
#[derive(Debug, Default)]
pub struct Compared {
    /// Written before, as they are.
    pub kept: Vec<EntityKey>,
    /// To be written.
    pub changed: Vec<Changed>,
    /// Rows of changed entities whose documents are of another type, or whose file has another name: to be removed
    /// before the entity is written as a new one.
    pub replaced: Vec<StoredEntity>,
}

/// Holds a batch against its rows.
///
/// # Errors
/// [`JobError`].
pub async fn compare(run: &Run, batch: Batch) -> Result<Compared, JobError> {
    let hashed = hash(run, batch).await?;
    let keys: Vec<EntityKey> = hashed.iter().map(|entity| entity.key).collect();
    let writer = &run.writer;
    let stored = writer.read_rows(|| writer.database.stored_entities(writer.sync(), &keys)).await?;
    Ok(sort(hashed, stored))
}

async fn hash(run: &Run, batch: Batch) -> Result<Vec<Hashed>, JobError> {
    let max_blob_bytes = run.max_blob_bytes;
    let embedder = run.embedding.as_ref().map(|embedding| embedding.embedder.identity());
    let hash = move |(key, entity)| Hashed::new(key, entity, max_blob_bytes, embedder.as_ref());
    let hash = move || batch.into_iter().map(hash).collect();
    tokio::task::spawn_blocking(hash).await.map_err(|_| JobError::PrepareCrashed)
}

fn sort(hashed: Vec<Hashed>, stored: Vec<StoredEntity>) -> Compared {
    let mut stored: HashMap<EntityKey, StoredEntity> = stored.into_iter().map(|row| (row.key, row)).collect();
    let mut compared = Compared::default();
    let changed = |entity, earlier_chunks, counted| Changed { entity, earlier_chunks, counted };
    for entity in hashed {
        match stored.remove(&entity.key) {
            None => compared.changed.push(changed(entity, 0, Counted::Inserted)),
            Some(row) if row.content_hash.as_deref() == Some(entity.hash.as_slice()) => compared.kept.push(row.key),
            Some(row) if row.document_type == entity.entity.document_type && row.file_name == entity.file_name() => {
                compared.changed.push(changed(entity, row.chunk_count, Counted::Updated));
            }
            Some(row) => {
                compared.changed.push(changed(entity, 0, Counted::Updated));
                compared.replaced.push(row);
            }
        }
    }
    compared
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
        let compared = sort(vec![new], stored.into_iter().collect());
        let changed = compared.changed.iter().map(|changed| (changed.earlier_chunks, changed.counted)).collect();
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
