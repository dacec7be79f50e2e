//! Raw captures (ARF): one folder of blobs per sync, in a local folder, S3, Google Cloud Storage or Azure.
//!
//! Layout: `raw/{sync_id}/manifest.json`, `raw/{sync_id}/entities/{key}.json`, `raw/{sync_id}/files/{key}`. Names are
//! made of ids and keyed hashes, so nothing can leave its sync's prefix (DEL-4), and they tell nothing of what is in
//! there. The manifest is written first and removed last, so an interrupted purge still shows; it is plain, and holds
//! ids only. All else is encrypted ([`BlobCipher`]), unless the operator doesn't want it.
//!
//! A storage error is an error, never "not there" (DEL-7). A local write can't be interrupted: it is a task of its own,
//! and its [`PutHandle`] ends only when the write has really ended (DEL-2).

mod access_check;
mod blobs;
mod bucket;
mod error;
mod local;
mod manifest;
mod name;
mod put;
mod seal;
mod store;

pub use blobs::{ArfCensus, Blob, BlobCounts, EntityBlobs, PurgeEnd, PurgeStep, RawFileBlob};
pub use error::ArfError;
pub use manifest::Manifest;
pub use put::PutHandle;
pub use seal::{BlobCipher, BlobForm, SEAL_BYTES, Unreadable};
pub use store::{ArfStore, MAX_BLOB_BYTES};
