//! Fields of hits that are too large to stand in each chunk of their entity: fetched once for each entity of an answer,
//! and for so many as an answer may hold.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use shared_stores::vespa::{Hit, StoredId, VespaClient};

use crate::problem::Problem;
use crate::search_memory::{MOST_FIELDS_BYTES, Reserved, SearchMemory};

/// Documents that are asked for at the same time.
const IN_FLIGHT: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(8);

/// The large fields of an answer.
#[derive(Debug, Default)]
pub struct LargeFields {
    /// Whether a hit goes without its fields.
    pub is_incomplete: bool,
    /// What they take.
    pub reserved: Option<Reserved>,
}

/// Which hits get their fields.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    hits: Vec<usize>,
    bytes: u32,
    is_incomplete: bool,
}

/// Gives the first hit of each entity its fields.
///
/// # Errors
/// 503 if Vespa can't be asked, or too many large searches run.
pub async fn add(vespa: &VespaClient, memory: &SearchMemory, hits: &mut [Hit]) -> Result<LargeFields, Problem> {
    let plan = plan(hits);
    if plan.hits.is_empty() {
        return Ok(LargeFields { is_incomplete: plan.is_incomplete, reserved: None });
    }
    let reserved = memory.for_fields(plan.bytes).await?;
    let wanted: Vec<_> = plan
        .hits
        .iter()
        .filter_map(|place| hits.get(*place).map(|hit| (*place, hit.id.clone(), hit.document.sync_id)))
        .collect();
    let fetched: Vec<(usize, Option<String>)> = futures::stream::iter(wanted)
        .map(|(place, id, sync)| async move { Ok((place, vespa.large_payload(&id, sync, TIMEOUT).await?)) })
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await
        .map_err(Problem::Search)?;
    let mut is_incomplete = plan.is_incomplete;
    for (place, fields) in fetched {
        match (hits.get_mut(place), fields) {
            (Some(hit), Some(fields)) => hit.document.payload = fields,
            // Gone since, or rewritten: what is there now was not what was found.
            (_, _) => is_incomplete = true,
        }
    }
    Ok(LargeFields { is_incomplete, reserved: Some(reserved) })
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
