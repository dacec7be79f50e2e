//! The receipt as a file: signed content, what opens the caller's reference, and where it is in the ledger.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reference::Opening;
use super::signed::{ReceiptSignature, SignedReceipt};
use crate::ledger::hash::Hash;
use crate::ledger::json::{self, JsonError};

/// No file is larger.
pub const MAX_FILE_BYTES: usize = 256 * 1024;

/// A receipt as its organization gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReceiptFile {
    /// The receipt, as it was signed.
    #[cfg_attr(feature = "openapi", schema(value_type = super::Receipt))]
    pub receipt: Value,
    /// The signature of `receipt`.
    pub signature: ReceiptSignature,
    /// What opens the receipt's `deletion_reference_hash`; null if no reference was given.
    #[serde(default)]
    pub reference: Option<Opening>,
    /// Where the receipt is in the ledger; null until it is published, seconds later.
    #[serde(default)]
    pub ledger: Option<LedgerProof>,
}

/// The proof that a receipt is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LedgerProof {
    /// The receipt's index in the ledger, from 0.
    pub index: u64,
    /// A checkpoint that the ledger's key signed: a signed note.
    pub checkpoint: String,
    /// The hashes that lead from the receipt to the checkpoint's root, the lowest first: standard base64 of 32 bytes.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub inclusion_proof: Vec<Hash>,
}

/// Why a text is no receipt's file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// No JSON that all readers understand alike.
    #[error("unreadable receipt: {0}")]
    Json(#[from] JsonError),
    /// JSON, but no receipt.
    #[error("no receipt: {0}")]
    Form(#[from] serde_json::Error),
}

impl ReceiptFile {
    /// Reads a file. It is refused if another reader might see something else in it than this one.
    ///
    /// # Errors
    /// It is no receipt's file.
    pub fn read(bytes: &[u8]) -> Result<Self, FileError> {
        Ok(serde_json::from_value(json::read(bytes, MAX_FILE_BYTES)?)?)
    }

    /// What was signed, with its signature.
    #[must_use]
    pub fn signed(&self) -> SignedReceipt {
        SignedReceipt { receipt: self.receipt.clone(), signature: self.signature.clone() }
    }
}

impl From<SignedReceipt> for ReceiptFile {
    /// Not in the ledger yet, without a reference.
    fn from(SignedReceipt { receipt, signature }: SignedReceipt) -> Self {
        Self { receipt, signature, reference: None, ledger: None }
    }
}
