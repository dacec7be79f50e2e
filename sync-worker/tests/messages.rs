//! Messages may be lost, doubled, late or garbage (DEL-6).

use serde_json::json;
use shared_models::{JobStatus, SyncJobId};
use test_support::{Fault, Leftover, wait_until};

use crate::stage::{BOUND, Stage};

#[tokio::test]
async fn a_job_whose_message_is_lost_is_found_by_the_timer() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let connection = stage.connection("stub", json!({})).await;
    let job = stage.pend(connection).await;
    assert_eq!(stage.ended(job).await.status, JobStatus::Completed);
}

#[tokio::test]
async fn a_doubled_message_runs_the_job_once() {
    let stage = Stage::new().await;
    let workers = [stage.worker().await, stage.worker().await];
    let connection = stage.connection("timed", json!({"entity_count": 20, "duration_seconds": 0.5})).await;
    let job = stage.pend(connection).await;
    for _ in 0..4 {
        stage.send_run(job).await;
    }
    assert_eq!(stage.ended(job).await.entities_inserted, 21);
    stage.send_run(job).await;
    wait_until("every message is handled", BOUND, async || {
        let handled = async |at: usize| workers[at].metric("unweave_messages_consumed_total{queue=\"sync.jobs\"").await;
        handled(0).await + handled(1).await >= 5.0
    })
    .await;
    assert_eq!(workers.iter().map(|worker| worker.logged("the job starts")).sum::<usize>(), 1);
}

#[tokio::test]
async fn garbage_goes_to_dead_and_the_next_message_is_handled() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    stage.expects.event("moved a message to the queue of dead ones");
    stage.rest.may_leave([Leftover::DeadLetters]);
    assert!(stage.broker.publish_raw("", "sync.jobs", b"\xff not json", &[]).await);
    stage.send_run(SyncJobId::random()).await;
    let connection = stage.connection("stub", json!({})).await;
    stage.sync(connection).await;
    wait_until("the garbage is dead", BOUND, async || stage.broker.queue_depth("dead").await == Some(1)).await;
    assert_eq!(stage.broker.queue_depth("sync.jobs").await, Some(0));
}

#[tokio::test]
async fn more_jobs_than_slots_all_run() {
    let stage = Stage::new().await;
    let worker = stage.worker_with(&[("MAX_JOBS", "2")]).await;
    let mut jobs = Vec::new();
    for _ in 0..6 {
        let connection = stage.connection("timed", json!({"entity_count": 10, "duration_seconds": 0.3})).await;
        jobs.push(stage.run(connection).await);
    }
    for job in jobs {
        assert_eq!(stage.ended(job).await.status, JobStatus::Completed);
    }
    assert_eq!(worker.logged("the job starts"), 6);
    wait_until("the queue is empty", BOUND, async || stage.broker.queue_depth("sync.jobs").await == Some(0)).await;
}

#[tokio::test]
async fn a_worker_without_a_broker_still_runs_jobs() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    // Its queue and every connection are gone; the row is the work.
    stage.expects.fault(Fault::RabbitMqAway);
    stage.broker.delete_queue("sync.jobs").await;
    stage.broker.close_connections("sync-worker").await;
    let connection = stage.connection("stub", json!({})).await;
    let job = stage.pend(connection).await;
    assert_eq!(stage.ended(job).await.status, JobStatus::Completed);
    drop(worker);
}

#[tokio::test]
async fn no_job_is_taken_while_vespa_runs_an_application_that_would_refuse_its_documents() {
    let stage = Stage::new().await;
    let (http, url) = (reqwest::Client::new(), format!("{}/standin/v1/faults", stage.standin.url));
    let older = json!([{"on": ["get"], "fault": {"unknown_field": {"name": "airweave_system_metadata_purge_key"}}}]);
    http.post(&url).json(&older).send().await.unwrap().error_for_status().unwrap();
    stage.expects.event("Vespa lacks what documents are written with: deploy the application package");
    let mut worker = stage.start(&[]);
    worker.service.wait_until_logged("Vespa lacks what documents are written with", BOUND).await;
    let connection = stage.connection("stub", json!({})).await;
    let job = stage.pend(connection).await;
    // Asked once more, and still nothing is taken.
    let asked = "Vespa lacks what documents are written with";
    wait_until("it is asked again", BOUND, async || worker.logged(asked) >= 2).await;
    assert_eq!(stage.job(job).await.status, JobStatus::Pending);
    let health = reqwest::get(format!("http://{}/health/ready", worker.admin)).await.unwrap();
    assert_eq!(health.status(), 503);
    http.delete(&url).send().await.unwrap().error_for_status().unwrap();
    assert_eq!(stage.ended(job).await.status, JobStatus::Completed);
    worker.wait_until_ready().await;
}
