//! Last stage: the rows of what was written as a whole, and has no older name any more, are settled.
//! What a store refused stays dirty and counts as failed.

use shared_database::entities::WrittenEntity;

use super::counts::{Counted, count};
use super::error::JobError;
use super::mark::Change;
use super::run::Run;
use super::write::Written;

/// Settles the rows of what was written.
///
/// # Errors
/// [`JobError`]; no write is under way then.
pub async fn settle(run: &Run, written: Written) -> Result<(), JobError> {
    let Written { changes, refusals } = written;
    let writer = &run.writer;
    let (complete, refused): (Vec<Change>, Vec<Change>) =
        changes.into_iter().partition(|change| refusals.is_complete(change.entity.key()));
    let entities: Vec<WrittenEntity> = complete.iter().map(|change| change.entity.written()).collect();
    if !entities.is_empty() {
        writer.change_rows(|| writer.database.settle_entities(writer.rows, &entities)).await?;
        writer.taken();
    }
    for change in complete {
        run.counts.add(change.counted, 1);
    }
    run.counts.add(Counted::Failed, count(refused.len()));
    for change in refused {
        run.refused.add(change.entity.id(), refusals.why(change.entity.key()));
    }
    refusals.note(writer)
}
