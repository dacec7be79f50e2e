//! What a job makes of the key of its sync: names of entities, and the form of blobs.
//!
//! The key itself is dropped here, and overwritten with that; what was made of it goes with the job. Nothing of it is
//! kept between jobs, nor can any of it be printed.

use std::sync::Arc;

use shared_database::RowCipher;
use shared_models::{BlobEncryption, EntityKeys};
use shared_stores::arf::{BlobCipher, BlobForm};

use crate::lease::Stop;
use crate::pipeline::{JobError, Writer};

/// Names entities, and writes blobs, of one sync.
pub(super) struct Secrets {
    pub(super) entity_keys: EntityKeys,
    pub(super) blob_form: Arc<BlobForm>,
}

impl Secrets {
    /// Those of the writer's sync. Its row says before that what it must say of blobs written so.
    ///
    /// # Errors
    /// [`JobError`]; `Secret` if the key ring lacks the key.
    pub(super) async fn ready(
        writer: &Writer,
        cipher: &RowCipher,
        encryption: BlobEncryption,
    ) -> Result<Self, JobError> {
        let database = &writer.database;
        writer.change_rows(|| database.ready_blob_key(cipher, writer.rows, encryption)).await?;
        let Some(key) = writer.read_rows(|| database.blob_key(cipher, writer.sync())).await? else {
            writer.lease.stop(Stop::RowsGone);
            return Err(Stop::RowsGone.into());
        };
        let blob_form = match encryption {
            BlobEncryption::On => BlobForm::Sealed(BlobCipher::new(writer.sync(), &key)),
            BlobEncryption::Off => BlobForm::Plain,
        };
        Ok(Self { entity_keys: key.entity_keys(), blob_form: Arc::new(blob_form) })
    }
}
