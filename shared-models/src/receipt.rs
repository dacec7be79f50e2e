//! Receipts: what a cleanup removed, when each target was verified empty, and what may remain out of reach.
//!
//! A receipt is signed with Ed25519 over its RFC 8785 (JCS) form, so anybody who holds the public key can verify it
//! offline. Receipts are appended, never replaced. A receipt says "removed and verified absent",
//! never "erased from disk".

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cleanup::{PurgeTarget, Shredding, Verification, WriterEnd};
use crate::ids::{ApiKeyId, CleanupId, CollectionId, OrganizationId, ReceiptId, RequestId, SourceConnectionId, SyncId};

/// The receipt form's version.
///
/// 2 adds the blobs' key, and counts by type what was removed. What is of form 1 is read as if there had been no key:
/// it says nothing of one.
pub const FORM: u32 = 2;

/// What one target held and that it is empty now. Counts are documents or blobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TargetReceipt {
    /// What the rounds found at their starts.
    pub found: u64,
    /// What was removed: at least all that was found, since the target is empty now. More if something came, or came
    /// back, in the middle of a round.
    pub removed: u64,
    /// The same, by document type or kind of blob, counted as they were removed: lower bounds, for what a worker that
    /// died had just removed is missing, and their sum is less than `removed` then. Receipts of form 1 say here what
    /// was found.
    #[serde(alias = "found_by_type")]
    pub removed_by_type: BTreeMap<String, u64>,
    /// Rounds that were needed.
    pub rounds: u32,
    /// When the target was last verified empty.
    pub verified_empty_at: DateTime<Utc>,
    /// How it was verified.
    pub verified_by: Verification,
}

/// What a cleanup proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// [`FORM`].
    pub form: u32,
    /// This receipt.
    pub receipt_id: ReceiptId,
    /// The cleanup that it ends.
    pub cleanup_id: CleanupId,
    /// Whose data it was.
    pub organization_id: OrganizationId,
    /// The collection that the connection was in.
    pub collection_id: CollectionId,
    /// The deleted connection.
    pub source_connection_id: SourceConnectionId,
    /// The sync whose id every document and blob carried.
    pub sync_id: SyncId,
    /// The API key that asked, if there was one.
    pub requested_by: Option<ApiKeyId>,
    /// The request that asked.
    pub request_id: Option<RequestId>,
    /// When the deletion was accepted: from here on no search returned the data.
    pub deletion_requested_at: DateTime<Utc>,
    /// When the rows and credentials were gone.
    pub rows_deleted_at: DateTime<Utc>,
    /// Entity rows that went with the connection.
    pub entity_rows_deleted: u64,
    /// When the key was gone that the blobs were encrypted with: it went with the rows. Null if there was none.
    #[serde(default)]
    pub blob_key_destroyed_at: Option<DateTime<Utc>>,
    /// Whether blobs may have been written without encryption. Only if not, and if there was a key, is all unreadable
    /// that an object store may keep of them.
    #[serde(default = "yes")]
    pub has_plain_blobs: bool,
    /// How the writers ended.
    pub writer_end: WriterEnd,
    /// When the targets will be checked once more, if a writer ended by its lease.
    pub checked_again_at: Option<DateTime<Utc>>,
    /// One entry for each target: `vespa` and `arf`.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, TargetReceipt>))]
    pub targets: BTreeMap<PurgeTarget, TargetReceipt>,
    /// What may remain out of reach of any purge.
    pub out_of_reach: Vec<String>,
    /// When this receipt was written.
    pub issued_at: DateTime<Utc>,
}

const fn yes() -> bool {
    true
}

/// What no purge reaches, as every receipt says it. A target that isn't in `verified_by` is, or will be, verified as
/// targets are unless their store was asked for more.
#[must_use]
pub fn out_of_reach(shredding: Shredding, verified_by: &BTreeMap<PurgeTarget, Verification>) -> Vec<String> {
    let of_target = |target: &PurgeTarget| {
        let verified_by = verified_by.get(target).copied().unwrap_or_else(|| target.verification());
        target.out_of_reach(shredding, verified_by)
    };
    let of_targets = PurgeTarget::ALL.iter().map(of_target);
    let of_all = [
        "Backups of PostgreSQL, Vespa and the object store, until they expire.",
        "What an embedder keeps of the texts that it was sent, if one was configured while the data was synced.",
    ];
    of_targets.chain(of_all.map(str::to_owned)).collect()
}

/// A receipt with its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedReceipt {
    /// The receipt, as it was signed. Kept as JSON so that fields of later forms survive.
    #[cfg_attr(feature = "openapi", schema(value_type = Receipt))]
    pub receipt: Value,
    /// The signature over the JCS form of `receipt`.
    pub signature: ReceiptSignature,
}

/// An Ed25519 signature and the key it can be checked with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReceiptSignature {
    /// `Ed25519`.
    pub algorithm: String,
    /// The operator's name of the key.
    pub key_id: String,
    /// The public key, standard base64 of 32 bytes.
    pub public_key: String,
    /// The signature, standard base64 of 64 bytes.
    pub value: String,
}

