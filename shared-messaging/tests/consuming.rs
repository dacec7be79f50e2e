use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use shared_messaging::{Outcome, Subscription, WorkQueue};
use shared_models::{CleanupId, Envelope, Message, OrganizationId, RequestId, SyncJobId};
use test_support::wait_until;

use crate::fixture::{BELLS, BOUND, Fixture, Memory, bell};

#[tokio::test]
async fn a_message_arrives_as_it_was_sent_and_is_acknowledged() {
    let fixture = Fixture::new().await;
    let memory = Memory::answering(Outcome::Done);
    fixture.consume(BELLS, memory.clone()).await;
    let sent = bell();
    fixture.publisher.publish(&sent).await.unwrap();
    memory.wait_for(&sent).await;
    fixture.stop().await;
    assert_eq!(memory.envelopes(), [sent]);
    fixture.depth("cleanup.requests", 0).await;
}

#[tokio::test]
async fn duplicates_are_both_handed_over() {
    let fixture = Fixture::new().await;
    let memory = Memory::answering(Outcome::Done);
    let sent = bell();
    fixture.publisher.publish(&sent).await.unwrap();
    fixture.publisher.publish(&sent).await.unwrap();
    fixture.consume(BELLS, memory.clone()).await;
    wait_until("both arrive", BOUND, async || memory.count() == 2).await;
    assert_eq!(memory.envelopes(), [sent.clone(), sent]);
    fixture.stop().await;
}

#[tokio::test]
async fn garbage_is_dead_with_its_reason_and_the_queue_goes_on() {
    let fixture = Fixture::new().await;
    let memory = Memory::answering(Outcome::Done);
    fixture.consume(BELLS, memory.clone()).await;
    assert!(fixture.server.publish_raw("", "cleanup.requests", b"\xffnot ours", &[]).await);
    let sent = bell();
    fixture.publisher.publish(&sent).await.unwrap();
    memory.wait_for(&sent).await;
    fixture.stop().await;
    fixture.depth("cleanup.requests", 0).await;
    let dead = fixture.server.get_messages("dead").await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].body, b"\xffnot ours");
    assert!(dead[0].header("x-dead-reason").unwrap().contains("not JSON"));
    assert_eq!(dead[0].header("x-dead-queue"), Some("cleanup.requests"));
    assert_eq!(memory.envelopes(), [sent]);
}

#[tokio::test]
async fn garbage_is_not_lost_while_it_cannot_be_moved() {
    let fixture = Fixture::new().await;
    fixture.server.set_policy("dead", serde_json::json!({"max-length": 1, "overflow": "reject-publish"})).await;
    wait_until("the queue of dead ones is full", BOUND, async || {
        fixture.server.publish_raw("", "dead", b"{}", &[]).await;
        fixture.server.queue_depth("dead").await >= Some(2)
    })
    .await;
    fixture.server.publish_raw("", "cleanup.requests", b"garbage", &[]).await;
    let sent = bell();
    fixture.publisher.publish(&sent).await.unwrap();
    let memory = Memory::answering(Outcome::Done);
    fixture.consume(BELLS, memory.clone()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    fixture.depth("cleanup.requests", 2).await;
    // Room again: the operator takes the policy and the queue away, and the next attempt declares the queue.
    fixture.server.delete_policy("dead").await;
    fixture.server.delete_queue("dead").await;
    memory.wait_for(&sent).await;
    fixture.stop().await;
    fixture.depth("cleanup.requests", 0).await;
    assert_eq!(fixture.server.get_messages("dead").await.len(), 1);
}

#[tokio::test]
async fn an_unknown_version_is_acknowledged_and_not_handed_over() {
    let fixture = Fixture::new().await;
    let memory = Memory::answering(Outcome::Done);
    fixture.consume(BELLS, memory.clone()).await;
    let newer = br#"{"type":"CleanupRequested","version":2,"cleanup":"x"}"#;
    assert!(fixture.server.publish_raw("", "cleanup.requests", newer, &[]).await);
    let sent = bell();
    fixture.publisher.publish(&sent).await.unwrap();
    memory.wait_for(&sent).await;
    fixture.stop().await;
    assert_eq!(memory.envelopes(), [sent]);
    fixture.depth("cleanup.requests", 0).await;
    fixture.depth("dead", 0).await;
}

#[tokio::test]
async fn a_message_whose_handler_panics_is_dead_and_the_queue_goes_on() {
    let fixture = Fixture::new().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let handler = move |_| {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(call > 0, "on purpose");
            Outcome::Done
        }
    };
    fixture.consume(BELLS, handler).await;
    fixture.publisher.publish(&bell()).await.unwrap();
    fixture.publisher.publish(&bell()).await.unwrap();
    wait_until("both are handled", BOUND, async || calls.load(Ordering::SeqCst) == 2).await;
    fixture.stop().await;
    fixture.depth("cleanup.requests", 0).await;
    let dead = fixture.server.get_messages("dead").await;
    assert!(dead[0].header("x-dead-reason").unwrap().contains("panicked"));
}

