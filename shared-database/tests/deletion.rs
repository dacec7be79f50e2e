//! D1 and D3.

use std::time::Duration;

use serde_json::json;
use shared_database::RowCipher;
use shared_database::credentials;
use shared_database::deletion::{Commit, Requested, Subject, Watched};
use shared_database::jobs::{JobChoice, JobCounts, JobOutcome, NewJob};
use shared_models::invariant::facts::Idempotent;
use shared_models::{CollectionId, Facts as _, JobStatus, LeaseOwner, OrganizationId};

use crate::fixture::{Fixture, TTL, atomic, rows_of};

/// The caller has watched for ttl + guard.
const PAST: Watched = Watched::PastEveryLease { guard: Duration::from_secs(4) };

#[tokio::test]
async fn del_1_rows_cleanup_and_messages_commit_together() {
    let fixture = Fixture::new().await;
    let (connection, sync) = fixture.connection().await;
    let (other, other_sync) = fixture.connection().await;
    for (id, sync) in [(connection, sync), (other, other_sync)] {
        fixture.add_entities(sync, 100).await;
        let cipher = RowCipher::new([("k".to_owned(), [1; 32])]).unwrap();
        let secret = json!({"password": "x"}).as_object().unwrap().clone();
        credentials::store(&mut fixture.database.connection().await.unwrap(), &cipher, id, &secret).await.unwrap();
        let (job, owner) = fixture.running_job(id).await;
        fixture
            .database
            .end_job(job, owner, JobOutcome::Completed { cursor: None }, JobCounts::default())
            .await
            .unwrap();
    }
    fixture.sql("DELETE FROM outbox").await;
    assert_eq!(rows_of(&fixture, connection, sync).await, [1, 1, 1, 1, 100]);

    let requester = fixture.requester();
    let request = requester.request;
    let answer =
        fixture.database.request(fixture.organization, Subject::Connection(connection), requester).await.unwrap();
    assert!(matches!(answer, Requested::Committed { is_owner: true, .. }), "{answer:?}");

    let gone = atomic(&fixture, connection, sync).await;
    assert_eq!((gone.check(), gone.rows, gone.requests), (Ok(()), 0, 1));
    let spared = atomic(&fixture, other, other_sync).await;
    assert_eq!((spared.check(), spared.rows), (Ok(()), 104));
    assert_eq!(fixture.count(&format!("cleanup WHERE sync_id = '{sync}' AND entity_rows_deleted = 100")).await, 1);
    assert_eq!(fixture.count("cleanup").await, 1);
    assert_eq!(fixture.count(&format!("outbox WHERE request_id = '{request}'")).await, 2);
}

#[tokio::test]
async fn del_1_a_failing_commit_leaves_everything_as_it_was() {
    let fixture = Fixture::new().await;
    let (connection, sync) = fixture.connection().await;
    fixture.add_entities(sync, 10).await;
    // The last statement of D3 fails: rows, cleanup and messages must all be as before.
    fixture.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$").await;
    fixture.sql("CREATE TRIGGER refuse BEFORE DELETE ON entity FOR EACH ROW EXECUTE FUNCTION refuse()").await;
    fixture
        .database
        .request(fixture.organization, Subject::Connection(connection), fixture.requester())
        .await
        .unwrap_err();
    assert_eq!(rows_of(&fixture, connection, sync).await, [1, 0, 1, 0, 10]);
    atomic(&fixture, connection, sync).await.check().unwrap();
    assert_eq!(fixture.count("cleanup").await + fixture.count("outbox").await, 0);
}

