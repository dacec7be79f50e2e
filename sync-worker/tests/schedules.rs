//! Schedules fired by real workers, of which some die or stand still in mid-firing.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use shared_sources::Source;
use test_support::{Fault, Leftover, wait_until};
use tokio_postgres::Client;

use crate::stage::{BOUND, Connection, Stage, Worker};

/// Makes the victim wait inside its transaction, jobs inserted and not committed, while a test holds the gate.
const GATE: &str = "
    CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF current_setting('application_name') = 'victim' THEN PERFORM pg_advisory_xact_lock(1); END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER gate AFTER INSERT ON sync_job FOR EACH STATEMENT EXECUTE FUNCTION gate()";

/// All are due at one instant, the beginning of this minute.
const DUE: &str = "UPDATE source_connection SET next_run_at = date_trunc('minute', clock_timestamp())";
const STILL_DUE: &str = "SELECT count(*) FROM source_connection WHERE next_run_at <= clock_timestamp()";

/// Makes connections with a schedule that isn't due yet, nor becomes so by itself while a test runs.
async fn scheduled(stage: &Stage, count: usize) {
    let config = Source::Stub.check_config(json!({"entity_count": 1}).as_object().unwrap(), None);
    let config = Value::Object(config.unwrap());
    let sql = format!(
        "INSERT INTO organization (id, name) VALUES (gen_random_uuid(), 'Test');
         INSERT INTO collection (id, organization_id, name, readable_id)
         SELECT gen_random_uuid(), id, 'Test', 'test' FROM organization;
         INSERT INTO source_connection (id, organization_id, collection_id, short_name, name, config, auth_method,
                                        is_authenticated, cron, next_run_at)
         SELECT gen_random_uuid(), organization_id, id, 'stub', 'Test', '{config}', 'direct', true,
                '0 3 29 2 *', clock_timestamp() + interval '1 day'
         FROM collection, generate_series(1, {count});
         INSERT INTO sync (id, source_connection_id) SELECT gen_random_uuid(), id FROM source_connection"
    );
    stage.rows.execute(&sql).await;
}

/// A worker whose sessions have this name.
async fn named_worker(stage: &Stage, name: &str) -> Worker {
    let url = format!("{}?application_name={name}", stage.rows.url);
    stage.worker_with(&[("DATABASE_URL", &url), ("SCHEDULER_INTERVAL", "200ms"), ("MAX_JOBS", "1")]).await
}

/// Makes `count` schedules due, and waits until the victim is in mid-firing while `others` schedules or more have been
/// fired by others. What is returned lets it go on when it is dropped.
async fn wait_for_mid_firing(stage: &Stage, count: usize, others: i64) -> Client {
    scheduled(stage, count).await;
    stage.rows.execute(GATE).await;
    let gate = stage.rows.client().await;
    gate.batch_execute("SELECT pg_advisory_lock(1)").await.unwrap();
    stage.rows.execute(DUE).await;
    let inside = format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'victim' AND wait_event = 'advisory'
           AND (SELECT count(*) FROM sync_job) >= {others}"
    );
    wait_until("the victim is in mid-firing", BOUND, async || stage.rows.count(&inside).await > 0).await;
    gate
}

/// Each schedule made one job with one message, and is due again, all at one later time.
async fn assert_fired_once_each(stage: &Stage, count: i64) {
    let once = "SELECT count(*) FROM sync s WHERE (SELECT count(*) FROM sync_job j WHERE j.sync_id = s.id) = 1";
    assert_eq!(stage.rows.count(once).await, count);
    assert_eq!(stage.rows.count("SELECT count(*) FROM sync_job").await, count);
    let messages = "SELECT count(DISTINCT message->>'job_id') FROM outbox WHERE message->>'type' = 'RunSync'";
    assert_eq!(stage.rows.count(messages).await, count);
    assert_eq!(stage.rows.count("SELECT count(*) FROM outbox").await, count);
    let times = "SELECT count(DISTINCT next_run_at) FROM source_connection WHERE next_run_at > clock_timestamp()";
    assert_eq!(stage.rows.count(times).await, 1);
}

#[tokio::test]
async fn a_thousand_schedules_due_at_one_time_fire_once_each_though_a_worker_is_killed_in_mid_firing() {
    let stage = Stage::new().await;
    let mut victim = named_worker(&stage, "victim").await;
    let _others = [named_worker(&stage, "second").await, named_worker(&stage, "third").await];
    let gate = wait_for_mid_firing(&stage, 1_000, 1).await;
    stage.expects.fault(Fault::ProcessLost);
    victim.service.kill();
    let left = stage.rows.count(STILL_DUE).await;
    assert!((1..1_000).contains(&left), "killed in the middle: {left} were still due");
    drop(gate);
    wait_until("nothing is due", BOUND, async || stage.rows.count(STILL_DUE).await == 0).await;
    assert_fired_once_each(&stage, 1_000).await;
}

