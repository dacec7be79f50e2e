//! All receipts of a period, page by page.

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{Stream, stream};
use shared_database::ledger::StoredCheckpoint;
use shared_database::receipts::{ListedReceipt, ReceiptFilter, ReceiptPlace};
use shared_database::{Database, DatabaseError};
use shared_models::wire::ledger::CleanupReceipt;

use crate::archive::{Archive, ArchiveError};
use crate::exported::Exported;
use crate::file::{FileError, files};
use crate::table::{Table, TableError};

/// Receipts that are read at a time: some hundred KiB.
const PAGE: i64 = 200;

/// How receipts are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// A line of JSON for each: the receipt's file, and whether it holds.
    #[default]
    Ndjson,
    /// A table: a row for each, for spreadsheets. It proves nothing.
    Csv,
    /// An archive (ZIP): each receipt's file, the keys, the newest checkpoint, the table, and a reader's guide.
    Zip,
}

impl Format {
    /// Their names.
    pub const NAMES: &'static [&'static str] = &["ndjson", "csv", "zip"];

    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ndjson, Self::Csv, Self::Zip];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Zip => "zip",
        }
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
            Self::Zip => "application/zip",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|format| format.as_str() == text);
        found.ok_or_else(|| format!("not one of {}", Self::NAMES.join(", ")))
    }
}

/// Why an export ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// PostgreSQL.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A receipt.
    #[error(transparent)]
    File(#[from] FileError),
    /// It has no JSON.
    #[error("write a receipt: {0}")]
    Json(#[from] serde_json::Error),
    /// The table.
    #[error("write the table: {0}")]
    Table(#[from] TableError),
    /// The archive.
    #[error("write the archive: {0}")]
    Archive(#[from] ArchiveError),
}

/// An export.
#[derive(Clone)]
pub struct Export {
    /// PostgreSQL.
    pub database: Database,
    /// Which receipts. Without `until` it ends with those that there are when it begins.
    pub filter: ReceiptFilter,
    /// How they are written.
    pub format: Format,
}

impl Export {
    /// What is written, a page at a time. After an error nothing comes: what was written so far isn't whole then.
    pub fn stream(self) -> impl Stream<Item = Result<Bytes, ExportError>> {
        stream::try_unfold(Some(Step::Begin(Box::new(self))), |step| async move {
            match step {
                Some(step) => step.take().await.map(Some),
                None => Ok(None),
            }
        })
    }
}

/// How far an export is.
enum Step {
    Begin(Box<Export>),
    GoOn(Box<Going>),
}

struct Going {
    export: Export,
    published: Option<StoredCheckpoint>,
    after: Option<ReceiptPlace>,
    writer: Writer,
    /// How many were written.
    count: u64,
    began: DateTime<Utc>,
}

impl Step {
    async fn take(self) -> Result<(Bytes, Option<Self>), ExportError> {
        match self {
            Self::Begin(export) => Going::begin(*export).await,
            Self::GoOn(going) => going.page().await,
        }
    }
}

impl Going {
    async fn begin(mut export: Export) -> Result<(Bytes, Option<Step>), ExportError> {
        let began = export.database.receipts_until_now().await?;
        export.filter.until = Some(export.filter.until.map_or(began, |until| until.min(began)));
        let published = export.database.newest_checkpoint(true).await?;
        let mut writer = Writer::new(export.format)?;
        writer.begin(&export, published.as_ref()).await?;
        let going = Self { export, published, after: None, writer, count: 0, began };
        Box::new(going).page().await
    }

    async fn page(mut self: Box<Self>) -> Result<(Bytes, Option<Step>), ExportError> {
        let listed = self.export.database.list_receipts(&self.export.filter, self.after, PAGE).await?;
        let is_last = i64::try_from(listed.len()).unwrap_or(PAGE) < PAGE;
        self.after = listed.last().map(ListedReceipt::place);
        for exported in self.exported(listed).await? {
            self.writer.add(&exported)?;
            self.count += 1;
        }
        if is_last {
            let Self { writer, count, began, .. } = *self;
            return Ok((writer.end(count, began)?, None));
        }
        Ok((self.writer.take()?, Some(Step::GoOn(self))))
    }

    async fn exported(&self, listed: Vec<ListedReceipt>) -> Result<Vec<Exported>, ExportError> {
        let (stored, names): (Vec<_>, Vec<_>) =
            listed.into_iter().map(|listed| (listed.receipt, listed.requested_by_name)).unzip();
        let about: Vec<_> = stored.iter().map(|receipt| (receipt.id, receipt.issued_at, receipt.superseded)).collect();
        let files = files(&self.export.database, stored, self.published.as_ref()).await?;
        let whole = about.into_iter().zip(files).zip(names);
        Ok(whole
            .map(|(((receipt_id, issued_at, superseded), file), requested_by_name)| {
                let (superseded_at, superseded_reason) = superseded.unzip();
                let holds = superseded_at.is_none();
                let receipt = CleanupReceipt { receipt_id, issued_at, holds, superseded_at, superseded_reason, file };
                Exported { receipt, requested_by_name }
            })
            .collect())
    }
}

/// Writes receipts in one of the formats.
enum Writer {
    Lines(Vec<u8>),
    Table(Box<Table>),
    Archive(Box<Archive>),
}

impl Writer {
    fn new(format: Format) -> Result<Self, ExportError> {
        Ok(match format {
            Format::Ndjson => Self::Lines(Vec::new()),
            Format::Csv => Self::Table(Box::new(Table::new()?)),
            Format::Zip => Self::Archive(Box::new(Archive::new()?)),
        })
    }

    async fn begin(&mut self, export: &Export, published: Option<&StoredCheckpoint>) -> Result<(), ExportError> {
        if let Self::Archive(archive) = self {
            archive.begin(&export.database.ledger_keys().await?, published)?;
        }
        Ok(())
    }

    fn add(&mut self, exported: &Exported) -> Result<(), ExportError> {
        match self {
            Self::Lines(lines) => {
                serde_json::to_writer(&mut *lines, &exported.receipt)?;
                lines.push(b'\n');
            }
            Self::Table(table) => table.add(exported)?,
            Self::Archive(archive) => archive.add(exported)?,
        }
        Ok(())
    }

    /// What was written since the last time.
    fn take(&mut self) -> Result<Bytes, ExportError> {
        Ok(match self {
            Self::Lines(lines) => std::mem::take(lines).into(),
            Self::Table(table) => table.take()?,
            Self::Archive(archive) => archive.take(),
        })
    }

    fn end(mut self, count: u64, began: DateTime<Utc>) -> Result<Bytes, ExportError> {
        match self {
            Self::Archive(archive) => Ok(archive.end(count, began)?),
            Self::Lines(_) | Self::Table(_) => self.take(),
        }
    }
}