#[tokio::test]
async fn del_2_nothing_commits_while_a_job_may_write() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let (job, owner) = fixture.running_job(connection).await;

    let answer = fixture
        .database
        .request(fixture.organization, Subject::Connection(connection), fixture.requester())
        .await
        .unwrap();
    assert_eq!(answer, Requested::Waiting { is_owner: true, stopping: vec![job] });
    assert!(!fixture.database.renew_lease(job, owner, TTL).await.unwrap(), "a cancelling job can't be renewed");
    assert_eq!(
        fixture.database.try_commit(Subject::Connection(connection), Watched::Briefly).await.unwrap(),
        Commit::NotYet
    );

    let ended = fixture
        .database
        .end_job(job, owner, JobOutcome::Completed { cursor: None }, JobCounts::default())
        .await
        .unwrap();
    assert_eq!(ended, Some(JobStatus::Cancelled), "completion that finds cancelling takes the cancel path");
    let commit = fixture.database.try_commit(Subject::Connection(connection), Watched::Briefly).await.unwrap();
    assert!(matches!(commit, Commit::Done(_)), "{commit:?}");
    assert_eq!(fixture.count("cleanup WHERE writer_end = 'acknowledged'").await, 1);
}

#[tokio::test]
async fn del_2_a_silent_writer_is_waited_out_and_said_so() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    fixture.running_job(connection).await;
    fixture.database.request(fixture.organization, Subject::Connection(connection), fixture.requester()).await.unwrap();
    fixture.sql("UPDATE sync_job SET lease_expires_at = clock_timestamp() - interval '5 seconds'").await;
    assert_eq!(
        fixture.database.try_commit(Subject::Connection(connection), Watched::Briefly).await.unwrap(),
        Commit::NotYet
    );
    let commit = fixture.database.try_commit(Subject::Connection(connection), PAST).await.unwrap();
    assert!(matches!(commit, Commit::Done(_)), "{commit:?}");
    assert_eq!(fixture.count("cleanup WHERE writer_end = 'lease'").await, 1);
}

/// A worker that was started with a longer ttl than the gateway knows of.
#[tokio::test]
async fn del_2_a_lease_that_outlives_the_callers_times_is_waited_out_too() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    fixture.running_job(connection).await;
    fixture.database.request(fixture.organization, Subject::Connection(connection), fixture.requester()).await.unwrap();
    for (expires, expected) in
        [("+ interval '40 seconds'", false), ("- interval '3 seconds'", false), ("- interval '5 seconds'", true)]
    {
        fixture.sql(&format!("UPDATE sync_job SET lease_expires_at = clock_timestamp() {expires}")).await;
        let commit = fixture.database.try_commit(Subject::Connection(connection), PAST).await.unwrap();
        assert_eq!(matches!(commit, Commit::Done(_)), expected, "{expires}: {commit:?}");
    }
}

#[tokio::test]
async fn del_2_a_job_can_be_neither_created_nor_claimed_after_d1() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let (running, _) = fixture.running_job(connection).await;
    fixture.database.request(fixture.organization, Subject::Connection(connection), fixture.requester()).await.unwrap();
    let run = fixture.database.run_connection(connection, false, None).await.unwrap();
    assert_eq!(run, NewJob::BeingDeleted);
    let claim = fixture.database.claim_job(JobChoice::Named(running), LeaseOwner::random(), TTL).await.unwrap();
    assert!(claim.is_none());
}

#[tokio::test]
async fn del_2_a_pending_job_is_cancelled_and_doesnt_hold_the_deletion_up() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let job = fixture.pending_job(connection).await;
    let answer = fixture
        .database
        .request(fixture.organization, Subject::Connection(connection), fixture.requester())
        .await
        .unwrap();
    assert!(matches!(answer, Requested::Committed { .. }), "{answer:?}");
    assert!(fixture.database.claim_job(JobChoice::Named(job), LeaseOwner::random(), TTL).await.unwrap().is_none());
}