#[tokio::test]
async fn a_worker_frozen_in_mid_firing_holds_nothing_up_and_fires_nothing_when_it_wakes() {
    let stage = Stage::new().await;
    let (victim, other) = (named_worker(&stage, "victim").await, named_worker(&stage, "second").await);
    let gate = wait_for_mid_firing(&stage, 300, 1).await;
    stage.expects.fault(Fault::ProcessLost);
    victim.service.stop();
    drop(gate);
    // PostgreSQL ends a transaction that stays idle for a second; then the other worker finds the rows free.
    wait_until("nothing is due", BOUND, async || stage.rows.count(STILL_DUE).await == 0).await;
    victim.service.cont();
    wait_until("the victim has noticed", BOUND, async || {
        let failed = "unweave_driver_runs_total{task=\"scheduler\",outcome=\"failed\"}";
        victim.metric(failed).await >= 1.0
    })
    .await;
    assert_fired_once_each(&stage, 300).await;
    let fired = async |worker: &Worker| worker.metric("unweave_schedules_fired_total").await;
    assert_eq!((fired(&victim).await, fired(&other).await), (0.0, 300.0));
}

#[tokio::test]
async fn sigterm_ends_a_worker_in_mid_firing_and_loses_nothing() {
    let stage = Stage::new().await;
    let mut victim = named_worker(&stage, "victim").await;
    let gate = wait_for_mid_firing(&stage, 300, 0).await;
    victim.service.signal(Signal::TERM);
    drop(gate);
    assert!(victim.service.exited(Duration::from_secs(30)).await.success(), "{}", victim.service.tail());
    let left = stage.rows.count(STILL_DUE).await;
    assert!(left >= 200, "it doesn't begin another batch: {left} are still due");
    let _other = named_worker(&stage, "second").await;
    wait_until("nothing is due", BOUND, async || stage.rows.count(STILL_DUE).await == 0).await;
    assert_fired_once_each(&stage, 300).await;
}

async fn set_due(stage: &Stage, connection: Connection, cron: &str, when: &str) {
    let sql = format!(
        "UPDATE source_connection SET cron = '{cron}', next_run_at = clock_timestamp() + interval '{when}'
         WHERE id = '{}'",
        connection.id
    );
    stage.rows.execute(&sql).await;
}

#[tokio::test]
async fn a_schedule_fires_on_time_and_its_job_runs_without_gateway_and_broker() {
    let stage = Stage::new().await;
    let connection = stage.connection("stub", json!({"entity_count": 5})).await;
    set_due(&stage, connection, "0 3 29 2 *", "10 seconds").await;
    // Longer than this test may take: the worker must know by itself when to look.
    let worker = stage.worker_with(&[("SCHEDULER_INTERVAL", "1m")]).await;
    assert_eq!(stage.rows.count("SELECT count(*) FROM sync_job").await, 0, "the worker started before it was due");
    stage.expects.fault(Fault::RabbitMqAway);
    stage.broker.delete_queue("sync.jobs").await;
    let completed = "SELECT count(*) FROM sync_job WHERE status = 'completed' AND entities_inserted = 5";
    wait_until("the scheduled job has completed", BOUND, async || stage.rows.count(completed).await == 1).await;
    assert_eq!(worker.metric("unweave_schedules_fired_total").await, 1.0);
    assert_eq!(worker.metric("unweave_schedule_lag_seconds_count").await, 1.0);
    stage.assert_consistent(connection).await;
}

#[tokio::test]
async fn what_cannot_fire_is_counted_and_an_unreadable_schedule_is_logged_once() {
    let stage = Stage::new().await;
    let [broken, unplanned, busy] = [
        stage.connection("stub", json!({})).await,
        stage.connection("stub", json!({})).await,
        stage.connection("timed", json!({"duration_seconds": 100.0})).await,
    ];
    stage.expects.event("the cron expression can't be read; it never runs");
    set_due(&stage, broken, "now and then", "-1 hour").await;
    stage.rows.execute(&format!("UPDATE source_connection SET cron = '@daily' WHERE id = '{}'", unplanned.id)).await;
    let worker = stage.worker_with(&[("SCHEDULER_INTERVAL", "100ms")]).await;
    let planned = format!(
        "SELECT count(*) FROM source_connection WHERE id = '{}' AND next_run_at > clock_timestamp()",
        unplanned.id
    );
    wait_until("the schedule from before is planned", BOUND, async || stage.rows.count(&planned).await == 1).await;
    stage.run(busy).await;
    stage.rest.may_leave([Leftover::Jobs]);
    stage.wait_for_entities(busy, 1).await;
    set_due(&stage, busy, "0 3 29 2 *", "0 seconds").await;
    let skipped =
        async |reason: &str| worker.metric(&format!("unweave_schedules_skipped_total{{reason=\"{reason}\"}}")).await;
    wait_until("the busy one is skipped", BOUND, async || skipped("job_active").await == 1.0).await;
    assert_eq!((skipped("unreadable").await, worker.logged("can't be read")), (1.0, 1));
    assert_eq!(stage.rows.count("SELECT count(*) FROM sync_job").await, 1);
}
