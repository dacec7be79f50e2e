//! A copy of the whole ledger, checked from its first entry to its last: one bundle after the other, in little memory
//! but for the ids of receipts.
//!
//! What comes in may come from anybody; what comes out are roots, which say something once they are those of a signed
//! checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::EntryError;
use super::frontier::{Frontier, Tile};
use super::hash::Hash;
use super::note::Checkpoint;
use super::tile::{TileError, read_bundle};
use super::tree::TreeError;
use super::verify::SupersededReceipts;
use crate::ids::ReceiptId;

mod read;

pub use read::EntriesOfBundle;
use read::{CopiedEntry, Fact};

/// Of what is found more often, only so much is kept.
const MOST_FINDINGS: usize = 100;

/// Entries of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EntryCounts {
    /// Deletions.
    pub deleted: u64,
    /// Receipts.
    pub receipt: u64,
    /// Receipts that no longer hold.
    pub superseded: u64,
    /// What somebody changed.
    pub audit: u64,
    /// What a later version wrote.
    pub unknown: u64,
}

/// A receipt that is in the ledger twice: two receipts with one id, or one published again after it was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate {
    /// Which.
    pub receipt_id: ReceiptId,
    /// Where it is for the second time.
    pub index: u64,
}

/// What is known of a copy so far.
#[derive(Debug, Clone, Default)]
pub struct LogCopy {
    frontier: Frontier,
    watched: BTreeMap<u64, Option<Hash>>,
    counts: EntryCounts,
    superseded: SupersededReceipts,
    receipts: BTreeSet<ReceiptId>,
    duplicates: Vec<Duplicate>,
}

/// Why a copy isn't one of a ledger, or not of the one that a checkpoint is of.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// No bundle.
    #[error("bundle of the entries from {first} on: {error}")]
    Bundle {
        /// Its first entry.
        first: u64,
        /// Why.
        #[source]
        error: TileError,
    },
    /// No entry.
    #[error("entry {index}: {error}")]
    Entry {
        /// Its index.
        index: u64,
        /// Why.
        #[source]
        error: EntryError,
    },
    /// Larger than a ledger can be.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The copy has fewer or more entries.
    #[error("the copy has {copied} entries, the checkpoint {size}")]
    Size {
        /// Entries of the copy.
        copied: u64,
        /// Entries of the checkpoint.
        size: u64,
    },
    /// The copy had no such size that was watched for.
    #[error("the copy's root at {0} entries isn't known")]
    Unwatched(u64),
    /// Other entries than those that were signed.
    #[error("the copy has another root than the checkpoint at {size} entries: {found} instead of {signed}")]
    Root {
        /// Entries.
        size: u64,
        /// The copy's root.
        found: Hash,
        /// The checkpoint's.
        signed: Hash,
    },
}

impl LogCopy {
    /// Of no entries yet. The roots at these sizes are noted as the copy passes them.
    #[must_use]
    pub fn new(watched: impl IntoIterator<Item = u64>) -> Self {
        let mut copy = Self { watched: watched.into_iter().map(|size| (size, None)).collect(), ..Self::default() };
        copy.note_root();
        copy
    }

    /// Takes the next bundle, of `width` entries, and gives the tiles that are full by it: what the copy's own tiles
    /// must hold. After an error the copy is of no use.
    ///
    /// # Errors
    /// It is no bundle, or an entry in it is none.
    pub fn add_bundle(&mut self, bundle: &[u8], width: u16) -> Result<Vec<Tile>, CopyError> {
        let first = self.size();
        let entries = read_bundle(bundle, width).map_err(|error| CopyError::Bundle { first, error })?;
        let mut full = Vec::new();
        for entry in entries {
            full.extend(self.add_entry(entry)?);
        }
        Ok(full)
    }

