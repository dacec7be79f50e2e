//! Schedules: what is planned, what fires, what is skipped.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types;
use diesel_async::RunQueryDsl as _;
use serde_json::json;
use shared_database::RowCipher;
use shared_database::connections::Visibility;
use shared_database::credentials;
use shared_database::deletion::Subject;
use shared_database::jobs::{JobCounts, JobOutcome};
use shared_database::schedules::{Firing, SkippedSchedule};
use shared_models::job::ErrorCategory;
use shared_models::schedule::SkipReason;
use shared_models::{SourceConnectionId, SyncId};

use crate::fixture::Fixture;

const DAILY: &str = "30 3 * * *";

/// A schedule that has been due for some time, an SQL interval.
pub async fn make_due(fixture: &Fixture, connection: SourceConnectionId, cron: &str, ago: &str) {
    fixture
        .sql(&format!(
            "UPDATE source_connection SET cron = '{cron}', next_run_at = clock_timestamp() - interval '{ago}'
             WHERE id = '{connection}'"
        ))
        .await;
}

async fn due_connection(fixture: &Fixture) -> (SourceConnectionId, SyncId) {
    let (connection, sync) = fixture.connection().await;
    make_due(fixture, connection, DAILY, "1 second").await;
    (connection, sync)
}

async fn fire(fixture: &Fixture) -> Firing {
    fixture.database.fire_schedules(100).await.unwrap()
}

/// The stored next run of a connection, and PostgreSQL's time.
async fn next_run(fixture: &Fixture, connection: SourceConnectionId) -> (Option<DateTime<Utc>>, DateTime<Utc>) {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
        next: Option<DateTime<Utc>>,
        #[diesel(sql_type = sql_types::Timestamptz)]
        now: DateTime<Utc>,
    }
    let query = format!(
        "SELECT next_run_at AS next, clock_timestamp() AS now FROM source_connection WHERE id = '{connection}'"
    );
    let row: Row =
        diesel::sql_query(query).get_result(&mut fixture.database.connection().await.unwrap()).await.unwrap();
    (row.next, row.now)
}

/// What a client sees.
async fn shown(fixture: &Fixture, connection: SourceConnectionId) -> Option<DateTime<Utc>> {
    let view = fixture.database.view_connection(fixture.organization, connection, Visibility::Live).await.unwrap();
    view.unwrap().next_run
}

#[tokio::test]
async fn a_due_schedule_fires_one_job_with_its_message_and_is_due_again_later() {
    let fixture = Fixture::new().await;
    let (connection, sync) = due_connection(&fixture).await;
    let (idle, _) = fixture.connection().await;
    let firing = fire(&fixture).await;
    assert_eq!((firing.handled(), firing.fired[0].connection), (1, connection));
    let job = firing.fired[0].job;
    assert_eq!(fixture.count(&format!("sync_job WHERE id = '{job}' AND sync_id = '{sync}'")).await, 1);
    assert_eq!(fixture.count("sync_job WHERE status = 'pending' AND NOT force_full_sync").await, 1);
    assert_eq!(fixture.count(&format!("outbox WHERE message->>'job_id' = '{job}'")).await, 1);
    let (next, now) = next_run(&fixture, connection).await;
    let next = next.unwrap();
    assert!(next > now && next - now <= TimeDelta::days(1));
    assert_eq!(next.format("%H:%M:%S%.f").to_string(), "03:30:00");
    assert_eq!((fire(&fixture).await, next_run(&fixture, idle).await.0), (Firing::default(), None));
}

#[tokio::test]
async fn what_was_missed_fires_once() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    make_due(&fixture, connection, DAILY, "3 days").await;
    let firing = fire(&fixture).await;
    assert!(firing.fired[0].lag.as_secs() >= 3 * 24 * 3600, "{firing:?}");
    fixture.test_database.arrange("UPDATE sync_job SET status = 'completed', job_end = 'acknowledged'").await;
    assert_eq!(fire(&fixture).await, Firing::default());
    let (next, now) = next_run(&fixture, connection).await;
    assert!(next.unwrap() > now && next.unwrap() - now <= TimeDelta::days(1));
}

#[tokio::test]
async fn a_due_time_is_skipped_while_a_job_is_active() {
    let fixture = Fixture::new().await;
    let (pending, _) = due_connection(&fixture).await;
    let (running, _) = due_connection(&fixture).await;
    let (cancelling, _) = due_connection(&fixture).await;
    fixture.pending_job(pending).await;
    fixture.running_job(running).await;
    let (job, _) = fixture.running_job(cancelling).await;
    fixture.database.cancel_job(cancelling, job).await.unwrap();
    let firing = fire(&fixture).await;
    assert_eq!((firing.fired.len(), firing.skipped.len()), (0, 3));
    assert!(firing.skipped.iter().all(|skipped| skipped.reason == SkipReason::JobActive));
    assert_eq!(fixture.count("sync_job").await, 3);
    for connection in [pending, running, cancelling] {
        let (next, now) = next_run(&fixture, connection).await;
        assert!(next.unwrap() > now);
    }
}

async fn end(fixture: &Fixture, connection: SourceConnectionId, outcome: JobOutcome) {
    let (job, owner) = fixture.running_job(connection).await;
    fixture.database.end_job(job, owner, outcome, JobCounts::default()).await.unwrap();
}

fn failed(category: Option<ErrorCategory>) -> JobOutcome {
    JobOutcome::Failed { error: "refused".to_owned(), category }
}

