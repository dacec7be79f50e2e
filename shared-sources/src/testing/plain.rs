//! The container of every stub, and the plain entities of the other stubs: small ones, filled by seed and index.

use serde_json::{Map, Value};
use shared_models::DocumentType;

use super::content;
use super::random::Random;
use crate::{Breadcrumb, SourceEntity};

const CONTAINER: &str = "StubContainerEntity";
const SMALL: &str = "SmallStubEntity";

/// A family of entities that differ by index only.
#[derive(Debug)]
pub(crate) struct Plain {
    /// First part of every id, e.g. `inc-stub`.
    pub(crate) prefix: &'static str,
    /// Name of the container, without the seed.
    pub(crate) title: &'static str,
    /// Everything follows from it.
    pub(crate) seed: i64,
}

impl Plain {
    /// The container, which says how many entities there are.
    pub(crate) fn container(&self, entity_count: u32) -> SourceEntity {
        SourceEntity {
            class: CONTAINER,
            id: self.container_id(),
            name: self.container_name(),
            document_type: DocumentType::Base,
            text: format!("Holds {entity_count} made-up entities of seed {}.", self.seed),
            fields: Map::from_iter([
                ("seed".to_owned(), Value::from(self.seed)),
                ("entity_count".to_owned(), Value::from(entity_count)),
            ]),
            breadcrumbs: Vec::new(),
            created_at: None,
            updated_at: None,
            web_url: format!("stub://container/{}", self.container_id()),
            file: None,
            version: None,
        }
    }

    /// The entity of this index; the same whatever the others are.
    pub(crate) fn entity(&self, index: u32) -> SourceEntity {
        let mut random = Random::new(self.seed.wrapping_add(i64::from(index)));
        let id = format!("{}-{}-{index}", self.prefix, self.seed);
        let title = content::title(&mut random);
        SourceEntity {
            class: SMALL,
            name: format!("{title} #{}", u64::from(index) + 1),
            document_type: DocumentType::Base,
            text: content::prose(&mut random, 100, 200),
            fields: Map::from_iter([
                ("seed".to_owned(), Value::from(self.seed)),
                ("sequence".to_owned(), Value::from(index)),
            ]),
            breadcrumbs: vec![self.breadcrumb()],
            created_at: None,
            updated_at: None,
            web_url: format!("stub://entity/small/{id}"),
            file: None,
            version: None,
            id,
        }
    }

    /// The container as its entities name it.
    pub(crate) fn breadcrumb(&self) -> Breadcrumb {
        Breadcrumb { entity_id: self.container_id(), name: self.container_name(), entity_type: CONTAINER }
    }

    fn container_id(&self) -> String {
        format!("{}-container-{}", self.prefix, self.seed)
    }

    fn container_name(&self) -> String {
        format!("{} (seed {})", self.title, self.seed)
    }
}
