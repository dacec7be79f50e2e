use secrecy::SecretString;
use shared_messaging::Outcome;
use shared_messaging::operator::{Chosen, Operator};

use crate::fixture::{BELLS, Fixture, Memory, bell};

#[tokio::test]
async fn a_dead_message_is_shown_and_replayed_to_where_it_came_from() {
    let fixture = Fixture::new().await;
    let sent = bell();
    let headers = [("x-dead-reason", "the handler panicked"), ("x-dead-queue", "cleanup.requests")];
    fixture.server.publish_raw("", "dead", &sent.message.encode(), &headers).await;
    fixture.server.publish_raw("", "dead", b"from nowhere", &[]).await;

    let operator = Operator::connect(&SecretString::from(fixture.server.amqp_url.clone())).await.unwrap();
    let dead = operator.dead(10).await.unwrap();
    assert_eq!(dead.len(), 2);
    assert_eq!(dead[0].queue.as_deref(), Some("cleanup.requests"));
    assert_eq!(dead[0].reason.as_deref(), Some("the handler panicked"));
    assert_eq!(dead[1].queue, None);

    assert_eq!(operator.replay(&Chosen::Oldest(10)).await.unwrap(), 1);
    let memory = Memory::answering(Outcome::Done);
    fixture.consume(BELLS, memory.clone()).await;
    test_support::wait_until("the replayed one arrives", crate::fixture::BOUND, async || memory.count() == 1).await;
    assert_eq!(memory.envelopes()[0].message, sent.message);
    fixture.stop().await;
    fixture.depth("dead", 1).await;
    assert_eq!(operator.depth("no.such.queue").await.unwrap(), None);
}
