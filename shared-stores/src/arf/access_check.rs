//! Whether the store's credentials suffice for all that we do with it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use shared_models::{CollectionId, OrganizationId, SyncId};

use super::{ArfError, ArfStore, Manifest};

impl ArfStore {
    /// Writes a manifest for a sync that there isn't, reads it, removes it and looks that nothing is left. Where the
    /// removal is refused, the manifest stays: it names nobody.
    ///
    /// # Errors
    /// The first step that failed: as any call; `Setup` if the store doesn't keep what it is given. `Unanswered` if all
    /// together take longer than `timeout`.
    pub async fn check_access(&self, now: DateTime<Utc>, timeout: Duration) -> Result<(), ArfError> {
        let steps = self.write_read_remove(now, timeout);
        tokio::time::timeout(timeout, steps).await.unwrap_or(Err(ArfError::Unanswered(timeout)))
    }

    async fn write_read_remove(&self, now: DateTime<Utc>, timeout: Duration) -> Result<(), ArfError> {
        let manifest = of_nobody(now);
        let sync = manifest.sync_id;
        self.put_manifest(&manifest, timeout).await?;
        let read = self.manifest(sync).await?;
        while !self.purge(sync, timeout).await.is_exhausted()? {}
        let is_gone = self.is_empty(sync).await? && self.manifest(sync).await?.is_none();
        match (read.as_ref() == Some(&manifest), is_gone) {
            (true, true) => Ok(()),
            (false, _) => Err(ArfError::Setup("what was written is not what is read".to_owned())),
            (true, false) => Err(ArfError::Setup("what was removed is still there".to_owned())),
        }
    }
}

fn of_nobody(now: DateTime<Utc>) -> Manifest {
    Manifest {
        sync_id: SyncId::random(),
        source_short_name: "connection-check".to_owned(),
        collection_id: CollectionId::random(),
        organization_id: OrganizationId::random(),
        created_at: now,
        updated_at: now,
        sync_jobs: Vec::new(),
    }
}
