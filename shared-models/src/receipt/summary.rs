//! The summary of all receipts of an organization that was deleted: one signed list, for whoever must show that nothing
//! of it is left.
//!
//! It names each receipt that holds, with the hash of its entry in the ledger. So it says what belongs together, and
//! the receipts say what was done: they are to be kept with it. It is no entry of the ledger itself.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::signed::{ReceiptError, ReceiptSignature, Signs};
use crate::ids::{CleanupId, CollectionId, OrganizationId, ReceiptId, SourceConnectionId, SyncId};
use crate::ledger::entry::Entry;
use crate::ledger::hash::{Hash, leaf_hash};
use crate::ledger::json;
use crate::ledger::keys::{LedgerSigner, TrustedKeys, VerifierKey};
use crate::receipt::{LaterCheck, Receipt};

/// The summary form's version.
pub const SUMMARY_FORM: u32 = 1;

/// No summary is larger: some 200 000 receipts.
pub const MAX_SUMMARY_BYTES: usize = 128 << 20;

/// One of the receipts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummarizedReceipt {
    /// Which.
    pub receipt_id: ReceiptId,
    /// The cleanup that it ends.
    pub cleanup_id: CleanupId,
    /// The collection that the connection was in.
    pub collection_id: CollectionId,
    /// The deleted connection.
    pub source_connection_id: SourceConnectionId,
    /// The sync whose id the data carried.
    pub sync_id: SyncId,
    /// When the receipt was issued.
    pub issued_at: DateTime<Utc>,
    /// The hash of the receipt's entry in the ledger: by it the entry is found, and the receipt can't be another one.
    pub leaf_hash: Hash,
    /// When its targets are checked once more, if that is still to be done.
    pub later_check_at: Option<DateTime<Utc>>,
}

impl SummarizedReceipt {
    /// Of a receipt.
    ///
    /// # Errors
    /// The ledger can't have it, or it isn't of a form that is known here.
    pub fn of(receipt: &Value) -> Result<Self, ReceiptError> {
        let read: Receipt = serde_json::from_value(receipt.clone())?;
        Ok(Self {
            receipt_id: read.receipt_id,
            cleanup_id: read.cleanup_id,
            collection_id: read.collection_id,
            source_connection_id: read.source_connection_id,
            sync_id: read.sync_id,
            issued_at: read.issued_at,
            leaf_hash: leaf_hash(&Entry::of_receipt(receipt.clone()).canonical()?),
            later_check_at: read.later_check.and_then(|check| match check {
                LaterCheck::Due { at } => Some(at),
                LaterCheck::Made { .. } => None,
            }),
        })
    }
}

/// What was deleted with an organization, and by which receipts that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionSummary {
    /// [`SUMMARY_FORM`].
    pub form: u32,
    /// The organization.
    pub organization_id: OrganizationId,
    /// When its deletion was begun: its keys were refused from then on.
    pub deletion_requested_at: DateTime<Utc>,
    /// When the last of its rows was gone.
    pub organization_deleted_at: DateTime<Utc>,
    /// The receipts that hold, one for each connection that was ever deleted, the first issued first.
    pub receipts: Vec<SummarizedReceipt>,
    /// When this was written.
    pub issued_at: DateTime<Utc>,
}

/// A summary with its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SummaryFile {
    /// The summary, as it was signed.
    pub summary: Value,
    /// The signature of `summary`.
    pub signature: ReceiptSignature,
}

const SIGNS: Signs = Signs { what: "deletion summary", form: SUMMARY_FORM };

impl LedgerSigner {
    /// Signs a summary.
    ///
    /// # Errors
    /// It has no canonical form.
    pub fn sign_summary(&self, summary: &DeletionSummary) -> Result<SummaryFile, ReceiptError> {
        let summary = serde_json::to_value(summary)?;
        let signature = SIGNS.sign(&summary, self)?;
        Ok(SummaryFile { summary, signature })
    }
}

impl SummaryFile {
    /// Reads a file. It is refused if another reader might see something else in it than this one.
    ///
    /// # Errors
    /// It is no summary's file.
    pub fn read(bytes: &[u8]) -> Result<Self, ReceiptError> {
        Ok(serde_json::from_value(json::read(bytes, MAX_SUMMARY_BYTES)?)?)
    }

    /// What it says, and which of the known keys signed it.
    ///
    /// # Errors
    /// None did, or it is no summary of a form that is known here.
    pub fn verify<'a>(&self, keys: &'a TrustedKeys) -> Result<(DeletionSummary, &'a VerifierKey), ReceiptError> {
        let form = self.summary.get("form").and_then(Value::as_u64).ok_or(ReceiptError::Malformed("form"))?;
        if form != u64::from(SUMMARY_FORM) {
            return Err(ReceiptError::UnknownForm(form));
        }
        let signed_by = SIGNS.signed_by(&self.summary, &self.signature, keys)?;
        Ok((serde_json::from_value(self.summary.clone())?, signed_by))
    }
}
