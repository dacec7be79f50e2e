//! A bundle's missing entries, with what they say, as PostgreSQL gets them back.

use std::ops::Range;

use serde_json::Value;
use shared_database::audit::{API_KEY_DELETED, COLLECTION_DELETED, ORGANIZATION_DELETED};
use shared_database::ledger::{LostBatch, LostEntry, LostReceipt, LostSuperseded};
use shared_models::ledger::{Entry, Frontier, LedgerSigner, NodeId, ReadEntry, leaf_hash};
use shared_models::receipt::{Receipt, ReceiptError};
use shared_models::{ApiKeyId, CollectionId, OrganizationId};
use shared_stores::LedgerStore;

use super::missing::missing_entries;
use super::{Missing, RecoveryError};

impl Missing {
    /// Reads these entries once more, and appends them to `log`; they must be those that were led to the root.
    pub(super) async fn batch(
        &self,
        store: &LedgerStore,
        signer: &LedgerSigner,
        range: Range<u64>,
        log: &mut Frontier,
    ) -> Result<LostBatch, RecoveryError> {
        let (_, entries) = missing_entries(store, self.size(), range.clone()).await?;
        let mut batch = LostBatch { first: range.start, ..LostBatch::default() };
        for (index, (text, leaf)) in range.clone().zip(entries.iter().zip(self.leaves(&range))) {
            if leaf_hash(text) != *leaf {
                return Err(RecoveryError::Altered);
            }
            for tile in log.append(*leaf)? {
                if let Some(hash) = tile.root() {
                    batch.full.push((NodeId { level: tile.id.level + 1, index: tile.id.index }, hash));
                }
            }
            let entry = Entry::read(text).map_err(|error| RecoveryError::Entry { index, error })?;
            let place = batch.entries.len();
            let organization_id = self.take_into(&mut batch, entry, place, index, signer)?;
            let entry: Value = serde_json::from_slice(text).map_err(|_| RecoveryError::Altered)?;
            batch.entries.push(LostEntry { organization_id, entry, leaf_hash: *leaf });
        }
        if batch.entries.len() != self.leaves(&range).len() {
            return Err(RecoveryError::Altered);
        }
        Ok(batch)
    }

    /// Returns whose fact it is.
    fn take_into(
        &self,
        batch: &mut LostBatch,
        entry: ReadEntry,
        place: usize,
        index: u64,
        signer: &LedgerSigner,
    ) -> Result<Option<OrganizationId>, RecoveryError> {
        Ok(match entry {
            ReadEntry::Known(Entry::Deleted(deleted)) => {
                let organization = deleted.organization_id;
                batch.deleted.push(deleted);
                Some(organization)
            }
            ReadEntry::Known(Entry::Superseded(ended)) => {
                batch.superseded.push(LostSuperseded {
                    receipt_id: ended.receipt_id,
                    cleanup_id: ended.cleanup_id,
                    at: ended.superseded_at,
                    reason: ended.reason,
                });
                Some(ended.organization_id)
            }
            ReadEntry::Known(Entry::Receipt(entry)) => {
                let organization = organization_of(&entry.receipt);
                let read: Option<Receipt> = serde_json::from_value(entry.receipt.clone()).ok();
                let signed = match signer.sign_again(entry.receipt) {
                    // It was signed otherwise, and its signature is lost; or a later version wrote it.
                    Err(ReceiptError::UnknownForm(_)) => return Ok(organization),
                    signed => signed.map_err(|error| RecoveryError::Receipt { index, error })?,
                };
                let Some(receipt) = read else { return Ok(organization) };
                batch.receipts.push(LostReceipt {
                    id: receipt.receipt_id,
                    sync_id: receipt.sync_id,
                    signed: serde_json::to_value(&signed)
                        .map_err(|error| RecoveryError::Receipt { index, error: error.into() })?,
                    issued_at: receipt.issued_at,
                    place,
                    superseded: self.superseded.get(&receipt.receipt_id).copied(),
                });
                Some(receipt.organization_id)
            }
            ReadEntry::Known(Entry::Audit(audit)) => {
                match audit.action.as_str() {
                    API_KEY_DELETED => batch.deleted_keys.extend(audit.object_id.map(ApiKeyId)),
                    COLLECTION_DELETED => batch.deleted_collections.extend(audit.object_id.map(CollectionId)),
                    ORGANIZATION_DELETED => batch.deleted_organizations.extend(audit.object_id.map(OrganizationId)),
                    _ => {}
                }
                audit.organization_id
            }
            ReadEntry::Unknown { .. } => None,
        })
    }
}

fn organization_of(receipt: &Value) -> Option<OrganizationId> {
    receipt.get("organization_id").and_then(|id| serde_json::from_value(id.clone()).ok())
}
