//! Receipts as files: one with its proof by the ledger, or all of a period as lines, as a table, or as an archive.
//!
//! Read only. Whoever asks says whose receipts: one organization's (DEL-9), or an operator everybody's. What is
//! exported is read page by page, under the checkpoint that was the newest when the export began; no page is held for
//! longer than it takes to be sent.

mod archive;
mod buffer;
mod export;
mod exported;
mod file;
mod table;

#[cfg(test)]
mod tests;

pub use export::{Export, ExportError, Format};
pub use file::{FileError, file, files};
