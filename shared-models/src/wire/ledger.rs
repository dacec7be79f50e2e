//! The ledger on the wire: keys, proofs, an organization's entries, receipts with whether they hold.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::ReceiptId;
use crate::ledger::SupersededReason;
use crate::receipt::ReceiptFile;

/// A receipt of a cleanup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CleanupReceipt {
    /// The receipt.
    pub receipt_id: ReceiptId,
    /// When it was written.
    pub issued_at: DateTime<Utc>,
    /// Whether it holds: at most one of a cleanup does, and none while the cleanup is open again.
    pub holds: bool,
    /// Since when it holds no longer; null if it holds.
    pub superseded_at: Option<DateTime<Utc>>,
    /// Why; null if it holds.
    pub superseded_reason: Option<SupersededReason>,
    /// The receipt itself: what `unweave receipt verify` takes.
    pub file: ReceiptFile,
}

/// A key that signs, or signed, receipts and checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LedgerKey {
    /// The verifier key, in the form of C2SP signed-note: `<origin>+<8 hexadecimal digits>+<base64>`.
    pub verifier_key: String,
    /// What the operator calls the key.
    pub name: String,
    /// When it first signed.
    pub first_used_at: DateTime<Utc>,
    /// When a service last said that it signs with it. What is signed later by this key is none of this ledger.
    pub last_used_at: DateTime<Utc>,
    /// Whether it is the key that signs now.
    pub is_current: bool,
}

/// The proof that the ledger only grew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsistencyProof {
    /// Entries before.
    pub old_size: u64,
    /// Entries after.
    pub new_size: u64,
    /// The hashes, as RFC 6962 orders them: standard base64 of 32 bytes.
    pub proof: Vec<String>,
}

/// An entry of the ledger that is about the caller's organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LedgerEntry {
    /// Its place in the ledger, from 0; null until it has one, moments later.
    pub index: Option<u64>,
    /// The entry, in one of the forms of docs/ledger.md.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub entry: Value,
}
