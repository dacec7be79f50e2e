//! The archive: everything that somebody needs who wants to believe nobody.

use std::fmt::Write as _;
use std::io::Write as _;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use shared_database::ledger::{StoredCheckpoint, StoredKey};
use shared_models::ledger::stamp;
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime as ZipTime, ZipWriter};

use crate::buffer::Buffer;
use crate::exported::Exported;
use crate::table::{Table, TableError};

/// For people who have never seen one.
const GUIDE: &str = include_str!("guide.txt");

/// Why it can't be written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive itself.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// A receipt.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The table in it.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Nothing is written anywhere but into memory.
    #[error(transparent)]
    Memory(#[from] std::io::Error),
}

type Result<T> = std::result::Result<T, ArchiveError>;

/// An archive that is being written.
pub(crate) struct Archive {
    zip: ZipWriter<StreamWriter<Buffer>>,
    written: Buffer,
    /// It goes in at the end, and is small beside what is in it: so long it is kept.
    table: Table,
    superseded: u64,
}

impl Archive {
    pub(crate) fn new() -> Result<Self> {
        let written = Buffer::default();
        let zip = ZipWriter::new_stream(written.clone());
        Ok(Self { zip, written, table: Table::new()?, superseded: 0 })
    }

    /// What a verifier needs beside the receipts.
    pub(crate) fn begin(&mut self, keys: &[StoredKey], published: Option<&StoredCheckpoint>) -> Result<()> {
        self.file("keys.txt", keys_text(keys).as_bytes())?;
        if let Some(published) = published {
            self.file("checkpoint.txt", published.note.as_bytes())?;
        }
        Ok(())
    }

    /// A receipt: those that hold and those that don't lie apart.
    pub(crate) fn add(&mut self, exported: &Exported) -> Result<()> {
        let receipt = &exported.receipt;
        let folder = if receipt.holds { "receipts" } else { "superseded" };
        self.superseded += u64::from(!receipt.holds);
        self.table.add(exported)?;
        self.file(&format!("{folder}/{}.json", receipt.receipt_id), &serde_json::to_vec_pretty(&receipt.file)?)
    }

    /// What was written since the last time.
    pub(crate) fn take(&self) -> Bytes {
        self.written.take()
    }

    /// The table, the guide, and the archive's end.
    pub(crate) fn end(mut self, count: u64, began: DateTime<Utc>) -> Result<Bytes> {
        let table = self.table.take()?;
        self.file("receipts.csv", &table)?;
        let superseded = self.superseded;
        let numbers = format!(
            "Made at {} from the receipts that there were then.\n{} receipts hold, {superseded} don't any more.\n",
            stamp::text(began),
            count.saturating_sub(superseded)
        );
        self.file("README.txt", GUIDE.replace("{numbers}\n", &numbers).as_bytes())?;
        self.zip.finish()?;
        Ok(self.written.take())
    }

    fn file(&mut self, name: &str, content: &[u8]) -> Result<()> {
        // No time of its own: the same receipts are the same bytes.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(ZipTime::default());
        self.zip.start_file(name, options)?;
        Ok(self.zip.write_all(content)?)
    }
}

/// As `--keys` of the command `unweave` takes them.
fn keys_text(keys: &[StoredKey]) -> String {
    let mut text = String::from(
        "# The ledger's keys, as the installation names them. Compare them with those that you have from elsewhere:\n\
         # a receipt is evidence only by a key that you got in another way than the receipt.\n",
    );
    for key in keys {
        let (since, until) = (stamp::text(key.first_used_at), stamp::text(key.last_used_at));
        // Into a text: it can't fail. A name has no line of its own, whatever an operator calls a key.
        let _infallible = writeln!(text, "# {}: signed from {since} to {until}", key.name.escape_default());
        let _infallible = writeln!(text, "{}", key.verifier_key);
    }
    text
}
