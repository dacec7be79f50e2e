//! Receipts: what a cleanup removed, when each target was verified empty, and what may remain out of reach.
//!
//! A receipt is signed ([`signed`]) and is in the ledger, so whoever holds the ledger's verifier key checks it offline
//! ([`crate::ledger::verify_receipt`]); [`ReceiptFile`] is what its organization gets. Receipts are appended, never
//! replaced. A receipt says "removed and verified absent", never "erased from disk" (DEL-7); what it lacks of that is a
//! [`Fault`], and neither signed nor believed.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::cleanup::{PurgeTarget, Shredding, Verification, VerifiedEmpty, WriterEnd};
use crate::ids::{ApiKeyId, CleanupId, CollectionId, OrganizationId, ReceiptId, RequestId, SourceConnectionId, SyncId};

pub mod file;
pub mod reference;
pub mod signed;
pub mod summary;

#[cfg(test)]
mod tests;

pub use file::{FileError, LedgerProof, MAX_FILE_BYTES, ReceiptFile};
pub use reference::{MalformedHex, Opening, ReferenceHash, Salt};
pub use signed::{ReceiptError, ReceiptSignature, SignedReceipt};
pub use summary::{DeletionSummary, SUMMARY_FORM, SummarizedReceipt, SummaryFile};

/// The receipt form's version.
///
/// 2 adds the blobs' key, and counts by type what was removed. 3 adds each verification with its time, the settle
/// delay, the later check, the receipt that it follows, the caller's reference, and until when something may be out of
/// reach; what is signed says what it is. What is of form 1 is read as if there had been no key: it says nothing of
/// one.
pub const FORM: u32 = 3;

/// The first form whose signature says what was signed, and by which key.
pub(crate) const FORM_OF_LEDGER: u32 = 3;

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
    /// Every verification that counts, the oldest first: the target was empty each time, and nothing was found between.
    /// The last is the one above. Empty in receipts before form 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub verifications: Vec<VerifiedEmpty>,
}

/// The check that is made long after, if a writer ended by its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum LaterCheck {
    /// It is still to be made.
    Due {
        /// When.
        at: DateTime<Utc>,
    },
    /// It was made; this receipt is the one of it.
    Made {
        /// When.
        at: DateTime<Utc>,
    },
}

/// Until when something may remain out of reach, as the operator says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OutOfReachUntil {
    /// What, in the operator's words. They are in the ledger for ever.
    pub what: String,
    /// Until when.
    pub until: DateTime<Utc>,
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
    /// When the targets were or are to be checked once more, if a writer ended by its lease.
    pub checked_again_at: Option<DateTime<Utc>>,
    /// One entry for each target: `vespa` and `arf`.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, TargetReceipt>))]
    pub targets: BTreeMap<PurgeTarget, TargetReceipt>,
    /// How long after the first verification the last one was made, at least. Null before form 3.
    #[serde(default)]
    pub settle_delay_seconds: Option<u64>,
    /// Whether the check of `checked_again_at` is still due or was made; null if none is to be made.
    #[serde(default)]
    pub later_check: Option<LaterCheck>,
    /// What may remain out of reach of any purge.
    pub out_of_reach: Vec<String>,
    /// Until when, as far as the operator has said so.
    #[serde(default)]
    pub out_of_reach_until: Vec<OutOfReachUntil>,
    /// The receipt of the same cleanup that this one follows; null if it is the first.
    #[serde(default)]
    pub follows: Option<ReceiptId>,
    /// The caller's reference of the deletion, as a hash that the receipt's file opens; null if none was given.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub deletion_reference_hash: Option<ReferenceHash>,
    /// When this receipt was written.
    pub issued_at: DateTime<Utc>,
}

/// Why a receipt doesn't say that everything was removed and verified absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It says nothing of a target.
    #[error("it says nothing of {0}")]
    LacksTarget(PurgeTarget),
    /// It doesn't say how long the settle delay was.
    #[error("it doesn't say how long the settle delay was")]
    LacksSettleDelay,
    /// The verifications of a target aren't there, not in order, or don't end with the one that is said to be the last.
    #[error("it doesn't say when {0} was verified empty")]
    LacksVerification(PurgeTarget),
    /// A target was verified empty, but not again after the settle delay.
    #[error("{0} wasn't verified empty again after the settle delay")]
    NotSettled(PurgeTarget),
}

impl Receipt {
    /// Whether it says that every target was verified empty, and again after the settle delay. A receipt before form 3
    /// names no delay.
    ///
    /// # Errors
    /// What it lacks.
    pub fn check(&self) -> Result<(), Fault> {
        for target in PurgeTarget::ALL {
            let receipt = self.targets.get(target).ok_or(Fault::LacksTarget(*target))?;
            if self.form >= FORM_OF_LEDGER {
                let settle_delay = self.settle_delay_seconds.ok_or(Fault::LacksSettleDelay)?;
                receipt.check(*target, settle_delay)?;
            }
        }
        Ok(())
    }
}

impl TargetReceipt {
    fn check(&self, target: PurgeTarget, settle_delay_seconds: u64) -> Result<(), Fault> {
        let (Some(first), Some(last)) = (self.verifications.first(), self.verifications.last()) else {
            return Err(Fault::LacksVerification(target));
        };
        let is_last = (last.at, last.by) == (self.verified_empty_at, self.verified_by);
        if !is_last || !self.verifications.is_sorted_by_key(|verification| verification.at) {
            return Err(Fault::LacksVerification(target));
        }
        let settle_delay = i64::try_from(settle_delay_seconds).ok().and_then(TimeDelta::try_seconds);
        let is_settled = settle_delay.is_some_and(|delay| last.at.signed_duration_since(first.at) >= delay);
        if is_settled { Ok(()) } else { Err(Fault::NotSettled(target)) }
    }
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