#[tokio::test]
async fn the_consumer_survives_the_deletion_of_its_queue() {
    let fixture = Fixture::new().await;
    let memory = Memory::answering(Outcome::Done);
    fixture.consume(BELLS, memory.clone()).await;
    let first = bell();
    fixture.publisher.publish(&first).await.unwrap();
    memory.wait_for(&first).await;
    fixture.server.delete_queue("cleanup.requests").await;
    let second = bell();
    wait_until("the queue is back", BOUND, async || fixture.publisher.publish(&second).await.is_ok()).await;
    memory.wait_for(&second).await;
    fixture.stop().await;
    fixture.depth("cleanup.requests", 0).await;
}

#[tokio::test]
async fn a_silent_queue_keeps_its_consumers() {
    let fixture = Fixture::new().await;
    let (bells, cancels) = (Memory::answering(Outcome::Done), Memory::answering(Outcome::Done));
    fixture.consume(BELLS, bells.clone()).await;
    fixture.consume(Subscription::Control, cancels.clone()).await;
    // After 10 s of silence, which nothing shortens, a consumer of a work queue is replaced.
    let first = fixture.server.consumers("cleanup.requests").await;
    wait_until("the consumer is replaced", BOUND, async || {
        let now = fixture.server.consumers("cleanup.requests").await;
        !now.is_empty() && now != first
    })
    .await;
    let (sent, cancel) = (bell(), Envelope::new(Message::CancelSync { job_id: SyncJobId::random() }, None));
    fixture.publisher.publish(&sent).await.unwrap();
    fixture.publisher.publish(&cancel).await.unwrap();
    bells.wait_for(&sent).await;
    cancels.wait_for(&cancel).await;
    fixture.stop().await;
}

#[tokio::test]
async fn every_consumer_survives_a_closed_connection() {
    let fixture = Fixture::new().await;
    let (bells, cancels) = (Memory::answering(Outcome::Done), Memory::answering(Outcome::Done));
    fixture.consume(BELLS, bells.clone()).await;
    fixture.consume(Subscription::Control, cancels.clone()).await;
    for role in ["cleanup.requests", "sync.control"] {
        wait_until("a connection is closed", BOUND, async || fixture.server.close_connections(role).await > 0).await;
    }
    let sent = bell();
    fixture.publisher.publish(&sent).await.unwrap();
    bells.wait_for(&sent).await;
    // The new queue of its own is bound a moment later; what was said in between is lost, and a timer's business.
    let cancel = Envelope::new(Message::CancelSync { job_id: SyncJobId::random() }, None);
    wait_until("a cancel arrives again", BOUND, async || {
        fixture.publisher.publish(&cancel).await.unwrap();
        cancels.has(&cancel)
    })
    .await;
    fixture.stop().await;
}

#[tokio::test]
async fn an_unavailable_handler_stops_consuming_instead_of_requeueing() {
    let fixture = Fixture::new().await;
    let memory = Memory::answering(Outcome::Unavailable);
    let sent = bell();
    fixture.publisher.publish(&sent).await.unwrap();
    let consumer = fixture.consume(BELLS, memory.clone()).await;
    memory.wait_for(&sent).await;
    // Not consuming: the message is back in the queue and stays there.
    fixture.depth("cleanup.requests", 1).await;
    wait_until("the handler is asked whether it is ready", BOUND, async || memory.times_asked() >= 5).await;
    assert!(fixture.server.consumers("cleanup.requests").await.is_empty());
    fixture.depth("cleanup.requests", 1).await;
    assert_eq!(memory.count(), 1);
    assert!(consumer.is_connected());
    *memory.answer.lock() = Outcome::Done;
    memory.is_ready.store(true, Ordering::SeqCst);
    wait_until("it consumes again", BOUND, async || memory.count() == 2).await;
    assert_eq!(memory.envelopes(), [sent.clone(), sent]);
    fixture.stop().await;
    fixture.depth("cleanup.requests", 0).await;
}

