//! A job whose worker is told to stop is followed by a new one, so that a rolling update loses no job; unless it is
//! being cancelled or deleted, or was interrupted too often.

use std::time::Duration;

use shared_database::jobs::{JobChoice, JobCounts, JobOutcome};
use shared_models::{JobStatus, LeaseOwner, RequestId, SourceConnectionId, SyncJobId};
use test_support::wait_until;

use crate::fixture::{Fixture, TTL};

const BOUND: Duration = Duration::from_secs(20);

async fn interrupt(fixture: &Fixture, job: SyncJobId, owner: LeaseOwner) -> Option<JobStatus> {
    fixture.database.end_job(job, owner, JobOutcome::Interrupted, JobCounts::default()).await.unwrap()
}

/// Claims the pending job of the database's one sync.
async fn claim_successor(fixture: &Fixture) -> Option<(SyncJobId, LeaseOwner)> {
    let owner = LeaseOwner::random();
    let claimed = fixture.database.claim_job(JobChoice::PendingFor(Duration::ZERO), owner, TTL).await.unwrap();
    claimed.map(|job| (job.job_id, owner))
}

async fn running(fixture: &Fixture, connection: SourceConnectionId) -> (SyncJobId, LeaseOwner) {
    let request = Some(RequestId::random());
    fixture.database.run_connection(connection, true, request).await.unwrap();
    claim_successor(fixture).await.unwrap()
}

#[tokio::test]
async fn an_interrupted_job_is_followed_by_one_like_it_at_most_three_times_in_a_row() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let (mut job, mut owner) = running(&fixture, connection).await;
    for successors in 1..=3 {
        assert_eq!(interrupt(&fixture, job, owner).await, Some(JobStatus::Failed));
        (job, owner) = claim_successor(&fixture).await.unwrap();
        assert_eq!(fixture.count("sync_job").await, 1 + successors);
        let said = format!("outbox WHERE message->>'type' = 'RunSync' AND message->>'job_id' = '{job}'");
        assert_eq!(fixture.count(&said).await, 1);
    }
    assert_eq!(fixture.count("sync_job WHERE force_full_sync").await, 4, "each does what the first was asked to do");
    assert_eq!(fixture.count("(SELECT DISTINCT request_id FROM sync_job) AS requests").await, 1);
    assert_eq!(interrupt(&fixture, job, owner).await, Some(JobStatus::Failed));
    assert!(claim_successor(&fixture).await.is_none());
    // Whoever asks for a job after that gets one that counts from the beginning.
    let (job, owner) = running(&fixture, connection).await;
    interrupt(&fixture, job, owner).await;
    assert!(claim_successor(&fixture).await.is_some());
}

#[tokio::test]
async fn a_job_that_ends_otherwise_is_followed_by_none() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let failed = JobOutcome::Failed { error: "no".to_owned(), category: None };
    for outcome in [JobOutcome::Completed { cursor: None }, JobOutcome::Cancelled, failed] {
        let (job, owner) = running(&fixture, connection).await;
        fixture.database.end_job(job, owner, outcome, JobCounts::default()).await.unwrap();
        assert!(claim_successor(&fixture).await.is_none());
    }
    let (job, owner) = running(&fixture, connection).await;
    fixture.database.cancel_job(connection, job).await.unwrap();
    assert_eq!(interrupt(&fixture, job, owner).await, Some(JobStatus::Cancelled));
    assert!(claim_successor(&fixture).await.is_none());
}

/// The end of the job waits for a deletion that holds the rows and has not committed yet:
/// what it then sees is a job that was told to stop.
#[tokio::test]
async fn del_2_no_job_follows_one_that_was_interrupted_behind_a_deletion() {
    let fixture = Fixture::new().await;
    let (connection, sync) = fixture.connection().await;
    let (job, owner) = running(&fixture, connection).await;
    let deletion = fixture.test_database.client().await;
    deletion
        .batch_execute(&format!(
            "BEGIN;
             SELECT c.id FROM source_connection c JOIN sync s ON s.source_connection_id = c.id
             WHERE c.id = '{connection}' FOR UPDATE OF c FOR NO KEY UPDATE OF s;
             UPDATE sync_job SET status = 'cancelling', cancel_requested_at = clock_timestamp() WHERE sync_id = '{sync}'"
        ))
        .await
        .unwrap();
    let commit = async {
        let waits = async || {
            let waiting = "SELECT count(*) FROM pg_stat_activity
                           WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%WITH held%'";
            fixture.test_database.count(waiting).await == 1
        };
        wait_until("the end of the job waits for the lock", BOUND, waits).await;
        deletion.batch_execute("COMMIT").await.unwrap();
    };
    let (ended, ()) = tokio::join!(interrupt(&fixture, job, owner), commit);
    assert_eq!(ended, Some(JobStatus::Cancelled));
    assert_eq!(fixture.count("sync_job").await, 1);
}
