//! The table: a row for each receipt, for people with a spreadsheet. It is for finding, and proves nothing.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use shared_models::PurgeTarget;
use shared_models::ledger::stamp;
use shared_models::receipt::Receipt;

use crate::buffer::Buffer;
use crate::exported::Exported;

const HEADINGS: [&str; 22] = [
    "receipt_id",
    "issued_at",
    "holds",
    "superseded_at",
    "superseded_reason",
    "cleanup_id",
    "organization_id",
    "collection_id",
    "source_connection_id",
    "sync_id",
    "deletion_reference",
    "requested_by",
    "requested_by_name",
    "request_id",
    "deletion_requested_at",
    "rows_deleted_at",
    "vespa_removed",
    "vespa_verified_empty_at",
    "arf_removed",
    "arf_verified_empty_at",
    "ledger_index",
    "signed_by",
];

/// Why a row can't be written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A row can't be written.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// It is no receipt of a form that is known here.
    #[error("a receipt is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Nothing is written anywhere but into memory.
    #[error(transparent)]
    Memory(#[from] std::io::Error),
}

/// A table that is being written, with quotes where RFC 4180 wants them.
pub(crate) struct Table {
    rows: csv::Writer<Buffer>,
    written: Buffer,
}

impl Table {
    /// With its headings.
    pub(crate) fn new() -> Result<Self, TableError> {
        let written = Buffer::default();
        let rows = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(written.clone());
        let mut table = Self { rows, written };
        table.rows.write_record(HEADINGS)?;
        Ok(table)
    }

    pub(crate) fn add(&mut self, exported: &Exported) -> Result<(), TableError> {
        Ok(self.rows.write_record(row(exported)?)?)
    }

    /// What was written since the last time.
    pub(crate) fn take(&mut self) -> Result<Bytes, TableError> {
        self.rows.flush()?;
        Ok(self.written.take())
    }
}

fn row(Exported { receipt: listed, requested_by_name }: &Exported) -> Result<[String; HEADINGS.len()], TableError> {
    let receipt: Receipt = serde_json::from_value(listed.file.receipt.clone())?;
    let target = |target| receipt.targets.get(&target);
    let removed = |of| target(of).map(|of| of.removed.to_string()).unwrap_or_default();
    let empty_at = |of| target(of).map(|of| stamp::text(of.verified_empty_at)).unwrap_or_default();
    let reference = listed.file.reference.as_ref().map(|opening| opening.reference.as_str());
    Ok([
        listed.receipt_id.to_string(),
        stamp::text(listed.issued_at),
        listed.holds.to_string(),
        time(listed.superseded_at),
        listed.superseded_reason.map(|reason| reason.as_str().to_owned()).unwrap_or_default(),
        receipt.cleanup_id.to_string(),
        receipt.organization_id.to_string(),
        receipt.collection_id.to_string(),
        receipt.source_connection_id.to_string(),
        receipt.sync_id.to_string(),
        no_formula(reference.unwrap_or_default()),
        shown(receipt.requested_by),
        no_formula(requested_by_name.as_deref().unwrap_or_default()),
        shown(receipt.request_id),
        stamp::text(receipt.deletion_requested_at),
        stamp::text(receipt.rows_deleted_at),
        removed(PurgeTarget::Vespa),
        empty_at(PurgeTarget::Vespa),
        removed(PurgeTarget::Arf),
        empty_at(PurgeTarget::Arf),
        shown(listed.file.ledger.as_ref().map(|proof| proof.index)),
        listed.file.signature.key_id.clone(),
    ])
}

fn shown(what: Option<impl ToString>) -> String {
    what.map(|what| what.to_string()).unwrap_or_default()
}

fn time(at: Option<DateTime<Utc>>) -> String {
    at.map(stamp::text).unwrap_or_default()
}

/// A spreadsheet takes a text that begins so for a formula, and works it out: a quotation mark before it keeps it a
/// text.
pub(crate) fn no_formula(text: &str) -> String {
    let begins = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if begins { format!("'{text}") } else { text.to_owned() }
}
