//! The kept counts of entities are what a real count finds, after all that a sync can do and whatever happens to it.

use serde_json::json;
use shared_database::jobs::NewJob;
use shared_models::{JobStatus, SyncJobId};
use test_support::{Fault, wait_until};

use crate::stage::{BOUND, Connection, Stage};

/// Runs a job that reads everything to its end.
async fn sync_everything(stage: &Stage, connection: Connection) {
    let NewJob::Created(job) = stage.database.run_connection(connection.id, true, None).await.unwrap() else {
        panic!()
    };
    stage.send_run(job).await;
    assert_eq!(stage.ended(job).await.status, JobStatus::Completed);
}

#[tokio::test]
async fn counts_are_kept_by_syncs_that_end_well() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let files = stage.files_connection().await;
    let stub = stage.connection("stub", json!({"entity_count": 150})).await;
    for number in 0..150 {
        stage.write_file(&format!("{number}.txt"), &"some words ".repeat(number * 4));
    }
    stage.sync(files).await;
    stage.sync(stub).await;
    stage.assert_consistent(files).await;
    stage.assert_consistent(stub).await;

    // Longer, shorter, new, gone.
    for number in 0..150 {
        match number % 3 {
            0 => stage.write_file(&format!("{number}.txt"), &"other words ".repeat(600 - number * 4)),
            1 => std::fs::remove_file(stage.file(&format!("{number}.txt"))).unwrap(),
            _ => stage.write_file(&format!("{number}.md"), "new"),
        }
    }
    let second = stage.sync(files).await;
    assert_eq!((second.entities_inserted, second.entities_updated, second.entities_deleted), (50, 50, 50));
    stage.assert_consistent(files).await;

    // Written by an earlier version as documents of another type, with files of other names: removed,
    // then written anew.
    stage
        .rows
        .execute("UPDATE entity SET document_type = 'web_entity', content_hash = NULL WHERE entity_id < '3'")
        .await;
    stage.rows.execute("UPDATE entity SET file_name = NULL, content_hash = NULL WHERE entity_id > '7'").await;
    stage.rows.count_entities_anew().await;
    assert!(stage.sync(files).await.entities_updated > 0);
    sync_everything(&stage, files).await;
    sync_everything(&stage, stub).await;
    stage.rows.assert_counts_are_kept().await;

    // A class whose last entity is gone counts nothing.
    for entry in std::fs::read_dir(stage.files.path()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    stage.write_file("last.txt", "alone");
    assert_eq!(stage.sync(files).await.entities_deleted, 150);
    stage.rows.assert_counts_are_kept().await;
    let left = format!("SELECT coalesce(sum(entities), 0)::bigint FROM entity_count WHERE sync_id = '{}'", files.sync);
    assert_eq!(stage.rows.count(&left).await, 1);
}

/// Starts a job, and waits until it has written some entities that no job before it has.
async fn run_until_writing(stage: &Stage, connection: Connection) -> SyncJobId {
    let settled = stage.settled(connection).await;
    let job = stage.run(connection).await;
    stage.wait_for_entities(connection, settled + 50).await;
    job
}

#[tokio::test]
async fn counts_are_kept_by_syncs_that_are_cancelled_fail_or_are_killed_in_mid_batch() {
    let mut stage = Stage::new().await;
    let mut worker = stage.worker().await;
    let connection = stage.connection("timed", json!({"entity_count": 5_000, "duration_seconds": 100.0})).await;
    let job = run_until_writing(&stage, connection).await;
    stage.database.cancel_job(connection.id, job).await.unwrap();
    stage.send_cancel(job).await;
    assert_eq!(stage.ended(job).await.status, JobStatus::Cancelled);
    stage.rows.assert_counts_are_kept().await;

    // Vespa goes away in mid-batch: what was to be written stays dirty, and counts.
    let job = run_until_writing(&stage, connection).await;
    stage.expects.fault(Fault::VespaAway);
    stage.standin.service().kill();
    stage.failed(job).await;
    assert!(stage.dirty(connection).await > 0);
    stage.rows.assert_counts_are_kept().await;
    stage.standin.restart().await;

    // The worker dies in mid-batch.
    stage.expects.fault(Fault::ProcessLost);
    let job = run_until_writing(&stage, connection).await;
    stage.standin.service().stop();
    wait_until("a write is under way", BOUND, async || stage.dirty(connection).await > 0).await;
    worker.service.kill();
    stage.standin.service().cont();
    stage.rows.assert_counts_are_kept().await;

    let _next = stage.worker().await;
    assert_eq!(stage.ended(job).await.status, JobStatus::Failed);
    let fewer_at_once =
        r#"UPDATE source_connection SET config = config || '{"entity_count": 300, "duration_seconds": 0.1}'"#;
    stage.rows.execute(fewer_at_once).await;
    sync_everything(&stage, connection).await;
    stage.assert_consistent(connection).await;
}
