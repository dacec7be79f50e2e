//! Spreads entities over a time.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared_models::DocumentType;
use tokio::time::{Instant, sleep_until};

use crate::{Breadcrumb, EntitySink, ReadSummary, SourceEntity, SourceError};

const CONTAINER: &str = "TimedContainerEntity";
const ENTITY: &str = "TimedEntity";

const MOODS: [&str; 7] = ["Quiet", "Urgent", "Steady", "Late", "Bright", "Careful", "Plain"];
const THINGS: [&str; 11] =
    ["report", "voyage", "ledger", "harbour", "survey", "garden", "contract", "bridge", "recipe", "archive", "letter"];

/// What the owner may set.
#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    entity_count: NonZeroU32,
    duration_seconds: f64,
    seed: i64,
}

/// Yields `entity_count` + 1 entities.
pub(super) async fn read(config: &Config, sink: &EntitySink) -> Result<ReadSummary, SourceError> {
    let duration = Duration::try_from_secs_f64(config.duration_seconds)
        .map_err(|_| SourceError::Misconfigured("duration_seconds is not a duration".to_owned()))?;
    let pause = duration / config.entity_count.get();
    let start = Instant::now();
    sink.send(container(config)).await?;
    for index in 0..config.entity_count.get() {
        sleep_until(start + pause.saturating_mul(index)).await;
        sink.send(entity(config, index)).await?;
    }
    Ok(ReadSummary::everything())
}

fn container(config: &Config) -> SourceEntity {
    let Config { entity_count, duration_seconds, seed } = config;
    let id = container_id(config);
    SourceEntity {
        class: CONTAINER,
        name: container_name(config),
        document_type: DocumentType::Base,
        text: format!("Holds {entity_count} timed entities of seed {seed}, spread over {duration_seconds} seconds."),
        fields: fields(json!({"seed": seed, "entity_count": entity_count, "duration_seconds": duration_seconds})),
        breadcrumbs: Vec::new(),
        created_at: None,
        updated_at: None,
        web_url: format!("timed://container/{id}"),
        file: None,
        version: None,
        id,
    }
}

fn entity(config: &Config, index: u32) -> SourceEntity {
    let Config { entity_count, duration_seconds, seed } = config;
    let id = format!("timed-{seed}-{index}");
    let number = index + 1;
    let mood = pick(&MOODS, *seed, index);
    let thing = pick(&THINGS, *seed, index);
    SourceEntity {
        class: ENTITY,
        name: format!("{mood} {thing} #{number}"),
        document_type: DocumentType::Base,
        text: format!(
            "{mood} {thing}, number {number} of {entity_count} timed entities with seed {seed} over \
             {duration_seconds} seconds. Its content depends on these numbers and nothing else."
        ),
        fields: fields(json!({
            "seed": seed,
            "sequence": index,
            "entity_count": entity_count,
            "duration_seconds": duration_seconds,
        })),
        breadcrumbs: vec![Breadcrumb {
            entity_id: container_id(config),
            name: container_name(config),
            entity_type: CONTAINER,
        }],
        created_at: None,
        updated_at: None,
        web_url: format!("timed://entity/{id}"),
        file: None,
        version: None,
        id,
    }
}

fn container_id(config: &Config) -> String {
    format!("timed-container-{}", config.seed)
}

fn container_name(config: &Config) -> String {
    format!("Timed container (seed {})", config.seed)
}

fn pick<const N: usize>(words: &[&'static str; N], seed: i64, index: u32) -> &'static str {
    let place = seed.cast_unsigned().wrapping_add(u64::from(index));
    let size = u64::try_from(N).unwrap_or(u64::MAX);
    usize::try_from(place % size).ok().and_then(|place| words.get(place)).copied().unwrap_or_default()
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
