//! A cleanup as it goes over the wire, to its organization and to operators.

use shared_models::wire::cleanup::{Cleanup, CleanupLinks};

use super::{CleanupRow, Urgency};

impl From<CleanupRow> for Cleanup {
    fn from(row: CleanupRow) -> Self {
        let this = format!("/cleanups/{}", row.id);
        let receipt = row.completed_at.is_some().then(|| format!("{this}/receipt"));
        let standing = row.standing();
        let Urgency { deadline_at, hurries, is_overdue } = row.urgency;
        Self {
            targets: row.targets().into_iter().map(|(target, known)| (target, known.into())).collect(),
            id: row.id,
            organization_id: row.organization_id,
            collection_id: row.collection_id,
            source_connection_id: row.source_connection_id,
            sync_id: row.sync_id,
            status: standing.status(),
            waiting_for: standing.waiting_for(),
            state: row.state,
            attempts: row.attempts,
            failing_since: row.failing_since(),
            error_code: row.error_code,
            error_text: row.error_text,
            entity_rows_deleted: row.entity_rows_deleted,
            writer_end: row.writer_end,
            requested_by: row.asked.requested_by,
            requested_by_name: row.asked.requested_by_name,
            request_id: row.asked.request_id,
            deletion_reference: row.asked.deletion_reference,
            deletion_requested_at: row.deletion_requested_at,
            rows_deleted_at: row.rows_deleted_at,
            blob_key_destroyed_at: row.blob_key_destroyed_at,
            has_plain_blobs: row.has_plain_blobs,
            next_attempt_at: row.state.is_open().then_some(row.next_attempt_at),
            check_again_at: row.check_again_at,
            deadline_at,
            hurries,
            is_overdue,
            created_at: row.created_at,
            modified_at: row.modified_at,
            completed_at: row.completed_at,
            links: CleanupLinks { events: format!("{this}/events"), this, receipt },
        }
    }
}
