//! Running and cancelling.

use serde_json::{Value, json};
use shared_messaging::{Broker, Outcome, Subscription};
use shared_models::{Envelope, Message};
use test_support::{TestBroker, wait_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::gateway::{Api, Gateway, START, field_order, text};

async fn connection(api: &Api) -> String {
    let collection = api.collection().await;
    text(&api.stub(&collection, json!({})).await, "id")
}

async fn run(api: &Api, id: &str) -> Value {
    api.post(&format!("/source-connections/{id}/run"), json!({})).await.ok()
}

const RUNNING: &str = "UPDATE sync_job SET status = 'running', started_at = clock_timestamp(),
    lease_owner = gen_random_uuid(), lease_expires_at = clock_timestamp() + interval '1 hour'
    WHERE status = 'pending'";

#[tokio::test]
async fn a_connection_runs_one_job_at_a_time() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let id = connection(api).await;
    let path = format!("/source-connections/{id}/run");
    let started = api.send(reqwest::Method::POST, &path, None).await;
    assert_eq!(
        field_order(&started.text),
        [
            "id",
            "source_connection_id",
            "status",
            "started_at",
            "completed_at",
            "duration_seconds",
            "entities_inserted",
            "entities_updated",
            "entities_deleted",
            "entities_failed",
            "error",
            "error_category",
            "error_details",
        ]
    );
    let job = started.ok();
    assert_eq!((job["status"].as_str(), text(&job, "source_connection_id")), (Some("pending"), id.clone()));
    api.post(&path, json!({})).await.refuses(400, "Cannot start new sync: a sync job is already pending");
    gateway.database.execute(RUNNING).await;
    api.post(&path, json!({})).await.refuses(400, "Cannot start new sync: a sync job is already running");
    gateway.database.execute("UPDATE sync_job SET status = 'cancelling'").await;
    api.post(&path, json!({})).await.refuses(400, "Cannot start new sync: a sync job is already cancelling");
    assert_eq!(gateway.database.count("SELECT count(*) FROM sync_job").await, 1);
    let messages = "SELECT count(*) FROM outbox WHERE message->>'type' = 'RunSync'";
    assert_eq!(gateway.database.count(messages).await, 1);
}

#[tokio::test]
async fn a_full_sync_is_forced_by_query_or_body() {
    let gateway = Gateway::start().await;
    let forced = "SELECT count(*) FROM sync_job WHERE force_full_sync";
    for (at, (query, body)) in
        [("?force_full_sync=true", json!({})), ("", json!({"force_full_sync": true}))].into_iter().enumerate()
    {
        let id = connection(&gateway.api).await;
        gateway.api.post(&format!("/source-connections/{id}/run{query}"), body).await.ok();
        assert_eq!(gateway.database.count(forced).await, i64::try_from(at).unwrap() + 1);
    }
    let id = connection(&gateway.api).await;
    gateway
        .api
        .post(&format!("/source-connections/{id}/run?force_full_sync=maybe"), json!({}))
        .await
        .faults("query.force_full_sync", "Input should be a valid boolean, unable to interpret input");
}

#[tokio::test]
async fn cancelling_follows_the_states() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let id = connection(api).await;
    let cancel = async |job: &Value| {
        api.post(&format!("/source-connections/{id}/jobs/{}/cancel", text(job, "id")), json!({})).await
    };
    let first = run(api, &id).await;
    let cancelled = cancel(&first).await.ok();
    assert_eq!(cancelled["status"], "cancelled", "pending → cancelled at once");
    assert!(cancelled["completed_at"].is_string() && cancelled["duration_seconds"].is_null());
    cancel(&first).await.refuses(400, "Cannot cancel job in cancelled state");

    let second = run(api, &id).await;
    gateway.database.execute(RUNNING).await;
    assert_eq!(cancel(&second).await.ok()["status"], "cancelling", "running → cancelling");
    cancel(&second).await.refuses(400, "Cannot cancel job in cancelling state");
    gateway
        .database
        .arrange(
            "UPDATE sync_job SET status = 'completed', job_end = 'acknowledged', lease_owner = NULL,
             completed_at = clock_timestamp() WHERE status = 'cancelling'",
        )
        .await;
    cancel(&second).await.refuses(400, "Cannot cancel job in completed state");
    cancel(&json!({"id": "0f0e0d0c-0b0a-4908-8706-050403020100"})).await.refuses(404, "Sync job not found");

    let jobs = api.get(&format!("/source-connections/{id}/jobs")).await.ok();
    let ids: Vec<&Value> = jobs.as_array().unwrap().iter().map(|job| &job["id"]).collect();
    assert_eq!(ids, [&second["id"], &first["id"]], "newest first");
    let one = api.get(&format!("/source-connections/{id}/jobs?limit=1")).await.ok();
    assert_eq!(one.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_job_belongs_to_its_connection() {
    let gateway = Gateway::start().await;
    let api = &gateway.api;
    let (one, two) = (connection(api).await, connection(api).await);
    let job = text(&run(api, &one).await, "id");
    api.post(&format!("/source-connections/{two}/jobs/{job}/cancel"), json!({}))
        .await
        .refuses(404, "Sync job not found");
    let answer = api.post(&format!("/source-connections/{one}/jobs/nonsense/cancel"), json!({})).await;
    assert_eq!(answer.status, 422);
}

#[tokio::test]
async fn a_job_and_its_cancellation_reach_the_workers_at_once() {
    let broker = TestBroker::create().await;
    let gateway = Gateway::start_with(&[("AMQP_URL", &broker.amqp_url)]).await;
    let api = &gateway.api;
    let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let worker = Broker::new(&broker.amqp_url.clone().into(), "worker", &tracker, &shutdown).unwrap();
    let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
    worker.consume(Subscription::Control, &worker.publisher(), move |envelope: Envelope| {
        sender.send(envelope).unwrap();
        std::future::ready(Outcome::Done)
    });
    let knock = Message::CancelSync { job_id: shared_models::SyncJobId::random() }.encode();
    wait_until("the worker listens", START, async || broker.publish_raw("sync.control", "", &knock, &[]).await).await;

    let id = connection(api).await;
    let job = run(api, &id).await;
    wait_until("the job is queued", START, async || broker.queue_depth("sync.jobs").await == Some(1)).await;
    let queued = &broker.get_messages("sync.jobs").await[0];
    let message: Value = serde_json::from_slice(&queued.body).unwrap();
    assert_eq!((message["type"].as_str(), &message["job_id"]), (Some("RunSync"), &job["id"]));

    gateway.database.execute(RUNNING).await;
    let path = format!("/source-connections/{id}/jobs/{}/cancel", text(&job, "id"));
    let cancelled = api.post(&path, json!({})).await;
    let expected = Message::CancelSync { job_id: text(&job, "id").parse().unwrap() };
    let envelope = tokio::time::timeout(START, async {
        loop {
            let envelope = heard.recv().await.unwrap();
            if envelope.message == expected {
                return envelope;
            }
        }
    });
    let envelope = envelope.await.unwrap();
    let request = envelope.request_id.map(|id| id.to_string());
    assert_eq!(request.as_deref(), cancelled.headers["x-request-id"].to_str().ok());
}
