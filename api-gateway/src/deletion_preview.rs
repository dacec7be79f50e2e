//! What a deletion would take along. Reads only: a preview promises nothing, since jobs go on meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use shared_database::cleanups::PurgeOutlook;
use shared_database::connections::{ConnectionView, Footprint, Visibility};
use shared_models::receipt::out_of_reach;
use shared_models::wire::deletion_preview::{
    DeletedRows, DeletionPreview, ExpectedData, PurgeForecast, PurgeWait, ShreddingPreview,
};
use shared_models::{JobStatus, PurgeTarget, Shredding, SourceConnectionId, Verification};
use shared_service::clock;

use crate::auth::Caller;
use crate::connections::or_missing;
use crate::present;
use crate::problem::Problem;
use crate::state::AppState;

/// What deleting this connection would do.
///
/// # Errors
/// 404 if there is none, or it is being deleted.
pub async fn of(state: &AppState, caller: &Caller, id: SourceConnectionId) -> Result<DeletionPreview, Problem> {
    let view = state.database.view_connection(caller.organization, id, Visibility::Live).await?;
    let view = or_missing(view, state, caller, id).await?;
    let footprint = state.database.footprint(view.sync_id).await?;
    let outlook = state.database.purge_outlook(caller.organization).await?;
    Ok(preview(view, footprint, outlook, state.deletions.longest_wait()))
}

fn preview(
    view: ConnectionView,
    footprint: Footprint,
    outlook: PurgeOutlook,
    longest_wait: Duration,
) -> DeletionPreview {
    let shredding = shredding(footprint);
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
        shredding: ShreddingPreview {
            destroys_blob_key: footprint.has_blob_key,
            has_plain_blobs: footprint.has_plain_blobs,
            makes_earlier_versions_unreadable: shredding.is_complete(),
        },
        out_of_reach: out_of_reach(shredding, &verified_by(outlook)),
        purge: forecast(footprint.documents, outlook),
        active_job: active.map(present::last_job),
        longest_wait_seconds: if has_writer { longest_wait.as_secs_f64() } else { 0.0 },
        schedule: present::schedule_of(&view),
        name: view.row.name,
        readable_collection_id: view.readable_collection_id,
    }
}

/// As it would be if the deletion committed now.
fn shredding(footprint: Footprint) -> Shredding {
    let key_destroyed_at = footprint.has_blob_key.then(clock::utc_now);
    Shredding { key_destroyed_at, has_plain_blobs: footprint.has_plain_blobs }
}

/// How the targets will be verified empty, where that isn't what it is by itself.
fn verified_by(outlook: PurgeOutlook) -> BTreeMap<PurgeTarget, Verification> {
    outlook.purges_versions.then_some((PurgeTarget::Arf, Verification::EmptyVersionListing)).into_iter().collect()
}

/// Seconds are exact to what a number of that size can say; nobody reads them to more.
fn forecast(documents: i64, outlook: PurgeOutlook) -> PurgeForecast {
    let documents = u32::try_from(documents).map_or(f64::from(u32::MAX), f64::from);
    let seconds = outlook.per_second.filter(|rate| *rate > 0.0).map(|rate| documents / rate);
    let is_behind_others = u32::try_from(outlook.documents_before).map_or(f64::MAX, f64::from) > documents;
    let waits_for = if outlook.is_paused {
        Some(PurgeWait::Resume)
    } else if !outlook.is_open {
        Some(PurgeWait::Hours)
    } else {
        is_behind_others.then_some(PurgeWait::Turn)
    };
    let (documents_per_second, settle_seconds) = (outlook.per_second, outlook.settle_seconds);
    PurgeForecast { documents_per_second, seconds, settle_seconds, waits_for }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_takes_what_its_documents_take_at_the_present_rate() {
        let outlook = PurgeOutlook {
            per_second: Some(500.0),
            settle_seconds: Some(60.0),
            purges_versions: false,
            is_open: true,
            is_paused: false,
            documents_before: 0,
        };
        let told = forecast(10_000, outlook);
        assert_eq!((told.seconds, told.settle_seconds, told.waits_for), (Some(20.0), Some(60.0), None));
        assert_eq!(forecast(10_000, PurgeOutlook { per_second: None, ..outlook }).seconds, None);
        let behind = PurgeOutlook { documents_before: 10_001, ..outlook };
        assert_eq!(forecast(10_000, behind).waits_for, Some(PurgeWait::Turn));
        let closed = PurgeOutlook { is_open: false, ..behind };
        assert_eq!(forecast(10_000, closed).waits_for, Some(PurgeWait::Hours));
        assert_eq!(forecast(1, PurgeOutlook { is_paused: true, ..closed }).waits_for, Some(PurgeWait::Resume));
    }
}
