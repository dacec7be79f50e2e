//! Builds a receipt from what is known of a cleanup, and signs it.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use shared_database::cleanups::ClaimedCleanup;
use shared_models::ledger::LedgerSigner;
use shared_models::receipt::{
    FORM, LaterCheck, Opening, OutOfReachUntil, Receipt, ReceiptError, SignedReceipt, TargetReceipt, out_of_reach,
};
use shared_models::{PurgeTarget, ReceiptId, TargetsProgress, WriterEnd};

use crate::work::Policy;

/// When the cleanup is verified once more: a while after the first `done`, if a writer ended by its lease.
pub(crate) fn check_again_at(
    cleanup: &ClaimedCleanup,
    now: DateTime<Utc>,
    late_write_check: chrono::TimeDelta,
) -> Option<DateTime<Utc>> {
    if cleanup.is_check_again {
        return None;
    }
    match (cleanup.writer_end, cleanup.completed_at) {
        (WriterEnd::Lease, None) => Some(now + late_write_check),
        (WriterEnd::Lease | WriterEnd::Acknowledged, _) => cleanup.check_again_at,
    }
}

fn later_check(
    cleanup: &ClaimedCleanup,
    check_again_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<LaterCheck> {
    if cleanup.is_check_again {
        return Some(LaterCheck::Made { at: now });
    }
    check_again_at.map(|at| LaterCheck::Due { at })
}

fn until(what: &str, time: Duration, now: DateTime<Utc>) -> OutOfReachUntil {
    let until = TimeDelta::from_std(time).ok().and_then(|time| now.checked_add_signed(time));
    OutOfReachUntil { what: what.to_owned(), until: until.unwrap_or(DateTime::<Utc>::MAX_UTC) }
}

/// Builds and signs the receipt. `None` if a target has never been verified empty: there is nothing to certify then.
///
/// # Errors
/// [`ReceiptError`] if the receipt has no canonical form.
pub fn issue(
    cleanup: &ClaimedCleanup,
    progress: &TargetsProgress,
    check_again_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    policy: &Policy,
    signer: &LedgerSigner,
) -> Result<Option<(ReceiptId, SignedReceipt)>, ReceiptError> {
    let Some(targets) = targets(&PurgeTarget::required(&cleanup.targets), progress) else { return Ok(None) };
    let verified_by = targets.iter().map(|(target, receipt)| (*target, receipt.verified_by)).collect();
    let receipt = Receipt {
        form: FORM,
        receipt_id: ReceiptId::random(),
        cleanup_id: cleanup.claim.cleanup_id,
        organization_id: cleanup.organization_id,
        collection_id: cleanup.collection_id,
        source_connection_id: cleanup.source_connection_id,
        sync_id: cleanup.sync_id,
        requested_by: cleanup.requested_by,
        request_id: cleanup.request_id,
        deletion_requested_at: cleanup.deletion_requested_at,
        rows_deleted_at: cleanup.rows_deleted_at,
        entity_rows_deleted: cleanup.entity_rows_deleted,
        blob_key_destroyed_at: cleanup.shredding.key_destroyed_at,
        has_plain_blobs: cleanup.shredding.has_plain_blobs,
        writer_end: cleanup.writer_end,
        // On the receipt of that later check itself: when it was due.
        checked_again_at: check_again_at.or(cleanup.check_again_at),
        settle_delay_seconds: Some(policy.schedule.settle_delay.as_secs()),
        later_check: later_check(cleanup, check_again_at, now),
        out_of_reach_until: policy.out_of_reach_for.iter().map(|(what, time)| until(what, *time, now)).collect(),
        follows: cleanup.last_receipt,
        deletion_reference_hash: cleanup.reference.as_ref().map(Opening::hash),
        out_of_reach: out_of_reach(cleanup.shredding, &verified_by),
        targets,
        issued_at: now,
    };
    Ok(Some((receipt.receipt_id, signer.sign_receipt(&receipt)?)))
}

fn targets(required: &[PurgeTarget], progress: &TargetsProgress) -> Option<BTreeMap<PurgeTarget, TargetReceipt>> {
    let entry = |target: &PurgeTarget| {
        let known = progress.get(target)?;
        let receipt = TargetReceipt {
            found: known.found,
            removed_by_type: known.removed_by_type.clone(),
            removed: known.removed,
            rounds: known.rounds,
            verified_empty_at: known.verified_empty_at?,
            verified_by: known.verified_by.unwrap_or_else(|| target.verification()),
            verifications: known.verifications.clone(),
        };
        Some((*target, receipt))
    };
    required.iter().map(entry).collect()
}
