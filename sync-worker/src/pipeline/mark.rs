//! Fourth stage: says in the rows what comes. Kept entities are seen; changed ones are dirty from here until they are
//! settled, and their rows cover all that may be in the stores meanwhile.
//!
//! Whoever dies after this leaves dirty rows, and the next job of the sync writes those entities again.

use std::sync::Arc;

use shared_database::entities::{EntityIntent, StoredEntity};
use shared_stores::arf::BlobForm;

use super::compare::Changed;
use super::counts::{Counted, count};
use super::error::JobError;
use super::make_way::Cleared;
use super::prepare::Prepared;
use super::run::Run;

/// An entity whose row is dirty, ready to be written.
#[derive(Debug)]
pub struct Change {
    /// What is written.
    pub entity: Arc<Prepared>,
    /// How many chunks of an earlier version there may be.
    pub earlier_chunks: u32,
    /// Its row under the name of an older version, if it has one.
    pub older: Option<StoredEntity>,
    /// What it counts as once it is written.
    pub counted: Counted,
}

/// Marks kept entities as seen and changed ones as dirty; gives the changed ones, chunked.
///
/// # Errors
/// [`JobError`]; no write is under way then.
pub async fn mark(run: &Run, cleared: Cleared) -> Result<Vec<Change>, JobError> {
    let Cleared { kept, changed } = cleared;
    let writer = &run.writer;
    if !kept.is_empty() {
        writer.change_rows(|| writer.database.mark_seen(writer.rows, &kept)).await?;
        run.counts.add(Counted::Kept, count(kept.len()));
    }
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    let changes = prepare(changed, run.job.short_name.clone(), run.blob_form.clone()).await?;
    let intents: Vec<EntityIntent> = changes.iter().map(|change| change.entity.intent()).collect();
    writer.change_rows(|| writer.database.intend_entities(writer.rows, &intents)).await?;
    Ok(changes)
}

async fn prepare(changed: Vec<Changed>, source: String, blob_form: Arc<BlobForm>) -> Result<Vec<Change>, JobError> {
    let prepare = move |Changed { entity, earlier_chunks, older, counted }| Change {
        entity: Arc::new(Prepared::new(entity, &source, &blob_form)),
        earlier_chunks,
        older,
        counted,
    };
    let prepare = move || changed.into_iter().map(prepare).collect();
    tokio::task::spawn_blocking(prepare).await.map_err(|_| JobError::PrepareCrashed)
}