/// A run and D1 at once, many times: whichever is first, no job is left that nobody was told of.
#[tokio::test]
async fn del_2_a_run_that_races_d1_is_refused_or_cancelled() {
    let fixture = Fixture::new().await;
    for _ in 0..60 {
        let (connection, sync) = fixture.connection().await;
        let (run, deletion) = tokio::join!(
            fixture.database.run_connection(connection, false, None),
            fixture.database.request(fixture.organization, Subject::Connection(connection), fixture.requester()),
        );
        let deletion = deletion.unwrap();
        assert!(matches!(deletion, Requested::Committed { is_owner: true, .. }), "{deletion:?}");
        assert!(matches!(run.unwrap(), NewJob::Created(_) | NewJob::BeingDeleted));
        assert_eq!(fixture.count(&format!("sync_job WHERE sync_id = '{sync}'")).await, 0);
    }
}

/// A claim and D1 at once, many times: the job is cancelled before it ran, or told to stop.
#[tokio::test]
async fn del_2_a_claim_that_races_d1_is_told_to_stop() {
    let fixture = Fixture::new().await;
    for _ in 0..60 {
        let (connection, _) = fixture.connection().await;
        let job = fixture.pending_job(connection).await;
        let owner = LeaseOwner::random();
        let (claim, deletion) = tokio::join!(
            fixture.database.claim_job(JobChoice::Named(job), owner, TTL),
            fixture.database.request(fixture.organization, Subject::Connection(connection), fixture.requester()),
        );
        match (claim.unwrap(), deletion.unwrap()) {
            (None, Requested::Committed { .. }) => {}
            (Some(_), Requested::Waiting { stopping, .. }) => {
                assert_eq!(stopping, [job]);
                assert!(!fixture.database.renew_lease(job, owner, TTL).await.unwrap());
            }
            other => panic!("a running job was overlooked: {other:?}"),
        }
    }
}

#[tokio::test]
async fn del_6_many_commits_at_once_make_one_cleanup_and_one_owner() {
    let fixture = Fixture::new().await;
    for _ in 0..20 {
        let (connection, sync) = fixture.connection().await;
        let (job, owner) = fixture.running_job(connection).await;
        let (one, two) = tokio::join!(
            fixture.database.request(fixture.organization, Subject::Connection(connection), fixture.requester()),
            fixture.database.request(fixture.organization, Subject::Connection(connection), fixture.requester()),
        );
        let owners = [one.unwrap(), two.unwrap()]
            .iter()
            .filter(|answer| matches!(answer, Requested::Waiting { is_owner: true, .. }))
            .count();
        assert_eq!(owners, 1);
        fixture.database.end_job(job, owner, JobOutcome::Cancelled, JobCounts::default()).await.unwrap();
        let (a, b, c) = tokio::join!(
            fixture.database.try_commit(Subject::Connection(connection), Watched::Briefly),
            fixture.database.try_commit(Subject::Connection(connection), Watched::Briefly),
            fixture.database.try_commit(Subject::Connection(connection), Watched::Briefly),
        );
        let done = [a.unwrap(), b.unwrap(), c.unwrap()].iter().filter(|c| matches!(c, Commit::Done(_))).count();
        assert_eq!(done, 1);
        let committed = atomic(&fixture, connection, sync).await;
        assert_eq!((committed.check(), committed.rows, committed.requests), (Ok(()), 0, 1));
        let (owners, cleanups) = (owners.try_into().unwrap(), committed.cleanups);
        Idempotent { owners, cleanups, receipts: 0, ends: 0 }.check().unwrap();
    }
}

#[tokio::test]
async fn nobody_commits_what_nobody_requested() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let commit = fixture.database.try_commit(Subject::Connection(connection), PAST).await.unwrap();
    assert_eq!(commit, Commit::AlreadyGone);
    assert_eq!(fixture.count("source_connection").await, 1);
}

