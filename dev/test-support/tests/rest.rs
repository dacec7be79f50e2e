//! Work that is left fails the test, unless the test leaves it.

use std::time::Duration;

use tempfile::TempDir;
use test_support::{Leftover, Rest, Service, TestBroker, TestDatabase};

/// A connection that is being deleted, an active job, an open cleanup, a message that wasn't published.
const WORK: &str = "
    INSERT INTO organization (id, name) VALUES ('00000000-0000-4000-8000-000000000001', 'Acme');
    INSERT INTO collection (id, organization_id, name, readable_id)
    SELECT id, id, 'Test', 'test' FROM organization;
    INSERT INTO source_connection (id, organization_id, collection_id, short_name, name, config, auth_method,
                                   is_authenticated, deletion_requested_at, deletion_request_id)
    SELECT id, id, id, 'stub', 'Test', '{}', 'direct', true, clock_timestamp(), id FROM organization;
    INSERT INTO sync (id, source_connection_id) SELECT id, id FROM organization;
    INSERT INTO sync_job (id, sync_id, status) SELECT id, id, 'pending' FROM organization;
    INSERT INTO cleanup (id, sync_id, organization_id, collection_id, source_connection_id, deletion_requested_at,
                         entity_rows_deleted, writer_end, targets)
    SELECT id, id, id, id, id, clock_timestamp(), 0, 'acknowledged', '{vespa,arf}' FROM organization;
    INSERT INTO outbox (message_id, message) VALUES (gen_random_uuid(), '{}')";

#[tokio::test]
async fn everything_that_is_left_is_told_until_it_is_gone_or_said_to_stay() {
    let (database, broker) = (TestDatabase::create().await, TestBroker::create().await);
    let rest = Rest::new(&database.url, Some(&broker.amqp_url));
    assert!(rest.left_of(&Leftover::ALL).await.is_empty(), "also without any queue");
    database.execute(WORK).await;
    for queue in ["sync.jobs", "dead"] {
        broker.declare_queue(queue).await;
        assert!(broker.publish_raw("", queue, b"{}", &[]).await);
    }
    let whole = [
        "1 deletions that have not ended",
        "1 active jobs",
        "1 cleanups that are not done",
        "1 messages in the outbox",
        "1 messages in work queues",
        "1 dead messages",
    ];
    assert_eq!(rest.left_of(&Leftover::ALL).await, whole);
    assert_eq!(rest.left_of(&[Leftover::Jobs]).await, whole[1..2]);
    for (stays, left) in Leftover::ALL.into_iter().zip(1..) {
        rest.may_leave([stays]);
        assert_eq!(rest.left_of(&Leftover::ALL).await, whole[left..]);
    }
    assert!(rest.wait().is_empty());
}

/// A service in whose system a message was never published.
async fn service_with_work(database: &TestDatabase) -> (Service, Rest, TempDir) {
    database.execute("INSERT INTO outbox (message_id, message) VALUES (gen_random_uuid(), '{}')").await;
    let rest = Rest::new(&database.url, None).within(Duration::from_millis(200));
    let data = TempDir::new().unwrap();
    let environment = [("STANDIN_LISTEN", "127.0.0.1:0"), ("STANDIN_DATA", data.path().to_str().unwrap())];
    let service = Service::spawn("vespa-standin", environment).resting(&rest);
    service.wait_until_logged("listening", Duration::from_secs(20)).await;
    (service, rest, data)
}

#[tokio::test]
#[should_panic(expected = "the test leaves 1 messages in the outbox")]
async fn work_that_a_test_doesnt_say_it_leaves_fails_it() {
    let database = TestDatabase::create().await;
    let (service, _, _data) = service_with_work(&database).await;
    drop(service);
}

#[tokio::test]
async fn a_service_that_is_dropped_waits_for_its_systems_work() {
    let database = TestDatabase::create().await;
    let (service, rest, _data) = service_with_work(&database).await;
    let patient = service.resting(&rest.within(Duration::from_secs(20)));
    let url = database.url.clone();
    let publishing = std::thread::spawn(move || {
        let published = "UPDATE outbox SET published_at = clock_timestamp()";
        test_support::on_own_runtime(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            test_support::connect(&url).await.batch_execute(published).await.unwrap();
        })
    });
    drop(patient);
    publishing.join().unwrap().unwrap();
}

#[tokio::test]
#[should_panic(expected = "the test's own reason")]
async fn a_test_that_fails_anyway_waits_for_nothing() {
    let database = TestDatabase::create().await;
    let _service = service_with_work(&database).await;
    panic!("the test's own reason");
}
