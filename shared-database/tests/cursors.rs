//! The cursor of a sync: kept exactly when its job completes under its lease, forgotten when its job reads everything.

use std::time::Duration;

use serde_json::{Value, json};
use shared_database::entities::EntityWriter;
use shared_database::jobs::{Cursor, JobChoice, JobCounts, JobOutcome};
use shared_models::{JobStatus, LeaseOwner, SourceConnectionId};

use crate::fixture::{Fixture, TTL};

fn completed(cursor: Option<Value>) -> JobOutcome {
    JobOutcome::Completed { cursor: cursor.map(|value| Cursor { value, form: "1".to_owned() }) }
}

/// What the next job would be given. It is cancelled.
async fn cursor(fixture: &Fixture, connection: SourceConnectionId) -> Option<Value> {
    let job = fixture.pending_job(connection).await;
    let owner = LeaseOwner::random();
    let claimed = fixture.database.claim_job(JobChoice::Named(job), owner, TTL).await.unwrap().unwrap();
    fixture.database.cancel_job(connection, job).await.unwrap();
    fixture.database.end_job(job, owner, JobOutcome::Cancelled, JobCounts::default()).await.unwrap();
    claimed.cursor
}

#[tokio::test]
async fn a_completed_job_keeps_its_cursor_for_the_next_one_of_its_sync() {
    let fixture = Fixture::new().await;
    let (one, _) = fixture.connection().await;
    let (two, _) = fixture.connection().await;
    assert_eq!(cursor(&fixture, one).await, None);
    for given in [json!({"at": 1}), json!({"at": 2})] {
        let (job, owner) = fixture.running_job(one).await;
        let ended = fixture.database.end_job(job, owner, completed(Some(given.clone())), JobCounts::default()).await;
        assert_eq!(ended.unwrap(), Some(JobStatus::Completed));
        assert_eq!(cursor(&fixture, one).await, Some(given));
    }
    // A source that gives none leaves it as it is.
    let (job, owner) = fixture.running_job(one).await;
    fixture.database.end_job(job, owner, completed(None), JobCounts::default()).await.unwrap();
    assert_eq!(cursor(&fixture, one).await, Some(json!({"at": 2})));
    assert_eq!(cursor(&fixture, two).await, None);
}

#[tokio::test]
async fn a_job_that_was_cancelled_reaped_or_lost_leaves_the_cursor() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let (job, owner) = fixture.running_job(connection).await;
    fixture.database.end_job(job, owner, completed(Some(json!(1))), JobCounts::default()).await.unwrap();

    // Completion that finds the job cancelling takes the cancel path.
    let (job, owner) = fixture.running_job(connection).await;
    fixture.database.cancel_job(connection, job).await.unwrap();
    let ended = fixture.database.end_job(job, owner, completed(Some(json!(2))), JobCounts::default()).await.unwrap();
    assert_eq!(ended, Some(JobStatus::Cancelled));
    assert_eq!(cursor(&fixture, connection).await, Some(json!(1)));

    // A worker that was reaped, and comes back.
    let (job, owner) = fixture.running_job(connection).await;
    fixture.sql("UPDATE sync_job SET lease_expires_at = clock_timestamp() - interval '1 minute' WHERE lease_owner IS NOT NULL").await;
    fixture.database.reap_jobs(Duration::ZERO).await.unwrap();
    let ended = fixture.database.end_job(job, owner, completed(Some(json!(3))), JobCounts::default()).await.unwrap();
    assert_eq!(ended, None);
    assert_eq!(cursor(&fixture, connection).await, Some(json!(1)));

    // Somebody who doesn't hold the lease.
    let (job, owner) = fixture.running_job(connection).await;
    let stranger = LeaseOwner::random();
    let ended = fixture.database.end_job(job, stranger, completed(Some(json!(4))), JobCounts::default()).await.unwrap();
    assert_eq!(ended, None);
    let failed = JobOutcome::Failed { error: "no".to_owned(), category: None };
    fixture.database.end_job(job, owner, failed, JobCounts::default()).await.unwrap();
    assert_eq!(cursor(&fixture, connection).await, Some(json!(1)));
}

#[tokio::test]
async fn only_who_holds_the_lease_forgets_the_cursor() {
    let fixture = Fixture::new().await;
    let (connection, sync) = fixture.connection().await;
    let (job, owner) = fixture.running_job(connection).await;
    fixture.database.end_job(job, owner, completed(Some(json!(1))), JobCounts::default()).await.unwrap();

    let (job, owner) = fixture.running_job(connection).await;
    let stranger = EntityWriter { sync, job, owner: LeaseOwner::random() };
    assert!(!fixture.database.forget_cursor(stranger).await.unwrap());
    fixture.database.end_job(job, owner, completed(None), JobCounts::default()).await.unwrap();
    assert!(!fixture.database.forget_cursor(EntityWriter { sync, job, owner }).await.unwrap());
    assert_eq!(cursor(&fixture, connection).await, Some(json!(1)));

    let (job, owner) = fixture.running_job(connection).await;
    let writer = EntityWriter { sync, job, owner };
    // As often as it has to be asked.
    assert!(fixture.database.forget_cursor(writer).await.unwrap());
    assert!(fixture.database.forget_cursor(writer).await.unwrap());
    let failed = JobOutcome::Failed { error: "no".to_owned(), category: None };
    fixture.database.end_job(job, owner, failed, JobCounts::default()).await.unwrap();
    assert_eq!(cursor(&fixture, connection).await, None);
}

/// The end of a job locks sync and job in the order in which the cascade of a deletion does.
#[tokio::test]
async fn ends_and_cascades_never_wait_for_each_other_in_a_circle() {
    let fixture = Fixture::new().await;
    for _ in 0..30 {
        let (connection, _) = fixture.connection().await;
        let (job, owner) = fixture.running_job(connection).await;
        let delete = format!("DELETE FROM source_connection WHERE id = '{connection}'");
        let end = fixture.database.end_job(job, owner, completed(Some(json!(1))), JobCounts::default());
        let (ended, ()) = tokio::join!(end, fixture.sql(&delete));
        assert!(matches!(ended.unwrap(), Some(JobStatus::Completed) | None));
    }
}
