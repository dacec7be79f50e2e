//! Workers that die or stand still, and who repairs what (DEL-2, DEL-5).

use serde_json::json;
use shared_models::JobStatus;
use test_support::{Fault, Leftover, wait_until};

use crate::job::JobEnd;
use crate::stage::{BOUND, Stage};

#[tokio::test]
async fn a_worker_killed_in_mid_write_leaves_nothing_that_the_next_sync_does_not_repair() {
    let mut stage = Stage::new().await;
    let mut worker = stage.worker().await;
    let connection = stage.connection("stub", json!({"entity_count": 400, "generation_delay_ms": 5})).await;
    let job = stage.run(connection).await;
    stage.wait_for_entities(connection, 20).await;
    stage.expects.fault(Fault::VespaAway);
    stage.standin.service().stop();
    wait_until("a write is under way", BOUND, async || stage.dirty(connection).await > 0).await;
    stage.expects.fault(Fault::ProcessLost);
    worker.service.kill();
    stage.standin.service().cont();

    let _other = stage.worker().await;
    let lost = stage.ended(job).await;
    assert_eq!((lost.status, lost.job_end), (JobStatus::Failed, Some(JobEnd::Lease)));
    assert_eq!(lost.error.as_deref(), Some("worker lost"));
    assert!(stage.dirty(connection).await > 0);
    let next = stage.sync(connection).await;
    assert_eq!(next.entities_inserted + next.entities_updated + next.entities_kept, 400);
    assert!(next.entities_kept > 0 && next.entities_updated > 0);
    stage.assert_consistent(connection).await;
}

#[tokio::test]
async fn a_cancelling_job_of_a_lost_worker_becomes_cancelled() {
    let stage = Stage::new().await;
    let mut worker = stage.worker().await;
    let connection = stage.connection("timed", json!({"entity_count": 1_000, "duration_seconds": 100.0})).await;
    let job = stage.run(connection).await;
    stage.wait_for_entities(connection, 1).await;
    stage.expects.fault(Fault::ProcessLost);
    worker.service.kill();
    stage.database.cancel_job(connection.id, job).await.unwrap();
    let _other = stage.worker().await;
    let ended = stage.ended(job).await;
    assert_eq!((ended.status, ended.job_end, ended.error), (JobStatus::Cancelled, Some(JobEnd::Lease), None));
}

#[tokio::test]
async fn del_2_a_worker_that_wakes_with_a_late_write_reopens_the_cleanup() {
    let mut stage = Stage::new().await;
    let sleeper = stage.worker().await;
    let connection = stage.connection("timed", json!({"entity_count": 2_000, "duration_seconds": 100.0})).await;
    let job = stage.run(connection).await;
    stage.wait_for_entities(connection, 1).await;
    stage.expects.fault(Fault::VespaAway);
    stage.standin.service().stop();
    wait_until("a write is under way", BOUND, async || stage.dirty(connection).await > 0).await;
    stage.expects.fault(Fault::ProcessLost);
    sleeper.service.stop();
    stage.standin.service().cont();

    // Another worker reaps the job; then the connection is deleted, and its cleanup finds nothing and is done.
    let _other = stage.worker().await;
    assert_eq!(stage.ended(job).await.job_end, Some(JobEnd::Lease));
    let cleanup = format!(
        "INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id, deletion_requested_at,
                              entity_rows_deleted, writer_end, targets, state)
         SELECT gen_random_uuid(), '{}', organization_id, collection_id, id, now(), 0, 'lease', '{{vespa,arf}}', 'done'
         FROM source_connection;
         DELETE FROM source_connection",
        connection.sync
    );
    stage.rows.execute(&cleanup).await;

    // No cleanup-worker is there to do it.
    stage.rest.may_leave([Leftover::Cleanups]);
    sleeper.service.cont();
    let reopened = "SELECT count(*) FROM cleanup WHERE state = 'scheduled'";
    wait_until("the cleanup is reopened", BOUND, async || stage.rows.count(reopened).await == 1).await;
    assert_eq!(sleeper.metric("unweave_late_writes_total").await, 1.0);
}

#[tokio::test]
async fn a_worker_that_wakes_without_an_open_write_only_stops() {
    let stage = Stage::new().await;
    let sleeper = stage.worker().await;
    // A source that says nothing for 100 s after its first entity.
    let connection = stage.connection("timed", json!({"entity_count": 2, "duration_seconds": 200.0})).await;
    let job = stage.run(connection).await;
    stage.wait_for_entities(connection, 1).await;
    wait_until("no write is open", BOUND, async || sleeper.metric("unweave_writes_open").await == 0.0).await;
    stage.expects.fault(Fault::ProcessLost);
    sleeper.service.stop();
    let _other = stage.worker().await;
    assert_eq!(stage.ended(job).await.job_end, Some(JobEnd::Lease));
    sleeper.service.cont();
    wait_until("the worker is idle", BOUND, async || sleeper.metric("unweave_sync_jobs_running").await == 0.0).await;
    assert_eq!(sleeper.metric("unweave_late_writes_total").await, 0.0);
}
