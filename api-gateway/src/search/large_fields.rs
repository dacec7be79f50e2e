//! Fields of hits that are too large to stand in each chunk of their entity: fetched once for each entity of an answer,
//! and for so many as an answer may hold.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt as _;
use shared_models::SyncId;
use shared_stores::vespa::{Hit, StoredId, VespaClient, VespaError};

use crate::problem::Problem;
use crate::search_memory::{MOST_FIELDS_BYTES, ReservedFields, SearchMemory};

/// Documents that are asked for at the same time.
const IN_FLIGHT: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(8);

/// The large fields of an answer.
#[derive(Debug, Default)]
pub struct LargeFields {
    /// Whether a hit goes without its fields.
    pub is_incomplete: bool,
    /// What they take.
    pub reserved: Option<ReservedFields>,
}

/// Which hits get their fields.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    hits: Vec<usize>,
    bytes: u32,
    is_incomplete: bool,
}

/// Gives the first hit of each entity its fields, as far as they can be had: hits are worth having without.
///
/// # Errors
/// 503 if too many large searches run.
pub async fn add(vespa: &VespaClient, memory: &SearchMemory, hits: &mut [Hit]) -> Result<LargeFields, Problem> {
    let plan = plan(hits);
    if plan.hits.is_empty() {
        return Ok(LargeFields { is_incomplete: plan.is_incomplete, reserved: None });
    }
    let reserved = memory.for_fields(plan.bytes).await?;
    let wanted: Vec<_> =
        plan.hits.iter().filter_map(|place| hits.get(*place).map(|hit| (*place, Wanted::of(hit)))).collect();
    let fetched: Vec<(usize, Option<String>)> = futures::stream::iter(wanted)
        .map(|(place, wanted)| async move { (place, wanted.fetch(vespa).await) })
        .buffer_unordered(IN_FLIGHT)
        .collect()
        .await;
    let mut is_incomplete = plan.is_incomplete;
    for (place, fields) in fetched {
        match (hits.get_mut(place), fields) {
            (Some(hit), Some(fields)) => hit.document.payload = fields,
            (_, _) => is_incomplete = true,
        }
    }
    Ok(LargeFields { is_incomplete, reserved: Some(reserved) })
}

/// The large fields of one entity.
struct Wanted {
    chunk: StoredId,
    sync: SyncId,
    /// How large they were when the entity was found.
    bytes: usize,
}

impl Wanted {
    fn of(hit: &Hit) -> Self {
        let Hit { id, document, .. } = hit;
        let bytes = document.large_payload_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
        Self { chunk: id.clone(), sync: document.sync_id, bytes }
    }

    /// `None` if they are gone since, or rewritten to what is larger: no room was reserved for that.
    async fn fetch(&self, vespa: &VespaClient) -> Option<String> {
        match vespa.large_payload(&self.chunk, self.sync, self.bytes, TIMEOUT).await {
            Ok(fields) => fields,
            Err(VespaError::TooLarge(_)) => None,
            Err(error) => {
                tracing::warn!(%error, "large fields of a hit can't be fetched; the search goes on without");
                None
            }
        }
    }
}

fn plan(hits: &[Hit]) -> Plan {
    let mut plan = Plan::default();
    let mut seen = BTreeSet::new();
    for (place, hit) in hits.iter().enumerate() {
        let Some(bytes) = hit.document.large_payload_bytes.and_then(|bytes| u32::try_from(bytes).ok()) else {
            continue;
        };
        let is_first = seen.insert(entity_of(&hit.id));
        let sum = plan.bytes.saturating_add(bytes);
        if is_first && sum <= MOST_FIELDS_BYTES {
            plan.bytes = sum;
            plan.hits.push(place);
        } else {
            plan.is_incomplete = true;
        }
    }
    plan
}

/// What the ids of an entity's chunks have in common.
fn entity_of(id: &StoredId) -> String {
    let mut entity = id.to_string();
    entity.truncate(entity.rfind('.').unwrap_or(entity.len()));
    entity
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hit(id: &str, bytes: Option<i32>) -> Hit {
        let uuid = "11111111-1111-4111-8111-111111111111";
        let document = serde_json::from_value(json!({
            "airweave_system_metadata_sync_id": uuid, "airweave_system_metadata_sync_job_id": uuid,
            "airweave_system_metadata_collection_id": uuid, "large_payload_bytes": bytes}));
        let id = StoredId::parse(&format!("id:airweave:file_entity::{uuid}.{id}")).unwrap();
        Hit { id, relevance: 1.0, document: document.unwrap() }
    }

    #[test]
    fn an_entity_s_fields_come_with_its_first_hit() {
        let hits = [hit("a.3", Some(10)), hit("b.0", None), hit("a.0", Some(10)), hit("c.1", Some(5))];
        assert_eq!(plan(&hits), Plan { hits: vec![0, 3], bytes: 15, is_incomplete: true });
        assert_eq!(plan(&hits[..2]), Plan { hits: vec![0], bytes: 10, is_incomplete: false });
    }

    #[test]
    fn an_answer_holds_only_so_many_of_them() {
        let half = i32::try_from(MOST_FIELDS_BYTES / 2).unwrap();
        let hits = [hit("a.0", Some(half)), hit("b.0", Some(half)), hit("c.0", Some(1)), hit("d.0", Some(-1))];
        assert_eq!(plan(&hits), Plan { hits: vec![0, 1], bytes: MOST_FIELDS_BYTES, is_incomplete: true });
    }
}