    /// Takes the next bundle, which was read before, as [`LogCopy::add_bundle`] does.
    ///
    /// # Errors
    /// The copy would be larger than a ledger can be.
    pub fn add(&mut self, bundle: EntriesOfBundle) -> Result<Vec<Tile>, CopyError> {
        let mut full = Vec::new();
        for entry in bundle.into_entries() {
            full.extend(self.take(entry)?);
        }
        Ok(full)
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// It is none.
    pub fn add_entry(&mut self, entry: &[u8]) -> Result<Vec<Tile>, CopyError> {
        self.take(CopiedEntry::read(self.size(), entry)?)
    }

    fn take(&mut self, CopiedEntry { leaf, fact }: CopiedEntry) -> Result<Vec<Tile>, CopyError> {
        let index = self.size();
        let full = self.frontier.append(leaf)?;
        self.count(index, fact);
        self.note_root();
        Ok(full)
    }

    fn count(&mut self, index: u64, fact: Fact) {
        let counted = match fact {
            Fact::Deleted => &mut self.counts.deleted,
            Fact::Audit => &mut self.counts.audit,
            Fact::Superseded(superseded) => {
                self.superseded.entry(superseded.receipt_id).or_insert(superseded);
                &mut self.counts.superseded
            }
            Fact::Receipt(id) => {
                let is_new = id.is_none_or(|id| self.receipts.insert(id));
                if let (Some(receipt_id), false, true) = (id, is_new, self.duplicates.len() < MOST_FINDINGS) {
                    self.duplicates.push(Duplicate { receipt_id, index });
                }
                &mut self.counts.receipt
            }
            Fact::Unknown => &mut self.counts.unknown,
        };
        *counted += 1;
    }

    fn note_root(&mut self) {
        if let Some(root) = self.watched.get_mut(&self.frontier.size()) {
            *root = Some(self.frontier.root());
        }
    }

    /// Its entries so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Its root so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The tiles that aren't full: what those of the copy with these names must hold.
    #[must_use]
    pub fn partial_tiles(&self) -> Vec<Tile> {
        self.frontier.partial_tiles()
    }

    /// Its entries by kind.
    #[must_use]
    pub const fn counts(&self) -> EntryCounts {
        self.counts
    }

    /// The receipts that no longer hold.
    #[must_use]
    pub const fn superseded(&self) -> &SupersededReceipts {
        &self.superseded
    }

    /// Whether a receipt is in it.
    #[must_use]
    pub fn has_receipt(&self, receipt: ReceiptId) -> bool {
        self.receipts.contains(&receipt)
    }

    /// The receipts that are in it more than once: at most a hundred are named.
    #[must_use]
    pub fn duplicates(&self) -> &[Duplicate] {
        &self.duplicates
    }

    /// Whether the copy is the whole log that the checkpoint is of.
    ///
    /// # Errors
    /// It has another size or root.
    pub fn check_whole(&self, checkpoint: &Checkpoint) -> Result<(), CopyError> {
        if self.size() != checkpoint.size {
            return Err(CopyError::Size { copied: self.size(), size: checkpoint.size });
        }
        check_root(checkpoint, self.root())
    }

    /// Whether the copy continues the log that an older checkpoint is of, whose size was watched for.
    ///
    /// # Errors
    /// It doesn't, or isn't that large.
    pub fn check_continues(&self, checkpoint: &Checkpoint) -> Result<(), CopyError> {
        if self.size() < checkpoint.size {
            return Err(CopyError::Size { copied: self.size(), size: checkpoint.size });
        }
        let root = self.watched.get(&checkpoint.size).copied().flatten();
        check_root(checkpoint, root.ok_or(CopyError::Unwatched(checkpoint.size))?)
    }
}

fn check_root(checkpoint: &Checkpoint, found: Hash) -> Result<(), CopyError> {
    if found == checkpoint.root {
        return Ok(());
    }
    Err(CopyError::Root { size: checkpoint.size, found, signed: checkpoint.root })
}
