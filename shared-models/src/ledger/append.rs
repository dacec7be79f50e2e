//! What a batch of entries adds to a log: their hashes, the tiles that are full by them, and the signed root.

use serde_json::Value;

use super::entry::{EntryError, canonical};
use super::frontier::{Frontier, Tile};
use super::hash::{Hash, leaf_hash};
use super::keys::LedgerSigner;
use super::note::{Checkpoint, NoteError};
use super::tree::TreeError;

/// A batch that was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The hash of each entry, in their order.
    pub leaves: Vec<Hash>,
    /// The tiles that became full.
    pub full: Vec<Tile>,
    /// Size and root after the batch.
    pub checkpoint: Checkpoint,
    /// The checkpoint, signed.
    pub note: String,
}

/// Why a batch can't be appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// One of the entries, counted from 0, can't be in a ledger.
    #[error("entry {place} of the batch: {error}")]
    Entry {
        /// Which.
        place: usize,
        /// Why.
        error: EntryError,
    },
    /// The log is as large as a ledger can be.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// It can't be signed.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// Appends entries, as PostgreSQL wrote them, to the log that `log` is the right edge of.
///
/// # Errors
/// One of them can't be in a ledger, or the log can't grow; nothing is appended then.
pub fn append(mut log: Frontier, entries: &[Value], signer: &LedgerSigner) -> Result<Appended, AppendError> {
    let (mut leaves, mut full) = (Vec::with_capacity(entries.len()), Vec::new());
    for (place, entry) in entries.iter().enumerate() {
        let leaf = leaf_hash(&canonical(entry).map_err(|error| AppendError::Entry { place, error })?);
        leaves.push(leaf);
        full.extend(log.append(leaf)?);
    }
    let origin = signer.verifier().origin().clone();
    let checkpoint = Checkpoint { origin, size: log.size(), root: log.root() };
    let note = signer.sign_checkpoint(&checkpoint)?;
    Ok(Appended { leaves, full, checkpoint, note })
}
