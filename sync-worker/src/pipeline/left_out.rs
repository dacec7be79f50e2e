//! Tells the connection's owner what was left out: by name, in the job's row, which goes with the connection.

use serde_json::{Map, Value, json};

use super::error::JobError;
use super::run::Run;
use crate::sources::{Skipped, SkippedEntity};

/// Puts into the job's row, if there are any: the names and reasons of what the source `skipped` and of what was
/// refused, and `warnings`.
///
/// # Errors
/// [`JobError`].
pub async fn tell(run: &Run, skipped: &Skipped, warnings: &[String]) -> Result<(), JobError> {
    let mut details = named("skipped", skipped);
    details.extend(named("refused", &run.refused.all()));
    if !warnings.is_empty() {
        details.insert("warnings".to_owned(), warnings.into());
    }
    if details.is_empty() {
        return Ok(());
    }
    let (writer, details) = (&run.writer, Value::Object(details));
    writer.change_rows(|| writer.database.record_details(writer.rows, &details)).await
}

fn named(what: &str, left_out: &Skipped) -> Map<String, Value> {
    if left_out.told().is_empty() {
        return Map::new();
    }
    let name = |SkippedEntity { entity_id, reason }: &SkippedEntity| json!({"entity_id": entity_id, "reason": reason});
    let names: Vec<Value> = left_out.told().iter().map(name).collect();
    Map::from_iter([(format!("{what}_count"), left_out.count().into()), (what.to_owned(), names.into())])
}
