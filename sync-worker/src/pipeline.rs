//! One job's work. A batch goes one way: read → compare → make way → mark → write → retire → settle,
//! each stage a function from
//! what it gets to what it gives. When the source has been read to its end, what it no longer has is removed.
//!
//! Memory is bounded: a source waits while the batches under way are written. A source that fails fails the job and
//! removes nothing; nor is anything removed that the source says it could not read, or was not asked for
//! ([`crate::sources::Seen`]).

use serde_json::Value;
use shared_service::Tasks;
use tokio_util::task::AbortOnDropHandle;

mod about;
mod batch;
mod batches;
mod chunk;
mod compare;
mod counts;
mod embed;
mod error;
mod hash;
mod left_out;
mod limiter;
mod make_way;
mod manifest;
mod mark;
mod prepare;
mod refused;
mod remove;
mod retire;
mod run;
mod settle;
mod store;
mod unchanged;
mod write;
mod writer;

pub(crate) use counts::{Counted, Counts};
pub(crate) use error::JobError;
pub(crate) use hash::form;
pub use limiter::Limiter;
pub(crate) use refused::Refused;
pub use run::Embedding;
pub(crate) use run::{Reading, Run};
pub use writer::Stores;
pub(crate) use writer::Writer;

use crate::sources::{EntitySink, ReadSummary, Seen, Skipped};
use batch::Batches;

/// Entities between source and batches; each may carry a raw file.
const READ_AHEAD: usize = 8;

/// Reads the source and writes what is new, changed or gone. Returns the source's new cursor, if it has one.
///
/// # Errors
/// [`JobError`]; every write has been answered or let go of then.
pub(crate) async fn run(run: &Run, reading: Reading, tasks: &Tasks) -> Result<Option<Value>, JobError> {
    match bring_up_to_date(run, reading, tasks).await {
        Ok(ReadSummary { skipped, mut warnings, cursor, seen }) => {
            // The source would not yield again what a store has refused: the next job must start where this one did.
            let all_taken = run.counts.now().failed == 0;
            run.counts.add(Counted::Failed, skipped.count());
            if seen != Seen::Changes && run.counts.has_found_nothing() {
                warnings.push("nothing was found".to_owned());
            }
            left_out::tell(run, &skipped, &warnings).await?;
            Ok(cursor.filter(|_| all_taken))
        }
        Err(error) => {
            // What was refused until then may well be why. The first error counts, not one of the telling.
            if !error.is_asked_for() {
                let _told = left_out::tell(run, &Skipped::NOTHING, &[]).await;
            }
            Err(error)
        }
    }
}

async fn bring_up_to_date(run: &Run, reading: Reading, tasks: &Tasks) -> Result<ReadSummary, JobError> {
    manifest::write_manifest(run).await?;
    let (sink, entities, offered) = EntitySink::with_offers(READ_AHEAD);
    let source = AbortOnDropHandle::new(tasks.spawn("source", async move {
        let Reading { source, config, credentials, access, cursor } = reading;
        Box::pin(source.read(&config, &credentials, &access, cursor.as_ref(), sink)).await
    }));
    // Whichever fails, the other is waited for: a batch that is dropped would leave writes open.
    let bringing = Box::pin(batches::bring_all(run, Batches::new(entities, run.entity_keys.clone())));
    match tokio::join!(bringing, Box::pin(unchanged::keep(run, offered))) {
        (Ok(()) | Err(JobError::GivenUp), Err(error)) | (Err(error), Ok(()) | Err(_)) => return Err(error),
        (Ok(()), Ok(())) => {}
    }
    let summary = source.await.map_err(|_| JobError::SourceCrashed)??;
    remove::remove_vanished(run, &summary.seen).await?;
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use shared_models::DocumentType;

    use crate::sources::SourceEntity;

    /// A plain entity.
    pub fn entity(id: &str, text: &str) -> SourceEntity {
        SourceEntity {
            class: "TestEntity",
            id: id.to_owned(),
            name: format!("Entity {id}"),
            document_type: DocumentType::Base,
            text: text.to_owned(),
            fields: Map::new(),
            breadcrumbs: Vec::new(),
            created_at: None,
            updated_at: None,
            web_url: String::new(),
            file: None,
            version: None,
        }
    }
}
