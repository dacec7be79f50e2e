//! What a deletion would take along. Reads only: a preview promises nothing, since jobs go on meanwhile.

use std::time::Duration;

use shared_database::connections::{ConnectionView, Footprint, Visibility};
use shared_models::wire::deletion_preview::{DeletedRows, DeletionPreview, ExpectedData};
use shared_models::{JobStatus, SourceConnectionId};

use crate::auth::Caller;
use crate::present;
use crate::problem::Problem;
use crate::state::AppState;

/// What deleting this connection would do.
///
/// # Errors
/// 404 if there is none, or it is being deleted.
pub async fn of(state: &AppState, caller: &Caller, id: SourceConnectionId) -> Result<DeletionPreview, Problem> {
    let view = state.database.view_connection(caller.organization, id, Visibility::Live).await?;
    let view = view.ok_or(Problem::NoSourceConnection)?;
    let footprint = state.database.footprint(view.sync_id).await?;
    Ok(preview(view, footprint, state.deletions.longest_wait()))
}

fn preview(view: ConnectionView, footprint: Footprint, longest_wait: Duration) -> DeletionPreview {
    let entities = present::entities(view.entities.clone());
    let active = view.last_job.clone().filter(|job| job.status.is_active());
    // A pending job is cancelled at once; only one that a worker has is waited for.
    let has_writer = active.as_ref().is_some_and(|job| job.status != JobStatus::Pending);
    DeletionPreview {
        source_connection_id: view.row.id,
        sync_id: view.sync_id,
        rows: DeletedRows {
            jobs: view.runs.total,
            entities: entities.total_entities,
            credentials: footprint.credentials,
        },
        entities,
        expected: ExpectedData { documents: footprint.documents, blobs: footprint.blobs },
        active_job: active.map(present::last_job),
        longest_wait_seconds: if has_writer { longest_wait.as_secs_f64() } else { 0.0 },
        schedule: present::schedule_of(&view),
        name: view.row.name,
        readable_collection_id: view.readable_collection_id,
    }
}
