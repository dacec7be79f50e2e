//! The two stores that hold a connection's data: documents in Vespa and raw captures (ARF blobs) in an object store;
//! the embedder, which makes the documents' vectors; and the ledger store, which only grows.
//!
//! Nothing else knows a Vespa URL or a blob's path. The clients of the two stores share three rules:
//! - no call is repeated behind the caller's back: a repeated write would be a new write outside its lease (DEL-2);
//! - every call has a deadline, and a write that wasn't answered by then is reported as unanswered, never as failed;
//! - "empty" is only said after a complete answer. A partial answer, an error or a missing folder is an error (DEL-7).
//!
//! Binaries that use an `https://`, `s3://`, `gs://` or `az://` URL install a process-wide TLS provider first:
//! `rustls::crypto::ring::default_provider().install_default()`.

pub mod arf;
pub mod embedder;
pub mod ledger;
mod object_stores;
mod tls;
pub mod vespa;

pub use arf::{ArfError, ArfStore};
pub use embedder::{Embedder, EmbedderError};
pub use ledger::{LedgerStore, LedgerStoreError};
pub use vespa::{VespaClient, VespaError};
