//! How a job stops: on request, without its lease, without its rows, with its process (DEL-2).

use std::time::Duration;

use serde_json::json;
use shared_messaging::{Broker, Outcome, Subscription};
use shared_models::{Envelope, JobStatus, Message, SyncJobId};
use test_support::{Fault, Leftover, wait_until};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::job::JobEnd;
use crate::stage::{BOUND, Connection, Stage, Worker, timed};

/// A long job that has written something.
async fn long_job(stage: &Stage) -> (Connection, SyncJobId) {
    let connection = stage.connection("timed", json!({"entity_count": 5_000, "duration_seconds": 100.0})).await;
    let job = stage.run(connection).await;
    stage.wait_for_entities(connection, 20).await;
    (connection, job)
}

async fn idle(worker: &Worker) {
    wait_until("the worker is idle", BOUND, async || worker.metric("unweave_sync_jobs_running").await == 0.0).await;
}

/// The ends of jobs, as a gateway hears of them.
async fn stopped_jobs(stage: &Stage) -> (mpsc::UnboundedReceiver<SyncJobId>, tokio_util::sync::DropGuard) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let shutdown = CancellationToken::new();
    let url = stage.broker.amqp_url.clone().into();
    let broker = Broker::new(&url, "test", &TaskTracker::new(), &shutdown).unwrap();
    let handler = move |envelope: Envelope| {
        if let Message::JobStopped { job_id } = envelope.message {
            let _closed = sender.send(job_id);
        }
        async { Outcome::Done }
    };
    let consumer = broker.consume(Subscription::Events { pattern: "job.stopped.#" }, &broker.publisher(), handler);
    wait_until("the test listens", BOUND, async || consumer.is_connected()).await;
    (receiver, shutdown.drop_guard())
}

#[tokio::test]
async fn a_cancel_is_acknowledged_at_once() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    let (mut stopped, _listening) = stopped_jobs(&stage).await;
    let (connection, job) = long_job(&stage).await;
    stage.database.cancel_job(connection.id, job).await.unwrap();
    let took = timed(async {
        stage.send_cancel(job).await;
        assert_eq!(stopped.recv().await, Some(job));
    })
    .await;
    let ended = stage.job(job).await;
    assert_eq!((ended.status, ended.job_end), (JobStatus::Cancelled, Some(JobEnd::Acknowledged)));
    assert!(took < Duration::from_secs(1), "{took:?}");
    idle(&worker).await;
    let inside = worker.metric("unweave_stop_acknowledgement_seconds_sum").await;
    assert!(inside < 0.5, "{inside}");
}

#[tokio::test]
async fn a_cancel_without_its_message_is_noticed_at_the_renewal() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let (connection, job) = long_job(&stage).await;
    stage.database.cancel_job(connection.id, job).await.unwrap();
    let took = timed(async { drop(stage.ended(job).await) }).await;
    assert_eq!(stage.job(job).await.job_end, Some(JobEnd::Acknowledged));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn del_2_a_write_that_stays_unanswered_holds_the_acknowledgement_until_its_bound() {
    let mut stage = Stage::new().await;
    let _worker = stage.worker().await;
    let (connection, job) = long_job(&stage).await;
    stage.expects.fault(Fault::VespaAway);
    stage.standin.service().stop();
    wait_until("a write is under way", BOUND, async || stage.dirty(connection).await > 0).await;
    stage.database.cancel_job(connection.id, job).await.unwrap();
    let took = timed(async {
        stage.send_cancel(job).await;
        drop(stage.ended(job).await);
    })
    .await;
    stage.standin.service().cont();
    // Store timeout 1 s: a write is open for 3 s from its start, unless its answer comes.
    assert!(took > Duration::from_millis(1_500) && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn del_2_a_job_that_was_reaped_by_hand_stops_writing() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    let (connection, job) = long_job(&stage).await;
    let reaped = "UPDATE sync_job SET status = 'failed', error = 'by hand', job_end = 'lease', lease_owner = NULL,
                  lease_expires_at = NULL, completed_at = now()";
    stage.expects.event("the job ends early");
    stage.rows.execute(reaped).await;
    let rows = stage.settled(connection).await;
    idle(&worker).await;
    assert_eq!(worker.logged("the job's row was taken away before its end"), 1);
    assert_eq!(stage.job(job).await.error.as_deref(), Some("by hand"));
    // Every statement looks at the lease itself: not one row came after it was taken.
    assert_eq!(stage.settled(connection).await, rows);
}

#[tokio::test]
async fn del_2_a_job_whose_connection_is_gone_stops_writing() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    let (connection, _) = long_job(&stage).await;
    stage.expects.event("the job ends early");
    stage.rows.execute("DELETE FROM source_connection").await;
    idle(&worker).await;
    assert_eq!(stage.rows.count("SELECT count(*) FROM entity").await, 0);
    // What is left in the stores is the cleanup's; the worker adds nothing to it any more.
    let documents = stage.documents(connection).await;
    assert!(documents < 5_000);
    assert_eq!(stage.documents(connection).await, documents);
}

#[tokio::test]
async fn a_worker_that_is_told_to_end_ends_its_jobs_first_and_another_goes_on() {
    let stage = Stage::new().await;
    // The one that goes on has minutes of work.
    stage.rest.may_leave([Leftover::Jobs]);
    let mut worker = stage.worker().await;
    let (connection, job) = long_job(&stage).await;
    let status = worker.service.terminate(Duration::from_secs(25)).await;
    assert!(status.success(), "{status}");
    let ended = stage.job(job).await;
    assert_eq!((ended.status, ended.job_end), (JobStatus::Failed, Some(JobEnd::Acknowledged)));
    assert_eq!(ended.error.as_deref(), Some("worker stopped before the job was done"));
    let _next = stage.worker().await;
    let written = stage.settled(connection).await;
    stage.wait_for_entities(connection, written + 1).await;
    let successors = "SELECT count(*) FROM sync_job WHERE status = 'running' AND interruptions = 1";
    assert_eq!(stage.rows.count(successors).await, 1);
}

#[tokio::test]
async fn a_short_absence_of_postgresql_costs_nothing() {
    let stage = Stage::new().await;
    let _worker = stage.worker().await;
    let connection = stage.connection("timed", json!({"entity_count": 300, "duration_seconds": 2.0})).await;
    let job = stage.run(connection).await;
    stage.wait_for_entities(connection, 20).await;
    stage.expects.fault(Fault::PostgresAway);
    stage.rows.disconnect_everyone().await;
    assert_eq!(stage.ended(job).await.status, JobStatus::Completed);
    stage.assert_consistent(connection).await;
}
