//! The outbox.

use std::time::Duration;

use shared_database::outbox::enqueue;
use shared_models::{CleanupId, Envelope, Message, RequestId};

use crate::fixture::Fixture;

const VISIBILITY: Duration = Duration::from_secs(30);

async fn enqueue_some(fixture: &Fixture, count: usize) -> Vec<Envelope> {
    let mut sent = Vec::new();
    let mut db = fixture.database.connection().await.unwrap();
    for _ in 0..count {
        let message = Message::CleanupRequested { cleanup_id: CleanupId::random() };
        let envelope = Envelope::new(message, Some(RequestId::random()));
        enqueue(&mut db, &envelope).await.unwrap();
        sent.push(envelope);
    }
    sent
}

#[tokio::test]
async fn a_message_comes_out_as_it_went_in() {
    let fixture = Fixture::new().await;
    let sent = enqueue_some(&fixture, 3).await;
    let due = fixture.database.claim_outbox(10, VISIBILITY).await.unwrap();
    assert_eq!(due.into_iter().map(|message| message.envelope).collect::<Vec<_>>(), sent);
}

#[tokio::test]
async fn two_relays_at_once_share_the_messages() {
    let fixture = Fixture::new().await;
    enqueue_some(&fixture, 40).await;
    let (one, two) =
        tokio::join!(fixture.database.claim_outbox(25, VISIBILITY), fixture.database.claim_outbox(25, VISIBILITY));
    let mut ids: Vec<i64> = one.unwrap().into_iter().chain(two.unwrap()).map(|message| message.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 40);
}

#[tokio::test]
async fn del_5_a_claim_that_was_never_marked_becomes_due_again() {
    let fixture = Fixture::new().await;
    enqueue_some(&fixture, 1).await;
    assert_eq!(fixture.database.claim_outbox(10, Duration::ZERO).await.unwrap().len(), 1);
    assert_eq!(fixture.database.claim_outbox(10, VISIBILITY).await.unwrap().len(), 1);
    assert_eq!(fixture.database.claim_outbox(10, VISIBILITY).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_postponed_message_holds_up_no_other() {
    let fixture = Fixture::new().await;
    enqueue_some(&fixture, 2).await;
    let first = fixture.database.claim_outbox(1, Duration::ZERO).await.unwrap().remove(0);
    fixture.database.postpone_message(first.id, VISIBILITY).await.unwrap();
    let due = fixture.database.claim_outbox(10, VISIBILITY).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_ne!(due[0].id, first.id);
}

#[tokio::test]
async fn the_backlog_counts_only_what_waits() {
    let fixture = Fixture::new().await;
    enqueue_some(&fixture, 3).await;
    let due = fixture.database.claim_outbox(1, VISIBILITY).await.unwrap();
    fixture.database.mark_published(&[due[0].id]).await.unwrap();
    assert_eq!(fixture.database.outbox_backlog().await.unwrap().messages, 2);
    assert_eq!(fixture.database.prune_outbox(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(fixture.count("outbox").await, 2);
}
