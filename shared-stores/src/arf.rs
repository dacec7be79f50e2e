//! Raw captures (ARF): one folder of blobs per sync, in a local folder, S3, Google Cloud Storage or Azure.
//!
//! Layout: `raw/{sync_id}/manifest.json`, `raw/{sync_id}/entities/{key}.json`, `raw/{sync_id}/files/{key}_{name}`.
//! Names are made safe, so nothing can leave its sync's prefix (DEL-4). The manifest is written first and removed last,
//! so an interrupted purge still shows.
//!
//! A storage error is an error, never "not there" (DEL-7). A local write can't be interrupted: it is a task of its own,
//! and its [`PutHandle`] ends only when the write has really ended (DEL-2).

mod access_check;
mod blobs;
mod cloud;
mod error;
mod local;
mod manifest;
mod name;
mod put;
mod store;

pub use blobs::{ArfCensus, Blob, BlobCounts, PurgeStep};
pub use error::ArfError;
pub use manifest::Manifest;
pub use put::PutHandle;
pub use store::{ArfStore, MAX_BLOB_BYTES};
