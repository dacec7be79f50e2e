//! What a sync leaves in rows, Vespa and ARF.

use serde_json::json;
use test_support::wait_until;

use crate::stage::{BOUND, Stage};

#[tokio::test]
async fn a_second_sync_of_unchanged_data_writes_nothing() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let connection = stage.connection("timed", json!({"entity_count": 150, "duration_seconds": 0.1})).await;
    let first = stage.sync(connection).await;
    assert_eq!((first.entities_inserted, first.entities_updated, first.entities_kept), (151, 0, 0));
    stage.assert_consistent(connection).await;

    let second = stage.sync(connection).await;
    assert_eq!((second.entities_inserted, second.entities_updated, second.entities_kept), (0, 0, 151));
    assert_eq!((second.entities_deleted, second.entities_failed), (0, 0));
    stage.assert_consistent(connection).await;
    let manifest = stage.arf.manifest(connection.sync).await.unwrap().unwrap();
    assert_eq!(manifest.sync_jobs, [first.id, second.id]);
}

#[tokio::test]
async fn every_kind_of_entity_arrives_with_its_files() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let config = json!({"entity_count": 200, "inject_special_tokens": true});
    let connection = stage.connection("stub", config).await;
    let job = stage.sync(connection).await;
    assert_eq!((job.entities_inserted, job.entities_failed), (200, 0));
    stage.assert_consistent(connection).await;
    assert!(stage.blobs(connection).await.files > 0);
    let second = stage.sync(connection).await;
    assert_eq!((second.entities_inserted, second.entities_updated, second.entities_kept), (0, 0, 200));
}

#[tokio::test]
async fn changed_and_vanished_entities_are_followed() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let connection = stage.files_connection().await;
    stage.write_file("stays.txt", "the same");
    stage.write_file("shrinks.txt", &"many words ".repeat(2_000));
    stage.write_file("goes.txt", &"gone soon ".repeat(500));
    let first = stage.sync(connection).await;
    assert_eq!(first.entities_inserted, 3);
    stage.assert_consistent(connection).await;
    let before = stage.documents(connection).await;

    stage.write_file("shrinks.txt", "few words");
    stage.write_file("comes.md", "# New");
    std::fs::remove_file(stage.file("goes.txt")).unwrap();
    let second = stage.sync(connection).await;
    let counts = (second.entities_inserted, second.entities_updated, second.entities_deleted, second.entities_kept);
    assert_eq!(counts, (1, 1, 1, 1));
    stage.assert_consistent(connection).await;
    assert!(stage.documents(connection).await < before);
}

#[tokio::test]
async fn a_source_that_fails_fails_the_job_and_removes_nothing() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let connection = stage.connection("stub", json!({"entity_count": 20})).await;
    stage.sync(connection).await;
    let config = "UPDATE source_connection SET config = jsonb_set(config, '{fail_after}', '5')";
    stage.rows.execute(config).await;

    let job = stage.run(connection).await;
    let failed = stage.failed(job).await;
    assert!(failed.error.is_some());
    assert_eq!(failed.entities_deleted, 0);
    assert_eq!(stage.settled(connection).await, 20);
    stage.assert_consistent(connection).await;
}

#[tokio::test]
async fn a_vespa_that_is_down_fails_the_job_with_a_clear_text_and_the_next_sync_repairs() {
    let mut stage = Stage::new().await;
    let worker = stage.worker().await;
    let connection = stage.connection("timed", json!({"entity_count": 30, "duration_seconds": 0.1})).await;
    stage.standin.service().kill();
    let job = stage.run(connection).await;
    let failed = stage.failed(job).await;
    let error = failed.error.unwrap();
    assert!(error.starts_with("write to Vespa: Vespa is unavailable"), "{error}");
    assert!(stage.dirty(connection).await > 0);

    stage.standin.restart().await;
    wait_until("the worker is idle", BOUND, async || worker.metric("unweave_sync_jobs_running").await == 0.0).await;
    let next = stage.sync(connection).await;
    assert_eq!(next.entities_inserted + next.entities_updated, 31);
    stage.assert_consistent(connection).await;
}

#[tokio::test]
async fn a_source_for_tests_is_refused_where_it_is_not_enabled() {
    let stage = Stage::new().await;
    let _worker = stage.worker_with(&[("ENABLE_INTERNAL_SOURCES", "false")]).await;
    let connection = stage.connection("stub", json!({})).await;
    let job = stage.run(connection).await;
    let failed = stage.failed(job).await;
    assert_eq!(failed.error.as_deref(), Some("source 'stub' is not enabled"));
}
