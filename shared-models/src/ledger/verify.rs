//! Whether a receipt is evidence: signed by a key that the verifier already has, of the deletion that is asked about,
//! of every target, not superseded, and in the ledger.
//!
//! The file may come from anybody. Nothing in it is believed before it was checked, and no key is taken from it.

use std::collections::BTreeMap;

use crate::cleanup::PurgeTarget;
use crate::ids::{CleanupId, ReceiptId, SourceConnectionId};
use crate::ledger::entry::{Entry, EntryError, Superseded};
use crate::ledger::hash::{Hash, leaf_hash};
use crate::ledger::keys::{TrustedKeys, VerifierKey};
use crate::ledger::note::{NoteError, SignedCheckpoint, read_checkpoint};
use crate::ledger::proof::check_inclusion;
use crate::ledger::tree::TreeError;
use crate::receipt::file::{FileError, LedgerProof, ReceiptFile};
use crate::receipt::signed::ReceiptError;
use crate::receipt::{Fault, Receipt};

/// What the receipt must be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// Of any deletion.
    Anything,
    /// Of the deletion of this connection.
    Connection(SourceConnectionId),
    /// Of this cleanup.
    Cleanup(CleanupId),
}

/// The receipts that no longer hold, by what is known of the ledger.
pub type SupersededReceipts = BTreeMap<ReceiptId, Superseded>;

/// A receipt that is evidence, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What it says.
    pub receipt: Receipt,
    /// Whose signature it bears.
    pub signed_by: VerifierKey,
    /// Where it is in the ledger; `None` if it is signed, but the file doesn't show that it is in the ledger yet.
    pub in_ledger: Option<InLedger>,
    /// The caller's reference of the deletion, if the file opens it.
    pub reference: Option<String>,
    /// What was checked.
    pub checked: Vec<Checked>,
}

/// Where a receipt is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InLedger {
    /// Its index.
    pub index: u64,
    /// The hash of its entry, by which it is found in a copy of the ledger.
    pub leaf: Hash,
    /// What the ledger was then.
    pub checkpoint: SignedCheckpoint,
}

/// One thing that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// The signature is by a key that the verifier already had.
    Signature,
    /// It is of the deletion that was asked for.
    Deletion,
    /// It says of every target when it was verified empty, and from form 3 on that it was so after the settle delay.
    Targets,
    /// The reference is the one that it has the hash of.
    Reference,
    /// The proof leads from it to the root of a checkpoint that a key signed which the verifier already had.
    Inclusion,
    /// What is known of the ledger doesn't supersede it.
    NotSuperseded,
}

