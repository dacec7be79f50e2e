//! The entries of a bundle, read before the copy takes them: the costly part, which needs nothing of the copy, so that
//! several bundles can be read at once.

use super::CopyError;
use crate::ids::ReceiptId;
use crate::ledger::entry::{Entry, ReadEntry, Superseded};
use crate::ledger::hash::{Hash, leaf_hash};
use crate::ledger::tile::{BundleId, read_bundle};

/// A bundle whose entries were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntriesOfBundle(Vec<CopiedEntry>);

/// What a copy needs of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CopiedEntry {
    pub(super) leaf: Hash,
    pub(super) fact: Fact,
}

/// What a copy keeps of what an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    Deleted,
    /// Of this receipt, if it names itself.
    Receipt(Option<ReceiptId>),
    Superseded(Superseded),
    Audit,
    /// A later version wrote it.
    Unknown,
}

impl EntriesOfBundle {
    /// Reads a bundle.
    ///
    /// # Errors
    /// It is none of that width, or an entry in it is none.
    pub fn read(bundle: BundleId, bytes: &[u8]) -> Result<Self, CopyError> {
        let first = bundle.first_entry();
        let entries = read_bundle(bytes, bundle.width).map_err(|error| CopyError::Bundle { first, error })?;
        (first..).zip(entries).map(|(index, entry)| CopiedEntry::read(index, entry)).collect::<Result<_, _>>().map(Self)
    }

    /// The hashes of its entries.
    pub fn leaves(&self) -> impl Iterator<Item = Hash> {
        self.0.iter().map(|entry| entry.leaf)
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = CopiedEntry> {
        self.0.into_iter()
    }
}

impl CopiedEntry {
    pub(super) fn read(index: u64, entry: &[u8]) -> Result<Self, CopyError> {
        let fact = match Entry::read(entry).map_err(|error| CopyError::Entry { index, error })? {
            ReadEntry::Known(Entry::Deleted(_)) => Fact::Deleted,
            ReadEntry::Known(Entry::Audit(_)) => Fact::Audit,
            ReadEntry::Known(Entry::Superseded(superseded)) => Fact::Superseded(superseded),
            ReadEntry::Known(Entry::Receipt(entry)) => {
                let id = entry.receipt.get("receipt_id").and_then(|id| id.as_str());
                Fact::Receipt(id.and_then(|id| id.parse().ok()))
            }
            ReadEntry::Unknown { .. } => Fact::Unknown,
        };
        Ok(Self { leaf: leaf_hash(entry), fact })
    }
}
