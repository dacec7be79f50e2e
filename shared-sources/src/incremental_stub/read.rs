//! Yields what comes after a cursor.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::testing::Plain;
use crate::{EntitySink, ReadSummary, Seen, Skipped, SourceError};

/// What the owner may set.
#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    entity_count: u32,
    seed: i64,
}

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    last_entity_index: u32,
    entity_count: u32,
}

/// Yields the container and what comes after `cursor`.
pub(super) async fn read(
    config: &Config,
    cursor: Option<&Value>,
    sink: &EntitySink,
) -> Result<ReadSummary, SourceError> {
    // What can't be understood, as of another version, is no cursor: everything is read.
    let last = cursor.and_then(|cursor| Cursor::deserialize(cursor).ok()).map(|cursor| cursor.last_entity_index);
    let family = Plain { prefix: "inc-stub", title: "Incremental stub container", seed: config.seed };
    sink.send(family.container(config.entity_count)).await?;
    for index in last.map_or(0, |last| last.saturating_add(1))..config.entity_count {
        sink.send(family.entity(index)).await?;
    }
    let reached =
        Cursor { last_entity_index: config.entity_count.saturating_sub(1), entity_count: config.entity_count };
    Ok(ReadSummary {
        skipped: Skipped::NOTHING,
        seen: if last.is_some() { Seen::Changes } else { Seen::Everything },
        warnings: Vec::new(),
        cursor: Some(serde_json::to_value(reached).map_err(|error| SourceError::Failed(error.to_string()))?),
    })
}
