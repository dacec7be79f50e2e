//! D1's lock and what happens while it is waited for. The lock is a statement of its own: the next statement's snapshot
//! is from after the lock, so it sees what was committed meanwhile (DEL-2).

use std::time::Duration;

use shared_database::deletion::{Requested, Subject};
use shared_models::{LeaseOwner, SyncJobId};
use test_support::wait_until;

use crate::fixture::Fixture;

const BOUND: Duration = Duration::from_secs(20);
const WAITS_FOR_THE_LOCK: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%source_connection%'";

/// Requests the deletion of a connection while another session holds its row and does `meanwhile`, which commits only
/// once the request waits.
async fn requested_behind(fixture: &Fixture, meanwhile: &str, subject: Subject) -> Requested {
    let other = fixture.test_database.client().await;
    other.batch_execute(&format!("BEGIN; SELECT id FROM source_connection FOR SHARE; {meanwhile}")).await.unwrap();
    let request = fixture.database.request(fixture.organization, subject, fixture.requester());
    let commit = async {
        let waits = async || fixture.test_database.count(WAITS_FOR_THE_LOCK).await == 1;
        wait_until("the request waits for the lock", BOUND, waits).await;
        other.batch_execute("COMMIT").await.unwrap();
    };
    let (requested, ()) = tokio::join!(request, commit);
    requested.unwrap()
}

#[tokio::test]
async fn del_2_a_job_that_was_created_and_claimed_behind_the_lock_is_told_to_stop() {
    let fixture = Fixture::new().await;
    let (connection, sync) = fixture.connection().await;
    let job = SyncJobId::random();
    let create = format!(
        "INSERT INTO sync_job (id, sync_id, status, lease_owner, lease_expires_at)
         VALUES ('{job}', '{sync}', 'running', '{}', clock_timestamp() + interval '10 s')",
        LeaseOwner::random()
    );
    for subject in [Subject::Connection(connection), Subject::Collection(fixture.collection)] {
        let meanwhile = if subject == Subject::Connection(connection) { create.as_str() } else { "" };
        let requested = requested_behind(&fixture, meanwhile, subject).await;
        assert_eq!(requested, Requested::Waiting { is_owner: true, stopping: vec![job] });
    }
    assert_eq!(fixture.count("sync_job WHERE status = 'cancelling'").await, 1);
    assert_eq!(fixture.count("cleanup").await, 0);
}

#[tokio::test]
async fn del_2_a_job_that_was_created_behind_the_lock_goes_with_its_connection() {
    let fixture = Fixture::new().await;
    let (connection, sync) = fixture.connection().await;
    let create = format!("INSERT INTO sync_job (id, sync_id, status) VALUES (gen_random_uuid(), '{sync}', 'pending')");
    let requested = requested_behind(&fixture, &create, Subject::Connection(connection)).await;
    assert!(matches!(requested, Requested::Committed { is_owner: true, .. }), "{requested:?}");
    assert_eq!(fixture.count("sync_job").await, 0);
    assert_eq!(fixture.count("cleanup").await, 1);
}

/// A collection whose connections have no active job goes within the request, as a connection does.
#[tokio::test]
async fn an_idle_collection_is_gone_when_its_request_is_answered() {
    let fixture = Fixture::new().await;
    for _ in 0..3 {
        fixture.connection().await;
    }
    let subject = Subject::Collection(fixture.collection);
    let requested = fixture.database.request(fixture.organization, subject, fixture.requester()).await.unwrap();
    let Requested::Committed { is_owner: true, cleanups } = requested else { panic!("{requested:?}") };
    assert_eq!(cleanups.len(), 3);
    assert_eq!(fixture.count("collection").await + fixture.count("source_connection").await, 0);
    assert_eq!(fixture.database.cleanups_of(subject).await.unwrap(), cleanups);
    assert_eq!(fixture.count("outbox WHERE message->>'type' = 'CleanupRequested'").await, 3);
    let again = fixture.database.request(fixture.organization, subject, fixture.requester()).await.unwrap();
    assert_eq!(again, Requested::NotFound);
}

#[tokio::test]
async fn an_empty_collection_is_deleted_without_a_cleanup() {
    let fixture = Fixture::new().await;
    let subject = Subject::Collection(fixture.collection);
    let requested = fixture.database.request(fixture.organization, subject, fixture.requester()).await.unwrap();
    assert_eq!(requested, Requested::Committed { is_owner: true, cleanups: vec![] });
    assert_eq!(fixture.count("collection").await + fixture.count("cleanup").await, 0);
}