/// Why a receipt is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No key that is known here signed it.
    #[error("signed with the key '{0}', which isn't known here")]
    UnknownKey(String),
    /// It was altered after it was signed, or never signed by that key.
    #[error("altered: the signature doesn't match the receipt")]
    Altered,
    /// It can't be read as a receipt.
    #[error("malformed: {0}")]
    Malformed(String),
    /// A later version made it.
    #[error("a receipt of form {0}, which this version doesn't know")]
    UnknownForm(u64),
    /// It is of another deletion.
    #[error("the receipt is of another deletion: of connection {connection}, cleanup {cleanup}")]
    OtherDeletion {
        /// The connection that it is of.
        connection: SourceConnectionId,
        /// The cleanup that it is of.
        cleanup: CleanupId,
    },
    /// It says nothing of a target.
    #[error("the receipt lacks the target {0}")]
    LacksTarget(PurgeTarget),
    /// It doesn't say that a target was verified as it must be.
    #[error("the receipt certifies nothing: {0}")]
    Unverified(Fault),
    /// The ledger says that it no longer holds.
    #[error("superseded since {}: {}", .0.superseded_at, .0.reason)]
    Superseded(Superseded),
    /// The file's reference isn't the one that was signed, or none was, or it isn't opened.
    #[error("the reference doesn't match the receipt")]
    Reference,
    /// The checkpoint isn't one of a log whose key is known here.
    #[error("the checkpoint can't be trusted: {0}")]
    Checkpoint(#[source] NoteError),
    /// The proof doesn't lead from the receipt to the checkpoint's root.
    #[error("the receipt isn't shown to be in the ledger: {0}")]
    NotInLedger(#[source] TreeError),
    /// No ledger can have it.
    #[error("the receipt can't be an entry of a ledger: {0}")]
    NoEntry(#[source] EntryError),
}

impl From<FileError> for Refusal {
    fn from(error: FileError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<ReceiptError> for Refusal {
    fn from(error: ReceiptError) -> Self {
        match error {
            ReceiptError::UnknownKey(key) => Self::UnknownKey(key),
            ReceiptError::Mismatch => Self::Altered,
            ReceiptError::UnknownForm(form) => Self::UnknownForm(form),
            ReceiptError::Fault(fault) => fault.into(),
            ReceiptError::NoEntry(error) => Self::NoEntry(error),
            ReceiptError::Canonical(_) | ReceiptError::Receipt(_) | ReceiptError::Malformed(_) => {
                Self::Malformed(error.to_string())
            }
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::LacksTarget(target) => Self::LacksTarget(target),
            Fault::LacksSettleDelay | Fault::LacksVerification(_) | Fault::NotSettled(_) => Self::Unverified(fault),
        }
    }
}

/// Verifies a receipt. With `superseded` also that nothing that is known of the ledger ends it.
///
/// # Errors
/// The first reason why it is no evidence.
pub fn verify_receipt(
    file: &ReceiptFile,
    keys: &TrustedKeys,
    expected: Expectation,
    superseded: Option<&SupersededReceipts>,
) -> Result<Verified, Refusal> {
    let signed_by = file.signed().signed_by(keys)?.clone();
    let mut checked = vec![Checked::Signature];
    let receipt: Receipt =
        serde_json::from_value(file.receipt.clone()).map_err(|error| Refusal::Malformed(error.to_string()))?;
    if check_deletion(&receipt, expected)? {
        checked.push(Checked::Deletion);
    }
    receipt.check()?;
    checked.push(Checked::Targets);
    let reference = opened(&receipt, file)?;
    if reference.is_some() {
        checked.push(Checked::Reference);
    }
    let in_ledger = file.ledger.as_ref().map(|proof| in_ledger(file, proof, keys)).transpose()?;
    if in_ledger.is_some() {
        checked.push(Checked::Inclusion);
    }
    if let Some(superseded) = superseded {
        if let Some(by) = superseded.get(&receipt.receipt_id) {
            return Err(Refusal::Superseded(by.clone()));
        }
        checked.push(Checked::NotSuperseded);
    }
    Ok(Verified { receipt, signed_by, in_ledger, reference, checked })
}

/// Whether something was asked for.
fn check_deletion(receipt: &Receipt, expected: Expectation) -> Result<bool, Refusal> {
    let is_it = match expected {
        Expectation::Anything => return Ok(false),
        Expectation::Connection(connection) => receipt.source_connection_id == connection,
        Expectation::Cleanup(cleanup) => receipt.cleanup_id == cleanup,
    };
    if is_it {
        return Ok(true);
    }
    Err(Refusal::OtherDeletion { connection: receipt.source_connection_id, cleanup: receipt.cleanup_id })
}

/// The reference that the file opens. A file without an opening, as others than its organization get it, says nothing.
fn opened(receipt: &Receipt, file: &ReceiptFile) -> Result<Option<String>, Refusal> {
    let Some(opening) = &file.reference else { return Ok(None) };
    if receipt.deletion_reference_hash == Some(opening.hash()) {
        Ok(Some(opening.reference.clone()))
    } else {
        Err(Refusal::Reference)
    }
}

fn in_ledger(file: &ReceiptFile, proof: &LedgerProof, keys: &TrustedKeys) -> Result<InLedger, Refusal> {
    let signed = read_checkpoint(&proof.checkpoint, keys).map_err(Refusal::Checkpoint)?;
    let entry = Entry::of_receipt(file.receipt.clone()).canonical().map_err(Refusal::NoEntry)?;
    let leaf = leaf_hash(&entry);
    let checkpoint = &signed.checkpoint;
    check_inclusion(&proof.inclusion_proof, proof.index, checkpoint.size, leaf, checkpoint.root)
        .map_err(Refusal::NotInLedger)?;
    Ok(InLedger { index: proof.index, leaf, checkpoint: signed })
}
