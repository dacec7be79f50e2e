//! Documents with vectors: what is embedded anew, and what an embedder that is slow or away does to a job.

use std::time::Duration;

use serde_json::json;
use shared_models::JobStatus;
use shared_stores::vespa::{Ranking, SearchRequest};
use test_support::{TestEmbedder, meaning, wait_until};

use crate::job::JobEnd;
use crate::stage::{BOUND, Connection, Stage, timed};

/// The files of the connection that have a vector, the nearest to the question first.
async fn nearest(stage: &Stage, connection: Connection, question: &str) -> Vec<String> {
    let ranking = Ranking::Meaning(meaning(question));
    let request = SearchRequest {
        ranking,
        sync_ids: vec![connection.sync],
        filter: None,
        limit: 100,
        offset: 0,
        most_bytes: 1 << 24,
    };
    let found = stage.vespa.search(&request, Duration::from_secs(10)).await.unwrap();
    found.hits.into_iter().map(|hit| hit.document.name).collect()
}

#[tokio::test]
async fn every_chunk_gets_its_vector_and_unchanged_ones_are_not_embedded_again() {
    let stage = Stage::new().await;
    let embedder = TestEmbedder::start().await;
    let worker = stage.worker_with(&embedder.settings()).await;
    let connection = stage.files_connection().await;
    stage.write_file("garage.txt", "The automobile stands outside.");
    stage.write_file("kitchen.txt", &"Soup and bread. ".repeat(1_000));
    stage.write_file("empty.txt", "");
    let first = stage.sync(connection).await;
    assert_eq!((first.entities_inserted, first.entities_failed), (3, 0));
    stage.assert_consistent(connection).await;
    let found = nearest(&stage, connection, "a car, a vehicle").await;
    assert_eq!(found.first().map(String::as_str), Some("garage.txt"));
    assert_eq!(u64::try_from(found.len()).unwrap(), stage.documents(connection).await);
    assert_eq!(nearest(&stage, connection, "empty txt").await.first().map(String::as_str), Some("empty.txt"));

    let asked = embedder.requests().await;
    let second = stage.sync(connection).await;
    assert_eq!((second.entities_inserted, second.entities_updated, second.entities_kept), (0, 0, 3));
    assert_eq!(embedder.requests().await, asked);
    assert_eq!(worker.metric("unweave_chunks_without_vector_total").await, 0.0);
}

#[tokio::test]
async fn another_model_or_none_makes_the_next_sync_write_everything_anew() {
    let stage = Stage::new().await;
    let embedder = TestEmbedder::start().await;
    let connection = stage.connection("stub", json!({"entity_count": 20})).await;
    let [url, model] = embedder.settings();
    let runs: [&[(&str, &str)]; 4] = [&[], &[url, model], &[url, ("EMBEDDER_MODEL", "another")], &[]];
    for (run, settings) in runs.into_iter().enumerate() {
        let worker = stage.worker_with(settings).await;
        let job = stage.sync(connection).await;
        let written = (job.entities_inserted, job.entities_updated, job.entities_kept);
        assert_eq!(written, if run == 0 { (20, 0, 0) } else { (0, 20, 0) }, "{settings:?}");
        let kept = stage.sync(connection).await;
        assert_eq!((kept.entities_inserted, kept.entities_updated, kept.entities_kept), (0, 0, 20));
        assert_eq!(nearest(&stage, connection, "stub").await.is_empty(), settings.is_empty());
        stage.assert_consistent(connection).await;
        drop(worker);
    }
}

#[tokio::test]
async fn an_embedder_that_stays_away_fails_the_job_with_a_clear_text_and_the_next_sync_repairs() {
    let stage = Stage::new().await;
    let embedder = TestEmbedder::start().await;
    let [url, model] = embedder.settings();
    let worker = stage.worker_with(&[url, model, ("EMBEDDER_PATIENCE", "1s")]).await;
    let connection = stage.connection("stub", json!({"entity_count": 20})).await;
    for (status, text) in [
        (503, "embed chunks: the embedder is overloaded or out of order: it answered 503"),
        (401, "embed chunks: the embedder refused the request with 401"),
    ] {
        embedder.answer_with(Some(status));
        let job = stage.run(connection).await;
        let failed = stage.failed(job).await;
        assert_eq!((failed.status, failed.error.as_deref()), (JobStatus::Failed, Some(text)));
        wait_until("the worker is idle", BOUND, async || worker.metric("unweave_sync_jobs_running").await == 0.0).await;
    }
    embedder.answer_with(None);
    let job = stage.sync(connection).await;
    assert_eq!(job.entities_inserted + job.entities_updated, 20);
    stage.assert_consistent(connection).await;
}

#[tokio::test]
async fn a_slow_embedder_does_not_hold_up_a_stop() {
    let stage = Stage::new().await;
    let embedder = TestEmbedder::start().await;
    let _worker = stage.worker_with(&embedder.settings()).await;
    embedder.delay(Duration::from_secs(600));
    let connection = stage.connection("stub", json!({"entity_count": 20})).await;
    let job = stage.run(connection).await;
    wait_until("the embedder is asked", BOUND, async || embedder.requests().await > 0).await;
    stage.database.cancel_job(connection.id, job).await.unwrap();
    let took = timed(async {
        stage.send_cancel(job).await;
        wait_until("the job ends", BOUND, async || !stage.job(job).await.status.is_active()).await;
    })
    .await;
    let ended = stage.job(job).await;
    assert_eq!((ended.status, ended.job_end), (JobStatus::Cancelled, Some(JobEnd::Acknowledged)));
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_cursor_of_another_embedders_time_is_not_followed() {
    let stage = Stage::new().await;
    let embedder = TestEmbedder::start().await;
    let connection = stage.connection("incremental_stub", json!({"entity_count": 5})).await;
    for (run, settings) in [&[][..], &embedder.settings()[..], &[][..]].into_iter().enumerate() {
        let worker = stage.worker_with(settings).await;
        let job = stage.sync(connection).await;
        let written = job.entities_inserted + job.entities_updated;
        assert_eq!(written, 6, "run {run}: a container and five");
        assert_eq!(nearest(&stage, connection, "stub").await.is_empty(), settings.is_empty(), "run {run}");
        let next = stage.sync(connection).await;
        assert_eq!(
            (next.entities_inserted, next.entities_updated, next.entities_kept),
            (0, 0, 1),
            "it goes on from there"
        );
        drop(worker);
    }
}
