//! Jobs and leases.

use std::time::Duration;

use shared_database::jobs::{CancelJob, JobChoice, JobCounts, JobOutcome, NewJob};
use shared_models::{JobStatus, LeaseOwner};

use crate::fixture::{Fixture, TTL};

#[tokio::test]
async fn a_sync_has_one_active_job() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let runs =
        futures::future::join_all((0..8).map(|_| fixture.database.run_connection(connection, false, None))).await;
    let created = runs.into_iter().filter(|run| matches!(run, Ok(NewJob::Created(_)))).count();
    assert_eq!(created, 1);
    let again = fixture.database.run_connection(connection, false, None).await.unwrap();
    assert_eq!(again, NewJob::AlreadyActive(JobStatus::Pending));
    assert_eq!(fixture.count("outbox WHERE message->>'type' = 'RunSync'").await, 1);
}

#[tokio::test]
async fn a_job_is_claimed_once() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let job = fixture.pending_job(connection).await;
    let claims = futures::future::join_all(
        (0..8).map(|_| fixture.database.claim_job(JobChoice::Named(job), LeaseOwner::random(), TTL)),
    )
    .await;
    assert_eq!(claims.into_iter().filter(|claim| matches!(claim, Ok(Some(_)))).count(), 1);
}

#[tokio::test]
async fn the_timer_claims_only_jobs_that_waited_long_enough() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let job = fixture.pending_job(connection).await;
    let owner = LeaseOwner::random();
    let patient = fixture.database.claim_job(JobChoice::PendingFor(Duration::from_secs(60)), owner, TTL).await.unwrap();
    assert!(patient.is_none());
    let claimed = fixture.database.claim_job(JobChoice::PendingFor(Duration::ZERO), owner, TTL).await.unwrap().unwrap();
    assert_eq!(claimed.job_id, job);
    assert_eq!(claimed.source_connection_id, connection);
}

#[tokio::test]
async fn a_claim_tells_whether_the_job_before_it_was_lost() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let claim = async || {
        let job = fixture.pending_job(connection).await;
        let owner = LeaseOwner::random();
        (fixture.database.claim_job(JobChoice::Named(job), owner, TTL).await.unwrap().unwrap(), owner)
    };
    let (first, _) = claim().await;
    assert!(!first.follows_lost_worker);
    fixture.sql("UPDATE sync_job SET lease_expires_at = clock_timestamp() - interval '1 minute'").await;
    fixture.database.reap_jobs(Duration::ZERO).await.unwrap();
    // A job that no worker ever held repairs nothing.
    let skipped = fixture.pending_job(connection).await;
    fixture.database.cancel_job(connection, skipped).await.unwrap();
    let (second, owner) = claim().await;
    assert!(second.follows_lost_worker);
    fixture
        .database
        .end_job(second.job_id, owner, JobOutcome::Completed { cursor: None }, JobCounts::default())
        .await
        .unwrap();
    assert!(!claim().await.0.follows_lost_worker);
}

#[tokio::test]
async fn only_the_holder_renews_and_ends() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let (job, owner) = fixture.running_job(connection).await;
    let stranger = LeaseOwner::random();
    assert!(fixture.database.renew_lease(job, owner, TTL).await.unwrap());
    assert!(!fixture.database.renew_lease(job, stranger, TTL).await.unwrap());
    let ended = fixture
        .database
        .end_job(job, stranger, JobOutcome::Completed { cursor: None }, JobCounts::default())
        .await
        .unwrap();
    assert_eq!(ended, None);
    let ended = fixture
        .database
        .end_job(job, owner, JobOutcome::Completed { cursor: None }, JobCounts::default())
        .await
        .unwrap();
    assert_eq!(ended, Some(JobStatus::Completed));
    let again = fixture
        .database
        .end_job(job, owner, JobOutcome::Completed { cursor: None }, JobCounts::default())
        .await
        .unwrap();
    assert_eq!(again, None, "an ended job moves nowhere");
}

#[tokio::test]
async fn the_reaper_waits_for_lease_and_guard() {
    let fixture = Fixture::new().await;
    let (one, _) = fixture.connection().await;
    let (two, _) = fixture.connection().await;
    let (running, owner) = fixture.running_job(one).await;
    let (cancelling, _) = fixture.running_job(two).await;
    fixture.database.cancel_job(two, cancelling).await.unwrap();
    assert!(fixture.database.reap_jobs(Duration::ZERO).await.unwrap().is_empty(), "the leases are alive");
    fixture.sql("UPDATE sync_job SET lease_expires_at = clock_timestamp() - interval '3 seconds'").await;
    assert!(fixture.database.reap_jobs(Duration::from_secs(4)).await.unwrap().is_empty(), "the guard hasn't passed");
    fixture.sql("UPDATE sync_job SET lease_expires_at = clock_timestamp() - interval '5 seconds'").await;
    let mut reaped = fixture.database.reap_jobs(Duration::from_secs(4)).await.unwrap();
    reaped.sort_by_key(|job| job.job_id != running);
    assert_eq!(reaped.iter().map(|job| job.status).collect::<Vec<_>>(), [JobStatus::Failed, JobStatus::Cancelled]);
    assert!(!fixture.database.renew_lease(running, owner, TTL).await.unwrap(), "a reaped lease can't come back");
}

#[tokio::test]
async fn cancel_moves_a_job_only_within_its_connection() {
    let fixture = Fixture::new().await;
    let (one, _) = fixture.connection().await;
    let (two, _) = fixture.connection().await;
    let (running, _) = fixture.running_job(one).await;
    assert!(matches!(fixture.database.cancel_job(two, running).await.unwrap(), CancelJob::NotFound));
    let CancelJob::Cancelled(job) = fixture.database.cancel_job(one, running).await.unwrap() else { panic!() };
    assert_eq!(job.status, JobStatus::Cancelling);
    let again = fixture.database.cancel_job(one, running).await.unwrap();
    assert!(matches!(again, CancelJob::NotCancellable(JobStatus::Cancelling)));
}

#[tokio::test]
async fn a_lease_is_held_exactly_while_a_worker_may_write() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let (job, owner) = fixture.running_job(connection).await;
    assert_eq!(fixture.count("sync_job WHERE lease_owner IS NOT NULL").await, 1);
    fixture.database.cancel_job(connection, job).await.unwrap();
    assert_eq!(fixture.count("sync_job WHERE lease_owner IS NOT NULL AND status = 'cancelling'").await, 1);
    fixture.database.end_job(job, owner, JobOutcome::Cancelled, JobCounts::default()).await.unwrap();
    assert_eq!(fixture.count("sync_job WHERE lease_owner IS NULL AND job_end = 'acknowledged'").await, 1);
    assert!(fixture.database.active_among(&[job]).await.unwrap().is_empty());
}
