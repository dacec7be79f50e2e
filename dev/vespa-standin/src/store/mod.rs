//! The documents on disk: SQLite in WAL mode with a full sync at each commit, one thread that writes, any that read.
//!
//! What was answered is on disk: an operation's answer is sent after the transaction that holds it has committed, many
//! operations to a transaction. A crash loses what nobody was told; nobody has to repair anything.
//! Not guaranteed: that removed bytes leave the disk, any more than the real thing does.

mod operation;
mod query;
mod read;
mod tables;
mod transaction;
mod visit;
mod words;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, Row};

pub use operation::{Condition, Operation, Outcome};
pub use query::{Hit, Near, Order, Ranking, Request, Response, check_pattern};
pub use read::{Checksum, Stored};
pub use visit::{Examined, Found, Scan};

use crate::schema::DocType;
use crate::tensor::Dimensions;

/// The store failed: nothing that a caller can mend.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("store: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The folder can't be used.
    #[error("data folder: {0}")]
    Folder(#[from] std::io::Error),
    /// A stored document is not what was written.
    #[error("stored document {0} can't be read")]
    Damaged(String),
    /// The transaction that held the operation failed; nothing of it was stored.
    #[error("rolled back: {0}")]
    RolledBack(String),
    /// The vectors in the folder have another size than the one that was set.
    #[error(
        "the vectors in the data folder have {stored} dimensions, not {wanted}: \
         set what they were written with, or start with an empty folder"
    )]
    Dimensions {
        /// What is in the folder.
        stored: i64,
        /// What was set.
        wanted: usize,
    },
    /// The writer has stopped.
    #[error("the store is closed")]
    Closed,
}

/// Number of documents per type, kept by the writer.
#[derive(Debug, Default)]
pub(crate) struct TypeCounts([std::sync::atomic::AtomicI64; 5]);

impl TypeCounts {
    fn add(&self, doc_type: DocType, by: i64) {
        if let Some(count) = self.0.get(usize::from(doc_type.code())) {
            count.fetch_add(by, std::sync::atomic::Ordering::Relaxed);
        }
    }

    fn get(&self, doc_type: DocType) -> u64 {
        let count = self.0.get(usize::from(doc_type.code()));
        count.map_or(0, |count| u64::try_from(count.load(std::sync::atomic::Ordering::Relaxed)).unwrap_or(0))
    }
}

/// An operation that was handed over and is not yet known to be on disk.
#[derive(Debug)]
pub struct Pending(tokio::sync::oneshot::Receiver<Result<Outcome, StoreError>>);

impl Pending {
    /// Waits, on a thread that may block, until it is on disk.
    pub fn wait(self) -> Result<Outcome, StoreError> {
        self.0.blocking_recv().map_err(|_| StoreError::Closed)?
    }
}

/// The open store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    free: Mutex<Vec<Connection>>,
    writer: write::Writer,
    counts: Arc<TypeCounts>,
}

impl Store {
    /// Opens the store in a folder, creating what is missing.
    pub fn open(folder: &Path, dimensions: Dimensions) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join("documents.sqlite");
        let connection = tables::open(&path)?;
        tables::create(&connection)?;
        check_dimensions(&connection, dimensions)?;
        let counts = Arc::new(TypeCounts::default());
        for (doc_type, count) in tables::count_by_type(&connection)? {
            counts.add(doc_type, count);
        }
        let writer = write::Writer::start(connection, counts.clone())?;
        Ok(Self { inner: Arc::new(Inner { path, free: Mutex::default(), writer, counts }) })
    }

    /// Number of documents of a type.
    pub fn count(&self, doc_type: DocType) -> u64 {
        self.inner.counts.get(doc_type)
    }

    /// Runs an operation; the result arrives after it is on disk.
    pub async fn write(&self, operation: Operation) -> Result<Outcome, StoreError> {
        self.inner.writer.submit(operation)?.await.map_err(|_| StoreError::Closed)?
    }

    /// Hands over an operation without waiting for it.
    pub fn begin(&self, operation: Operation) -> Result<Pending, StoreError> {
        Ok(Pending(self.inner.writer.submit(operation)?))
    }

    /// The same as [`Self::write`] for a thread that may block.
    pub fn write_blocking(&self, operation: Operation) -> Result<Outcome, StoreError> {
        self.begin(operation)?.wait()
    }

    /// Waits until everything accepted is on disk, and writes no more.
    pub fn close(&self) {
        self.inner.writer.stop();
    }

    /// Lends a connection that reads.
    fn reading<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let free = self.inner.free.lock().pop();
        let connection = match free {
            Some(connection) => connection,
            None => tables::open(&self.inner.path)?,
        };
        let result = read(&connection);
        self.inner.free.lock().push(connection);
        result
    }
}

/// Vectors of two sizes can't be compared: better not to start than to find some documents only.
fn check_dimensions(connection: &Connection, dimensions: Dimensions) -> Result<(), StoreError> {
    let Some(bytes) = tables::embedding_bytes(connection)? else { return Ok(()) };
    let (stored, wanted) = (bytes / 4, dimensions.count());
    if usize::try_from(stored).is_ok_and(|stored| stored == wanted) {
        return Ok(());
    }
    Err(StoreError::Dimensions { stored, wanted })
}

/// The bytes in a column; `None` if there are none.
fn blob<'a>(row: &'a Row<'_>, column: usize) -> Option<&'a [u8]> {
    row.get_ref(column).ok()?.as_blob_or_null().ok().flatten()
}
