//! The ledger store: where the deletion ledger is published, in a local folder, S3, Google Cloud Storage or Azure.
//!
//! Layout: `log/…` holds what is written once, and `checkpoint` beside it is the one object that is replaced. A bucket
//! may lock everything below `log/`: nothing there is ever overwritten or removed. `check` and `log/check` are what
//! [`LedgerStore::check_access`] leaves; in a local folder `staging` holds what is being written.
//!
//! - What is below `log/` never changes: the store itself refuses a second object of the same name, whoever writes it
//!   and whenever (DEL-11). A store that doesn't refuse it is an error before anything is written to it.
//! - A write that was killed or not answered leaves the whole object or none. Writing it again tells which.
//! - "Not there" is only said when the store said so of this object. A bucket or a folder that is gone is an error
//!   (DEL-10).
//!
//! Not guaranteed: that nobody else takes something away. Only a lock of the bucket does that.

mod access_check;
mod bucket;
mod error;
mod local;
mod object;
mod place;
mod store;

pub use error::LedgerStoreError;
pub use object::{MAX_CHECKPOINT_BYTES, MAX_OBJECT_BYTES, Put};
pub use store::LedgerStore;

type Result<T> = std::result::Result<T, LedgerStoreError>;