/// Why a receipt doesn't verify.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The receipt has no canonical form.
    #[error("receipt has no canonical form: {0}")]
    Canonical(#[from] serde_json::Error),
    /// Key or signature isn't what the form says.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// It was signed with another key than the trusted one.
    #[error("signed with another key than the trusted one")]
    OtherKey,
    /// Receipt and signature don't belong together.
    #[error("signature doesn't match the receipt")]
    Mismatch,
}

/// The key that signs receipts.
pub struct ReceiptSigner {
    key_id: String,
    key: SigningKey,
}

impl ReceiptSigner {
    /// A signer from the 32 secret bytes of an Ed25519 key.
    #[must_use]
    pub fn new(key_id: String, secret: &[u8; 32]) -> Self {
        Self { key_id, key: SigningKey::from_bytes(secret) }
    }

    /// The public half, standard base64.
    #[must_use]
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.key.verifying_key().as_bytes())
    }

    /// Signs a receipt.
    ///
    /// # Errors
    /// [`ReceiptError::Canonical`] if the receipt can't be written as canonical JSON.
    pub fn sign(&self, receipt: &Receipt) -> Result<SignedReceipt, ReceiptError> {
        let receipt = serde_json::to_value(receipt)?;
        let signature = self.key.sign(&serde_jcs::to_vec(&receipt)?);
        Ok(SignedReceipt {
            receipt,
            signature: ReceiptSignature {
                algorithm: "Ed25519".to_owned(),
                key_id: self.key_id.clone(),
                public_key: self.public_key(),
                value: STANDARD.encode(signature.to_bytes()),
            },
        })
    }
}

impl SignedReceipt {
    /// Verifies the signature; with `trusted` (standard base64 of the public key) also that it is by that key. Without
    /// it this only shows that the receipt wasn't altered since somebody signed it.
    ///
    /// # Errors
    /// Why the receipt proves nothing.
    pub fn verify(&self, trusted: Option<&str>) -> Result<(), ReceiptError> {
        if trusted.is_some_and(|key| key != self.signature.public_key) {
            return Err(ReceiptError::OtherKey);
        }
        let key = decode::<32>(&self.signature.public_key, "public key")?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| ReceiptError::Malformed("public key"))?;
        let value = Signature::from_bytes(&decode::<64>(&self.signature.value, "signature")?);
        key.verify_strict(&serde_jcs::to_vec(&self.receipt)?, &value).map_err(|_| ReceiptError::Mismatch)
    }
}

fn decode<const N: usize>(text: &str, what: &'static str) -> Result<[u8; N], ReceiptError> {
    STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(ReceiptError::Malformed(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn signed() -> SignedReceipt {
        let at = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap();
        let receipt = Receipt {
            form: FORM,
            receipt_id: ReceiptId(Uuid::nil()),
            cleanup_id: CleanupId(Uuid::nil()),
            organization_id: OrganizationId(Uuid::nil()),
            collection_id: CollectionId(Uuid::nil()),
            source_connection_id: SourceConnectionId(Uuid::nil()),
            sync_id: SyncId(Uuid::nil()),
            requested_by: None,
            request_id: None,
            deletion_requested_at: at,
            rows_deleted_at: at,
            entity_rows_deleted: 3,
            blob_key_destroyed_at: Some(at),
            has_plain_blobs: false,
            writer_end: WriterEnd::Acknowledged,
            checked_again_at: None,
            targets: BTreeMap::from([(
                PurgeTarget::Vespa,
                TargetReceipt {
                    found: 3,
                    removed_by_type: BTreeMap::from([("file_entity".to_owned(), 3)]),
                    removed: 3,
                    rounds: 1,
                    verified_empty_at: at,
                    verified_by: Verification::ZeroCount,
                },
            )]),
            out_of_reach: out_of_reach(
                Shredding { key_destroyed_at: Some(at), has_plain_blobs: false },
                &BTreeMap::new(),
            ),
            issued_at: at,
        };
        ReceiptSigner::new("test".to_owned(), &[7; 32]).sign(&receipt).unwrap()
    }

    #[test]
    fn a_receipt_verifies_after_a_round_trip_through_json() {
        let text = serde_json::to_string_pretty(&signed()).unwrap();
        let read: SignedReceipt = serde_json::from_str(&text).unwrap();
        read.verify(Some(&read.signature.public_key)).unwrap();
    }

    /// Made by a version before blob keys.
    const FORM_1: &str = include_str!("receipt/form_1.json");

    #[test]
    fn a_receipt_of_an_earlier_form_stays_readable_and_verifies() {
        let read: SignedReceipt = serde_json::from_str(FORM_1).unwrap();
        read.verify(Some(&ReceiptSigner::new("test".to_owned(), &[7; 32]).public_key())).unwrap();
        let receipt: Receipt = serde_json::from_value(read.receipt).unwrap();
        assert_eq!((receipt.form, receipt.blob_key_destroyed_at, receipt.has_plain_blobs), (1, None, true));
    }

    #[test]
    fn an_altered_receipt_is_refused() {
        let mut altered = signed();
        altered.receipt["entity_rows_deleted"] = 2.into();
        assert!(matches!(altered.verify(None), Err(ReceiptError::Mismatch)));
    }

    #[test]
    fn a_receipt_by_another_key_is_refused() {
        let other = ReceiptSigner::new("other".to_owned(), &[8; 32]).public_key();
        assert!(matches!(signed().verify(Some(&other)), Err(ReceiptError::OtherKey)));
    }
}
