//! Schedules that fire beside other schedulers, runs, changes and deletions.

use shared_database::RowCipher;
use shared_database::connections::{ConnectionChange, ScheduleChange, UpdatedConnection};
use shared_database::deletion::{Requested, Subject};
use shared_database::jobs::NewJob;
use shared_database::schedules::Firing;
use shared_models::SourceConnectionId;
use shared_models::schedule::CronExpression;

use crate::fixture::Fixture;
use crate::schedules::make_due;

const DAILY: &str = "30 3 * * *";

async fn due_connections(fixture: &Fixture, count: usize) -> Vec<SourceConnectionId> {
    let mut connections = Vec::new();
    for _ in 0..count {
        connections.push(fixture.connection().await.0);
    }
    fixture.sql(&format!("UPDATE source_connection SET cron = '{DAILY}', next_run_at = '2026-01-01T00:00:00Z'")).await;
    connections
}

/// Fires until this session finds nothing due.
async fn drain(fixture: &Fixture, limit: i64) -> Firing {
    let mut all = Firing::default();
    loop {
        let firing = fixture.database.fire_schedules(limit).await.unwrap();
        if firing.handled() == 0 {
            return all;
        }
        all.fired.extend(firing.fired);
        all.skipped.extend(firing.skipped);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_schedulers_fire_each_due_schedule_fires_once() {
    let fixture = Fixture::new().await;
    due_connections(&fixture, 300).await;
    let firings = futures::future::join_all((0..8).map(|_| drain(&fixture, 7))).await;
    assert_eq!(firings.iter().map(|firing| firing.fired.len()).sum::<usize>(), 300);
    assert!(firings.iter().all(|firing| firing.skipped.is_empty()));
    assert_eq!(fixture.count("sync WHERE (SELECT count(*) FROM sync_job WHERE sync_id = sync.id) = 1").await, 300);
    assert_eq!(fixture.count("outbox WHERE message->>'type' = 'RunSync'").await, 300);
    assert_eq!(fixture.count("source_connection WHERE next_run_at <= clock_timestamp()").await, 0);
}

#[tokio::test]
async fn what_another_session_holds_is_left_for_the_next_look() {
    let fixture = Fixture::new().await;
    let connections = due_connections(&fixture, 3).await;
    let client = fixture.test_database.client().await;
    let lock = format!("BEGIN; SELECT 1 FROM source_connection WHERE id = '{}' FOR UPDATE", connections[0]);
    client.batch_execute(&lock).await.unwrap();
    let fired: Vec<_> = drain(&fixture, 100).await.fired.iter().map(|fired| fired.connection).collect();
    assert_eq!((fired.len(), fired.contains(&connections[0])), (2, false));
    // As a scheduler that is killed in mid-firing: the connection breaks, and nothing of its transaction stays.
    client.batch_execute("UPDATE source_connection SET next_run_at = NULL").await.unwrap();
    drop(client);
    test_support::wait_until("the lock is gone", std::time::Duration::from_secs(10), async || {
        drain(&fixture, 100).await.fired.iter().any(|fired| fired.connection == connections[0])
    })
    .await;
    assert_eq!(fixture.count("sync_job").await, 3);
}

#[tokio::test]
async fn del_2_no_schedule_fires_after_d1() {
    let fixture = Fixture::new().await;
    let connections = due_connections(&fixture, 2).await;
    // Somebody is writing until the deletion may commit.
    fixture.running_job(connections[0]).await;
    let answer = fixture
        .database
        .request(fixture.organization, Subject::Connection(connections[0]), fixture.requester())
        .await
        .unwrap();
    assert!(matches!(answer, Requested::Waiting { .. }), "{answer:?}");
    fixture.sql("UPDATE sync_job SET status = 'cancelled', lease_owner = NULL, job_end = 'acknowledged'").await;
    let fired = drain(&fixture, 100).await;
    assert_eq!(fired.fired.iter().map(|fired| fired.connection).collect::<Vec<_>>(), [connections[1]]);
    assert!(fired.skipped.is_empty(), "it isn't even looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn del_2_a_deletion_beside_a_firing_leaves_no_job_that_may_start() {
    let fixture = Fixture::new().await;
    let connections = due_connections(&fixture, 60).await;
    let deletions = connections.iter().map(|&connection| {
        let (database, organization, requester) = (&fixture.database, fixture.organization, fixture.requester());
        async move { database.request(organization, Subject::Connection(connection), requester).await.unwrap() }
    });
    let firings = futures::future::join_all((0..4).map(|_| drain(&fixture, 3)));
    let (answers, firings) = futures::future::join(futures::future::join_all(deletions), firings).await;
    // No job ran, so each deletion was committed at once: a job that fired first was cancelled by it.
    assert!(answers.iter().all(|answer| matches!(answer, Requested::Committed { .. })), "{answers:?}");
    assert!(firings.iter().all(|firing| firing.skipped.is_empty()), "{firings:?}");
    assert_eq!((fixture.count("source_connection").await, fixture.count("sync_job").await), (0, 0));
    assert_eq!(fixture.count("cleanup").await, 60);
}

#[tokio::test]
async fn del_1_a_schedule_goes_with_its_connection() {
    let fixture = Fixture::new().await;
    let connections = due_connections(&fixture, 1).await;
    let answer = fixture
        .database
        .request(fixture.organization, Subject::Connection(connections[0]), fixture.requester())
        .await
        .unwrap();
    assert!(matches!(answer, Requested::Committed { .. }), "{answer:?}");
    assert_eq!((fixture.count("source_connection").await, drain(&fixture, 100).await), (0, Firing::default()));
    assert_eq!(fixture.database.schedule_outlook().await.unwrap().due_in, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_beside_a_firing_makes_one_job_and_hurts_no_other_schedule() {
    let fixture = Fixture::new().await;
    let connections = due_connections(&fixture, 60).await;
    let runs =
        futures::future::join_all(connections.iter().map(|&id| fixture.database.run_connection(id, false, None)));
    let firings = futures::future::join_all((0..4).map(|_| drain(&fixture, 10)));
    let (runs, firings) = futures::future::join(runs, firings).await;
    let last = drain(&fixture, 100).await;
    let by_hand = runs.into_iter().filter(|run| matches!(run.as_ref().unwrap(), NewJob::Created(_))).count();
    let by_schedule = firings.iter().map(|firing| firing.fired.len()).sum::<usize>() + last.fired.len();
    assert_eq!(by_hand + by_schedule, 60);
    assert_eq!((fixture.count("sync_job").await, fixture.count("outbox").await), (60, 60));
    assert_eq!(fixture.count("source_connection WHERE next_run_at <= clock_timestamp()").await, 0);
}

#[tokio::test]
async fn a_changed_cron_moves_the_next_run_and_a_removed_one_takes_it_away() {
    let fixture = Fixture::new().await;
    let connection = due_connections(&fixture, 1).await[0];
    let change = async |cron: Option<&str>| {
        let cipher = RowCipher::new([("k".to_owned(), [1; 32])]).unwrap();
        let cron = cron.map(|text| CronExpression::parse(text).unwrap());
        let schedule = ScheduleChange { cron: Some(cron), ..ScheduleChange::default() };
        let change = ConnectionChange { schedule, ..ConnectionChange::default() };
        let updated =
            fixture.database.update_connection(&cipher, fixture.organization, connection, change, None).await.unwrap();
        let UpdatedConnection::Updated(view) = updated else { panic!("{updated:?}") };
        view.next_run
    };
    let moved = change(Some("45 10 * * *")).await.unwrap();
    assert_eq!(moved.format("%H:%M:%S").to_string(), "10:45:00");
    assert_eq!(drain(&fixture, 100).await, Firing::default(), "what was due under the old cron fires no more");
    assert_eq!(change(None).await, None);
    make_due(&fixture, connection, DAILY, "1 second").await;
    assert_eq!(drain(&fixture, 100).await.fired.len(), 1);
    let refused = refusal(&fixture, "UPDATE source_connection SET cron = NULL").await;
    assert!(refused.contains("source_connection_next_run_needs_cron"), "{refused}");
}

async fn refusal(fixture: &Fixture, sql: &str) -> String {
    fixture.test_database.client().await.batch_execute(sql).await.map_err(|error| format!("{error:?}")).unwrap_err()
}
