//! The manifest: what the sync's blobs belong to. It is written before any of them.

use shared_models::SyncJobId;
use shared_service::clock::utc_now;
use shared_stores::ArfError;
use shared_stores::arf::Manifest;

use super::error::JobError;
use super::run::Run;
use super::writer::{NotWritten, StoreWrite};

/// Writes the manifest, with this job as its last one. What a lost worker left half-way goes first.
///
/// # Errors
/// [`JobError`].
pub async fn write_manifest(run: &Run) -> Result<(), JobError> {
    let (writer, job) = (&run.writer, &run.job);
    if job.follows_lost_worker {
        let removed = writer.stores.arf.remove_staging(job.sync_id).await;
        let removed = removed.map_err(|error| writer.give_up(JobError::Arf(error)))?;
        tracing::info!(removed, "removed what a lost worker left half-way");
    }
    let earlier = match writer.stores.arf.manifest(job.sync_id).await {
        Ok(earlier) => earlier,
        Err(ArfError::Manifest(error)) => {
            tracing::warn!(%error, "the sync's manifest is unreadable; written anew");
            None
        }
        Err(error) => return Err(writer.give_up(JobError::Arf(error))),
    };
    let now = utc_now();
    let created_at = earlier.as_ref().map_or(now, |manifest| manifest.created_at);
    let mut sync_jobs: Vec<SyncJobId> = earlier.map(|manifest| manifest.sync_jobs).unwrap_or_default();
    sync_jobs.retain(|id| *id != job.job_id);
    sync_jobs.push(job.job_id);
    let manifest = Manifest {
        sync_id: job.sync_id,
        source_short_name: job.short_name.clone(),
        collection_id: job.collection_id,
        organization_id: job.organization_id,
        created_at,
        updated_at: now,
        sync_jobs,
    };
    match writer.store(StoreWrite::PutManifest(Box::new(manifest))).await {
        Ok(()) => Ok(()),
        Err(NotWritten::Job(error)) => Err(error),
        Err(NotWritten::Refused(why)) => Err(writer.give_up(JobError::Refused { count: 1, last: why.text })),
    }
}