async fn replace_credentials(fixture: &Fixture, connection: SourceConnectionId) {
    let cipher = RowCipher::new([("k".to_owned(), [1; 32])]).unwrap();
    let secret = json!({"password": "x"}).as_object().unwrap().clone();
    let mut db = fixture.database.connection().await.unwrap();
    credentials::store(&mut db, &cipher, connection, &secret).await.unwrap();
}

#[tokio::test]
async fn refused_credentials_hold_a_schedule_back_until_they_are_replaced() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    replace_credentials(&fixture, connection).await;
    end(&fixture, connection, failed(Some(ErrorCategory::ApiKeyInvalid))).await;
    // Neither says anything about the credentials.
    end(&fixture, connection, failed(None)).await;
    let cancelled = fixture.pending_job(connection).await;
    fixture.database.cancel_job(connection, cancelled).await.unwrap();
    make_due(&fixture, connection, DAILY, "1 second").await;

    let held_back = SkippedSchedule { connection, reason: SkipReason::NeedsCredentials };
    assert_eq!(shown(&fixture, connection).await, None);
    assert_eq!(fire(&fixture).await, Firing { fired: vec![], skipped: vec![held_back] });
    assert_eq!(fire(&fixture).await, Firing::default(), "looked at once a due time");
    replace_credentials(&fixture, connection).await;
    assert_eq!(shown(&fixture, connection).await, next_run(&fixture, connection).await.0);
    make_due(&fixture, connection, DAILY, "1 second").await;
    assert_eq!(fire(&fixture).await.fired.len(), 1);
}

#[tokio::test]
async fn a_completed_job_ends_the_holding_back_and_other_failures_never_begin_it() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    replace_credentials(&fixture, connection).await;
    end(&fixture, connection, failed(None)).await;
    make_due(&fixture, connection, DAILY, "1 second").await;
    assert!(shown(&fixture, connection).await.is_some());
    end(&fixture, connection, failed(Some(ErrorCategory::ApiKeyInvalid))).await;
    assert_eq!(shown(&fixture, connection).await, None);
    end(&fixture, connection, JobOutcome::Completed { cursor: None }).await;
    assert!(shown(&fixture, connection).await.is_some());
    assert_eq!(fire(&fixture).await.fired.len(), 1);
}

#[tokio::test]
async fn an_unreadable_expression_never_fires_and_hurts_no_other() {
    let fixture = Fixture::new().await;
    let (broken, _) = fixture.connection().await;
    make_due(&fixture, broken, "every now and then", "1 hour").await;
    let (healthy, _) = due_connection(&fixture).await;
    let firing = fire(&fixture).await;
    assert_eq!(firing.skipped, [SkippedSchedule { connection: broken, reason: SkipReason::Unreadable }]);
    assert_eq!(firing.fired.iter().map(|fired| fired.connection).collect::<Vec<_>>(), [healthy]);
    assert_eq!(next_run(&fixture, broken).await.0, None);
    assert_eq!(fire(&fixture).await, Firing::default());
    let review = fixture.database.review_schedules(None, 10).await.unwrap();
    assert_eq!((review.planned, review.unreadable, review.next), (0, vec![broken], None));
}

#[tokio::test]
async fn schedules_without_a_next_run_get_one_page_by_page() {
    let fixture = Fixture::new().await;
    for _ in 0..5 {
        fixture.connection().await;
    }
    let (deleting, _) = fixture.connection().await;
    fixture.running_job(deleting).await;
    fixture.database.request(fixture.organization, Subject::Connection(deleting), fixture.requester()).await.unwrap();
    fixture.sql("UPDATE source_connection SET cron = '0 * * * *'").await;
    let (mut after, mut planned) = (None, Vec::new());
    loop {
        let review = fixture.database.review_schedules(after, 2).await.unwrap();
        planned.push(review.planned);
        after = review.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(planned, [2, 2, 1]);
    let planned = "source_connection WHERE next_run_at > clock_timestamp() AND deletion_requested_at IS NULL";
    assert_eq!((fixture.count(planned).await, next_run(&fixture, deleting).await.0), (5, None));
}

#[tokio::test]
async fn del_8_a_frozen_scheduler_gives_its_locks_up_before_a_deletion_gives_up_on_them() {
    let fixture = Fixture::new().await;
    due_connection(&fixture).await;
    fixture.sql("CREATE TABLE seen (idle text, lock text)").await;
    fixture
        .sql(
            "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO seen SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout');
             RETURN NULL; END $$",
        )
        .await;
    fixture.sql("CREATE TRIGGER look AFTER INSERT ON sync_job FOR EACH STATEMENT EXECUTE FUNCTION look()").await;
    assert_eq!(fire(&fixture).await.fired.len(), 1);
    assert_eq!(fixture.count("seen WHERE idle::interval < lock::interval").await, 1);
}

#[tokio::test]
async fn a_firing_that_fails_leaves_everything_as_it_was() {
    let fixture = Fixture::new().await;
    let (connection, _) = due_connection(&fixture).await;
    fixture.sql("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'on purpose'; END $$").await;
    fixture.sql("CREATE TRIGGER fail BEFORE INSERT ON outbox EXECUTE FUNCTION fail()").await;
    assert!(fixture.database.fire_schedules(100).await.is_err());
    let (next, now) = next_run(&fixture, connection).await;
    assert!(next.unwrap() < now, "still due");
    assert_eq!(fixture.count("sync_job").await, 0);
    fixture.sql("DROP TRIGGER fail ON outbox").await;
    assert_eq!(fire(&fixture).await.fired.len(), 1);
}