#[tokio::test]
async fn del_9_another_organization_deletes_nothing() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let (job, owner) = fixture.running_job(connection).await;
    let stranger = OrganizationId::random();
    let answer =
        fixture.database.request(stranger, Subject::Connection(connection), fixture.requester()).await.unwrap();
    assert_eq!(answer, Requested::NotFound);
    let answer =
        fixture.database.request(stranger, Subject::Collection(fixture.collection), fixture.requester()).await.unwrap();
    assert_eq!(answer, Requested::NotFound);
    assert!(fixture.database.renew_lease(job, owner, TTL).await.unwrap(), "the job goes on");
    assert_eq!(fixture.count("source_connection WHERE deletion_requested_at IS NULL").await, 1);
}

#[tokio::test]
async fn a_collection_goes_with_all_its_connections_one_cleanup_each() {
    let fixture = Fixture::new().await;
    let spared = CollectionId::random();
    fixture.add_collection(spared).await;
    fixture.connection_in(spared).await;
    let mut running = Vec::new();
    for _ in 0..3 {
        let (connection, _) = fixture.connection().await;
        running.push(fixture.running_job(connection).await);
    }
    let requester = fixture.requester();
    let request = fixture
        .database
        .request(fixture.organization, Subject::Collection(fixture.collection), requester)
        .await
        .unwrap();
    let Requested::Waiting { is_owner: true, stopping } = request else { panic!("{request:?}") };
    assert_eq!(stopping.len(), 3);
    let commit = fixture.database.try_commit(Subject::Collection(fixture.collection), Watched::Briefly).await.unwrap();
    assert_eq!(commit, Commit::NotYet);
    for (job, owner) in running {
        fixture.database.end_job(job, owner, JobOutcome::Cancelled, JobCounts::default()).await.unwrap();
    }
    let commit = fixture.database.try_commit(Subject::Collection(fixture.collection), Watched::Briefly).await.unwrap();
    assert!(matches!(&commit, Commit::Done(cleanups) if cleanups.len() == 3), "{commit:?}");
    assert_eq!(fixture.count("cleanup").await, 3);
    assert_eq!(fixture.count("collection").await, 1);
    assert_eq!(fixture.count("source_connection").await, 1);
    let again = fixture.database.try_commit(Subject::Collection(fixture.collection), Watched::Briefly).await.unwrap();
    assert_eq!(again, Commit::AlreadyGone);
}

#[tokio::test]
async fn deletions_in_progress_are_listed_with_their_age() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    fixture.running_job(connection).await;
    assert!(fixture.database.in_progress().await.unwrap().is_empty());
    fixture.database.request(fixture.organization, Subject::Connection(connection), fixture.requester()).await.unwrap();
    let listed = fixture.database.in_progress().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].subject, Subject::Connection(connection));
    assert!(listed[0].age < Duration::from_secs(30));
}

/// A frozen client inside a transaction: its session is ended by PostgreSQL, and D3 goes on.
#[tokio::test]
async fn del_8_a_frozen_transaction_doesnt_hold_a_deletion_up() {
    use diesel_async::{AsyncConnection as _, RunQueryDsl as _};
    let fixture = Fixture::new().await;
    let (connection, sync) = fixture.connection().await;
    let mut frozen = fixture.database.connection().await.unwrap();
    let lock = format!("SELECT id FROM sync WHERE id = '{sync}' FOR SHARE");
    let (locked, is_locked) = tokio::sync::oneshot::channel();
    let hold = async {
        frozen
            .transaction::<(), diesel::result::Error, _>(async |db| {
                diesel::sql_query(&lock).execute(db).await?;
                let _ = locked.send(());
                std::future::pending::<()>().await;
                Ok(())
            })
            .await
    };
    let delete = async {
        is_locked.await.unwrap();
        loop {
            let request =
                fixture.database.request(fixture.organization, Subject::Connection(connection), fixture.requester());
            match request.await {
                Ok(answer) => return answer,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    };
    let answer = tokio::select! {
        _ = hold => panic!("the frozen client went on"),
        answer = tokio::time::timeout(Duration::from_secs(15), delete) => answer.unwrap(),
    };
    assert!(matches!(answer, Requested::Committed { .. }), "{answer:?}");
}
