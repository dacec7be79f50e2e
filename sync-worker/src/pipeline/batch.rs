//! Gathers entities into batches: so many, so many bytes, or so long.

use std::collections::HashMap;
use std::time::Duration;

use shared_models::{EntityKey, EntityKeys};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::sources::{SourceEntity, fields_bytes};

const MAX_ENTITIES: usize = 256;
const MAX_BYTES: usize = 4 << 20;
const MAX_WAIT: Duration = Duration::from_millis(100);

/// Entities by key, each once: of an entity that comes twice the last one counts.
pub type Batch = HashMap<EntityKey, SourceEntity>;

/// The reading end of a source.
pub struct Batches {
    entities: mpsc::Receiver<SourceEntity>,
    keys: EntityKeys,
    batch: Batch,
    bytes: usize,
    due: Option<Instant>,
}

impl Batches {
    /// Batches of what comes from `entities`, which `keys` name.
    #[must_use]
    pub fn new(entities: mpsc::Receiver<SourceEntity>, keys: EntityKeys) -> Self {
        Self { entities, keys, batch: Batch::new(), bytes: 0, due: None }
    }

    /// The next batch; `None` after the last. Loses nothing if it is dropped while waiting.
    pub async fn next(&mut self) -> Option<Batch> {
        loop {
            if self.batch.len() >= MAX_ENTITIES || self.bytes >= MAX_BYTES {
                return self.take();
            }
            let received = match self.due {
                None => Ok(self.entities.recv().await),
                Some(due) => timeout_at(due, self.entities.recv()).await,
            };
            match received {
                Ok(Some(entity)) => self.add(entity),
                Ok(None) | Err(_) => return self.take(),
            }
        }
    }

    fn add(&mut self, entity: SourceEntity) {
        self.due.get_or_insert_with(|| Instant::now() + MAX_WAIT);
        self.bytes = self.bytes.saturating_add(size(&entity));
        self.batch.insert(self.keys.key(entity.class, &entity.id), entity);
    }

    fn take(&mut self) -> Option<Batch> {
        self.bytes = 0;
        self.due = None;
        let batch = std::mem::take(&mut self.batch);
        (!batch.is_empty()).then_some(batch)
    }
}

/// About what an entity takes in memory.
fn size(entity: &SourceEntity) -> usize {
    let crumbs = entity.breadcrumbs.iter().map(|crumb| crumb.entity_id.len().saturating_add(crumb.name.len()));
    let file = entity.file.as_ref().map_or(0, |file| file.bytes.len());
    [entity.text.len(), file, fields_bytes(&entity.fields)].into_iter().chain(crumbs).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use shared_models::BlobKey;
    use shared_sources::Breadcrumb;

    use super::super::tests::entity;
    use super::*;

    fn channel() -> (mpsc::Sender<SourceEntity>, Batches) {
        let (sender, receiver) = mpsc::channel(1000);
        (sender, Batches::new(receiver, BlobKey::random().entity_keys()))
    }

    #[tokio::test]
    async fn a_batch_ends_by_number() {
        let (sender, mut batches) = channel();
        for id in 0..MAX_ENTITIES + 36 {
            sender.send(entity(&id.to_string(), "text")).await.unwrap();
        }
        drop(sender);
        assert_eq!(batches.next().await.unwrap().len(), MAX_ENTITIES);
        assert_eq!(batches.next().await.unwrap().len(), 36);
        assert!(batches.next().await.is_none());
    }

    #[tokio::test]
    async fn a_batch_ends_by_bytes() {
        let (sender, mut batches) = channel();
        for id in 0..3 {
            sender.send(entity(&id.to_string(), &"x".repeat(MAX_BYTES / 2))).await.unwrap();
        }
        drop(sender);
        assert_eq!(batches.next().await.unwrap().len(), 2);
        assert_eq!(batches.next().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn fields_and_breadcrumbs_count_as_well() {
        let (sender, mut batches) = channel();
        let long = "x".repeat(MAX_BYTES / 2);
        for id in ["fields", "breadcrumbs", "next"] {
            let mut entity = entity(id, "text");
            match id {
                "fields" => drop(entity.fields.insert("nested".to_owned(), serde_json::json!([{"long": long}]))),
                _ => {
                    let (entity_id, name) = (long.clone(), String::new());
                    entity.breadcrumbs.push(Breadcrumb { entity_id, name, entity_type: "Folder" });
                }
            }
            sender.send(entity).await.unwrap();
        }
        drop(sender);
        assert_eq!(batches.next().await.unwrap().len(), 2);
        assert_eq!(batches.next().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_batch_ends_by_time_while_the_source_goes_on() {
        let (sender, mut batches) = channel();
        sender.send(entity("a", "text")).await.unwrap();
        assert_eq!(batches.next().await.unwrap().len(), 1);
        sender.send(entity("b", "text")).await.unwrap();
        assert_eq!(batches.next().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn an_entity_that_comes_twice_counts_once() {
        let (sender, mut batches) = channel();
        sender.send(entity("a", "old")).await.unwrap();
        sender.send(entity("a", "new")).await.unwrap();
        drop(sender);
        let batch = batches.next().await.unwrap();
        assert_eq!(batch.values().map(|entity| entity.text.as_str()).collect::<Vec<_>>(), ["new"]);
    }

    #[tokio::test]
    async fn waiting_for_a_batch_can_be_broken_off() {
        let (sender, mut batches) = channel();
        sender.send(entity("a", "text")).await.unwrap();
        {
            let mut waiting = std::pin::pin!(batches.next());
            assert!(futures::poll!(waiting.as_mut()).is_pending());
        }
        drop(sender);
        assert_eq!(batches.next().await.unwrap().len(), 1);
    }
}