#[tokio::test]
async fn a_handler_that_is_always_unavailable_is_asked_ever_more_rarely() {
    let fixture = Fixture::new().await;
    let memory = Memory { always_ready: true, ..Memory::answering(Outcome::Unavailable) };
    fixture.publisher.publish(&bell()).await.unwrap();
    fixture.consume(BELLS, memory.clone()).await;
    wait_until("it is asked three times", BOUND, async || memory.count() == 3).await;
    let at = memory.at.lock().clone();
    let pauses = [at[1] - at[0], at[2] - at[1]];
    // Up to half of a pause is taken off at random.
    let least = [Duration::from_millis(500), Duration::from_secs(1)];
    assert!(pauses[0] >= least[0] && pauses[1] >= least[1], "{pauses:?}");
    fixture.stop().await;
    fixture.depth("cleanup.requests", 1).await;
}

#[tokio::test]
async fn nothing_is_consumed_before_the_handler_is_ready() {
    let fixture = Fixture::new().await;
    let memory = Memory::answering(Outcome::Done);
    memory.is_ready.store(false, Ordering::SeqCst);
    let sent = bell();
    fixture.publisher.publish(&sent).await.unwrap();
    fixture.consume(BELLS, memory.clone()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(memory.count(), 0);
    memory.is_ready.store(true, Ordering::SeqCst);
    memory.wait_for(&sent).await;
    fixture.stop().await;
}

#[tokio::test]
async fn a_full_handler_keeps_no_further_message_from_other_workers() {
    let fixture = Fixture::new().await;
    let (full, free) = (Memory::answering(Outcome::DoneAndPause), Memory::answering(Outcome::Done));
    let jobs = Subscription::Work { queue: WorkQueue::SyncJobs, prefetch: 1 };
    for _ in 0..3 {
        let job = Envelope::new(Message::RunSync { job_id: SyncJobId::random() }, None);
        fixture.publisher.publish(&job).await.unwrap();
    }
    fixture.consume(jobs.clone(), full.clone()).await;
    wait_until("the full one takes one", BOUND, async || full.count() == 1).await;
    fixture.depth("sync.jobs", 2).await;
    fixture.consume(jobs, free.clone()).await;
    wait_until("the free one takes the rest", BOUND, async || free.count() == 2).await;
    assert_eq!(full.count(), 1);
    let handled: HashSet<_> = [full.envelopes(), free.envelopes()].concat().iter().map(|one| one.message_id).collect();
    assert_eq!(handled.len(), 3, "none of them was handed out twice");
    fixture.stop().await;
}

#[tokio::test]
async fn every_worker_hears_a_cancel_and_every_listener_its_events() {
    let fixture = Fixture::new().await;
    let memories: Vec<Memory> = (0..4).map(|_| Memory::answering(Outcome::Done)).collect();
    let subscriptions = [
        Subscription::Control,
        Subscription::Control,
        Subscription::Events { pattern: "job.stopped.#" },
        Subscription::Events { pattern: "#" },
    ];
    for (subscription, memory) in subscriptions.into_iter().zip(&memories) {
        fixture.consume(subscription, memory.clone()).await;
    }
    let job_id = SyncJobId::random();
    let new = |message| Envelope::new(message, Some(RequestId::random()));
    let (cancel, stopped) = (new(Message::CancelSync { job_id }), new(Message::JobStopped { job_id }));
    let done =
        new(Message::CleanupCompleted { organization_id: OrganizationId::random(), cleanup_id: CleanupId::random() });
    wait_until("everyone hears it", BOUND, async || {
        for envelope in [&cancel, &stopped, &done] {
            fixture.publisher.publish(envelope).await.unwrap();
        }
        memories[..2].iter().all(|memory| memory.has(&cancel))
            && memories[2].has(&stopped)
            && memories[3].has(&stopped)
            && memories[3].has(&done)
    })
    .await;
    assert!(!memories[2].has(&done) && !memories[2].has(&cancel));
    fixture.stop().await;
}

#[tokio::test]
async fn shutdown_lets_the_handler_finish() {
    let fixture = Fixture::new().await;
    let (started, finished) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (starts, finishes) = (started.clone(), finished.clone());
    let handler = move |_| {
        let (starts, finishes) = (starts.clone(), finishes.clone());
        async move {
            starts.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(300)).await;
            finishes.fetch_add(1, Ordering::SeqCst);
            Outcome::Done
        }
    };
    fixture.publisher.publish(&bell()).await.unwrap();
    fixture.consume(BELLS, handler).await;
    wait_until("the handler is at it", BOUND, async || started.load(Ordering::SeqCst) == 1).await;
    fixture.stop().await;
    assert_eq!(finished.load(Ordering::SeqCst), 1);
    fixture.depth("cleanup.requests", 0).await;
    // The publisher isn't stopped: tasks that drain may still publish.
    fixture.publisher.publish(&bell()).await.unwrap();
}
