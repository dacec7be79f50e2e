use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde_json::json;
use shared_messaging::{Broker, PublishError};
use shared_models::{Envelope, Message, RequestId, SyncJobId};
use test_support::wait_until;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fixture::{BOUND, Fixture, bell};

#[tokio::test]
async fn a_confirmed_message_is_in_its_queue_with_its_headers() {
    let fixture = Fixture::new().await;
    let sent = bell();
    fixture.publisher.publish(&sent).await.unwrap();
    let messages = fixture.server.get_messages("cleanup.requests").await;
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    assert_eq!(message.body, sent.message.encode());
    assert_eq!(message.properties["message_id"], json!(sent.message_id.to_string()));
    assert_eq!(message.properties["delivery_mode"], json!(2));
    assert_eq!(message.properties["content_type"], json!("application/json"));
    assert!(message.properties["timestamp"].as_u64().is_some_and(|seconds| seconds > 1_700_000_000));
    let request_id = sent.request_id.unwrap();
    assert_eq!(message.header("x-request-id"), Some(request_id.to_string().as_str()));
    assert_eq!(message.header("traceparent").and_then(RequestId::from_traceparent), Some(request_id));
}

#[tokio::test]
async fn a_returned_message_is_a_failure_and_only_its_own() {
    let fixture = Fixture::new().await;
    fixture.server.delete_queue("cleanup.requests").await;
    let jobs = |_| Envelope::new(Message::RunSync { job_id: SyncJobId::random() }, None);
    let jobs: Vec<Envelope> = (0..40).map(jobs).collect();
    let lost = bell();
    let (outcome, others) = futures::join!(
        fixture.publisher.publish(&lost),
        futures::future::join_all(jobs.iter().map(|job| fixture.publisher.publish(job)))
    );
    assert!(matches!(outcome, Err(PublishError::Unroutable(_))), "{outcome:?}");
    for outcome in others {
        outcome.unwrap();
    }
    assert_eq!(fixture.server.queue_depth("sync.jobs").await, Some(40));
    // The failure made the publisher declare the queue again.
    wait_until("the queue is back", BOUND, async || fixture.publisher.publish(&lost).await.is_ok()).await;
    assert_eq!(fixture.server.queue_depth("cleanup.requests").await, Some(1));
}

#[tokio::test]
async fn an_event_that_nobody_listens_to_is_no_failure() {
    let fixture = Fixture::new().await;
    let event = Envelope::new(Message::JobStopped { job_id: SyncJobId::random() }, None);
    fixture.publisher.publish(&event).await.unwrap();
    let cancel = Envelope::new(Message::CancelSync { job_id: SyncJobId::random() }, None);
    fixture.publisher.publish(&cancel).await.unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let fixture = Fixture::new().await;
    fixture.server.set_policy("cleanup.requests", json!({"max-length": 1, "overflow": "reject-publish"})).await;
    wait_until("the queue is full", BOUND, async || {
        matches!(fixture.publisher.publish(&bell()).await, Err(PublishError::Refused))
    })
    .await;
}

#[tokio::test]
async fn the_publisher_survives_a_closed_connection() {
    let fixture = Fixture::new().await;
    fixture.publisher.publish(&bell()).await.unwrap();
    wait_until("a connection is closed", BOUND, async || fixture.server.close_connections("publisher").await > 0).await;
    wait_until("the end is noticed", BOUND, async || !fixture.publisher.is_connected()).await;
    wait_until("it publishes again", BOUND, async || fixture.publisher.publish(&bell()).await.is_ok()).await;
    assert!(fixture.publisher.is_connected());
}

#[tokio::test]
async fn a_broker_that_is_down_is_reported_at_once() {
    let port = test_support::free_port();
    let url = SecretString::from(format!("amqp://guest:guest@127.0.0.1:{port}/%2f"));
    let broker = Broker::new(&url, "messaging-test", &TaskTracker::new(), &CancellationToken::new()).unwrap();
    let publisher = broker.publisher();
    let started = Instant::now();
    assert!(matches!(publisher.publish(&bell()).await, Err(PublishError::Unavailable)));
    assert!(started.elapsed() < Duration::from_secs(1));
    assert!(!publisher.is_connected());
}

#[tokio::test]
async fn a_broker_that_says_nothing_is_reported_at_once() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = SecretString::from(format!("amqp://guest:guest@{}/%2f", silent.local_addr().unwrap()));
    let broker = Broker::new(&url, "messaging-test", &TaskTracker::new(), &CancellationToken::new()).unwrap();
    let publisher = broker.publisher();
    let started = Instant::now();
    assert!(matches!(publisher.publish(&bell()).await, Err(PublishError::Unavailable)));
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_wrong_address_shows_no_password() {
    let url = SecretString::from("http://user:hunter2@host");
    let refused = Broker::new(&url, "messaging-test", &TaskTracker::new(), &CancellationToken::new()).err().unwrap();
    assert_eq!(refused.to_string(), "AMQP_URL is not an AMQP URL");
}
