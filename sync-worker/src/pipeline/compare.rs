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
    /// Its row under the name of an older version, if it has one: to be removed once it is written.
    pub older: Option<StoredEntity>,
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
    /// Rows of changed entities whose documents are of another type, or which have no file any more: to be removed
    /// before the entity is written as a new one.
    pub replaced: Vec<StoredEntity>,
}

/// Holds a batch against its rows.
///
/// # Errors
/// [`JobError`].
pub async fn compare(run: &Run, batch: Batch) -> Result<Compared, JobError> {
    let hashed = hash(run, batch).await?;
    let mut keys: Vec<EntityKey> = hashed.iter().map(|entity| entity.key).collect();
    if run.has_older_names {
        keys.extend(hashed.iter().map(Hashed::older_key));
    }
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
    let has_older = stored.values().any(|row| !row.is_keyed);
    for entity in hashed {
        let older = if has_older { stored.remove(&entity.older_key()) } else { None };
        match (stored.remove(&entity.key), older) {
            (None, None) => compared.changed.push(changed(entity, None, 0, Counted::Inserted)),
            (None, older) => compared.changed.push(changed(entity, older, 0, Counted::Updated)),
            (Some(row), None) if row.content_hash.as_deref() == Some(entity.hash.as_slice()) => {
                compared.kept.push(row.key);
            }
            (Some(row), older) if is_overwritten(&row, &entity) => {
                compared.changed.push(changed(entity, older, row.chunk_count, Counted::Updated));
            }
            (Some(row), older) => {
                compared.changed.push(changed(entity, older, 0, Counted::Updated));
                compared.replaced.push(row);
            }
        }
    }
    compared
}

fn changed(entity: Hashed, older: Option<StoredEntity>, earlier_chunks: u32, counted: Counted) -> Changed {
    Changed { entity, earlier_chunks, older, counted }
}

/// Whether writing the entity overwrites all that its row speaks of, surplus chunks aside.
fn is_overwritten(row: &StoredEntity, by: &Hashed) -> bool {
    row.document_type == by.entity.document_type && (row.file_name.is_none() || by.entity.file.is_some())
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
        Hashed::new(EntityKey([7; 16]), entity, 10, None)
    }

    fn row(of: &Hashed) -> StoredEntity {
        StoredEntity {
            key: of.key,
            document_type: of.entity.document_type,
            content_hash: Some(of.hash.to_vec()),
            chunk_count: 3,
            file_name: of.file_name(),
            is_keyed: true,
        }
    }

    fn verdict(new: Hashed, stored: impl IntoIterator<Item = StoredEntity>) -> (usize, Vec<(u32, Counted)>, usize) {
        let compared = sort(vec![new], stored.into_iter().collect());
        let changed = compared.changed.iter().map(|changed| (changed.earlier_chunks, changed.counted)).collect();
        (compared.kept.len(), changed, compared.replaced.len())
    }

    #[test]
    fn an_entity_is_kept_only_if_its_row_is_clean_and_the_same() {
        let new = hashed(Some("f"));
        let same = row(&new);
        assert_eq!(verdict(new.clone(), [same.clone()]), (1, vec![], 0));
        let dirty = StoredEntity { content_hash: None, ..same.clone() };
        assert_eq!(verdict(new.clone(), [dirty]), (0, vec![(3, Counted::Updated)], 0));
        let other = StoredEntity { content_hash: Some(vec![0; 32]), ..same };
        assert_eq!(verdict(new.clone(), [other]), (0, vec![(3, Counted::Updated)], 0));
        assert_eq!(verdict(new, []), (0, vec![(0, Counted::Inserted)], 0));
    }

    #[test]
    fn an_entity_whose_documents_or_file_would_be_left_behind_is_removed_first() {
        let (with_file, without_file) = (hashed(Some("new-name")), hashed(None));
        let old = StoredEntity { content_hash: None, ..row(&with_file) };
        let of_another_type = StoredEntity { document_type: DocumentType::Web, ..old.clone() };
        assert_eq!(verdict(with_file.clone(), [of_another_type]), (0, vec![(0, Counted::Updated)], 1));
        assert_eq!(verdict(without_file, [old.clone()]), (0, vec![(0, Counted::Updated)], 1));
        // A file's blob has the same name whatever the file is called.
        for file_name in [Some("old-name".to_owned()), None] {
            let old = StoredEntity { file_name, ..old.clone() };
            assert_eq!(verdict(with_file.clone(), [old]), (0, vec![(3, Counted::Updated)], 0));
        }
    }

    #[test]
    fn what_an_older_version_named_is_found_and_goes_when_the_entity_is_written() {
        let new = hashed(Some("f"));
        let older = StoredEntity { key: new.older_key(), is_keyed: false, ..row(&new) };
        for (stored, earlier_chunks) in [(vec![older.clone()], 0), (vec![row(&new), older.clone()], 3)] {
            let compared = sort(vec![new.clone()], stored.clone());
            assert_eq!(compared.changed[0].older.as_ref(), Some(&older));
            // Even one that is the same already: the other row must go.
            assert_eq!(verdict(new.clone(), stored), (0, vec![(earlier_chunks, Counted::Updated)], 0));
        }
        let other = StoredEntity { key: EntityKey::unkeyed("TestEntity", "b"), ..older };
        assert!(sort(vec![new], vec![other]).changed[0].older.is_none());
    }
}
