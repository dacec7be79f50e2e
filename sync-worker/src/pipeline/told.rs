//! Tells the connection's owner what the source left out: by name, in the job's row, which goes with the connection.

use serde_json::{Value, json};
use shared_sources::{Skipped, SkippedEntity};

use super::error::JobError;
use super::run::Run;

/// Puts the names and reasons into the job's row, if there are any.
///
/// # Errors
/// [`JobError`].
pub async fn tell(run: &Run, skipped: &Skipped) -> Result<(), JobError> {
    if skipped.told().is_empty() {
        return Ok(());
    }
    let told: Vec<Value> = skipped
        .told()
        .iter()
        .map(|SkippedEntity { entity_id, reason }| json!({"entity_id": entity_id, "reason": reason}))
        .collect();
    let details = json!({"skipped_count": skipped.count(), "skipped": told});
    let writer = &run.writer;
    writer.change_rows(|| writer.database.record_details(writer.rows, &details)).await
}
