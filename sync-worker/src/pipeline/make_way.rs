//! Third stage: removes what a changed entity could not overwrite. A row covers documents of one type and one raw file,
//! so those of another type or name must be gone before the row speaks of the new ones.

use shared_models::EntityKey;

use super::compare::{Changed, Compared};
use super::counts::{Counted, count};
use super::error::JobError;
use super::remove::remove;
use super::run::Run;

/// What of a batch can be written now.
#[derive(Debug)]
pub struct Cleared {
    /// Written before, as they are.
    pub kept: Vec<EntityKey>,
    /// To be written.
    pub changed: Vec<Changed>,
}

/// Removes what stands in the way. An entity whose removal is refused fails: its row stays dirty for the next job.
///
/// # Errors
/// [`JobError`]; no write is under way then.
pub async fn make_way(run: &Run, compared: Compared) -> Result<Cleared, JobError> {
    let Compared { kept, mut changed, replaced } = compared;
    let writer = &run.writer;
    let older: Vec<EntityKey> = changed.iter().filter_map(|changed| Some(changed.older.as_ref()?.key)).collect();
    if !older.is_empty() {
        // They stay until the entity is written under its new name: if that fails, it hasn't vanished.
        writer.change_rows(|| writer.database.mark_seen(writer.rows, &older)).await?;
    }
    if !replaced.is_empty() {
        let refusals = remove(writer, &replaced).await?;
        let stuck: Vec<Changed> = changed.extract_if(.., |changed| !refusals.is_complete(changed.entity.key)).collect();
        run.counts.add(Counted::Failed, count(stuck.len()));
        for Changed { entity, .. } in stuck {
            run.refused.add(&entity.entity.id, refusals.why(entity.key));
        }
        refusals.note(writer)?;
    }
    Ok(Cleared { kept, changed })
}
