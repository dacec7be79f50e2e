//! Workers that die or freeze in the middle of writing.

use std::time::Duration;

use serde_json::json;
use shared_models::Facts as _;
use shared_models::invariant::facts::Bounded;
use system_tests::{
    Gateway, System, Worker,
    api::{id_of, ids_of},
    fast_times, metric,
};
use test_support::{Fault, Leftover, wait_until};

struct Busy {
    gateway: Gateway,
    worker: Worker,
    // After the services, which need it to their end.
    system: System,
    collection: String,
    id: String,
    sync: String,
}

impl Busy {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let system = System::new(settings).await;
        let gateway = system.gateway().await;
        let worker = system.sync_worker().await;
        let collection = gateway.api.create_collection().await;
        let connection = gateway.api.create_stub(&collection, 50_000, 7).await;
        let (id, sync) = ids_of(&connection);
        system.wait_until_writing(&gateway.api, &id, &sync).await;
        Self { system, gateway, worker, collection, id, sync }
    }

    async fn delete(&self) -> system_tests::Answer {
        self.gateway.api.delete(&format!("/source-connections/{}", self.id)).await
    }

    async fn hits(&self) -> usize {
        self.gateway.api.search(&self.collection, "stub entity small medium large file code").await.len()
    }

    /// Lets the worker go on, and checks that nothing it does is ever found, and nothing of it stays.
    async fn thaw_and_check(&self, cleanups: i64) {
        self.worker.service.cont();
        // The zombie has ended its job for good when a fresh sync by the same worker is through.
        let other = self.gateway.api.create_collection().await;
        let probe = self.gateway.api.create_stub(&other, 5, 1).await;
        wait_until("the thawed worker is back at work", Duration::from_secs(60), async || {
            assert_eq!(self.hits().await, 0, "a late write was found by a search");
            self.gateway.api.last_job(&id_of(&probe)).await["status"] == "completed"
        })
        .await;
        wait_until("the zombie's job has ended", Duration::from_secs(60), async || {
            metric(&self.worker.admin_url, "unweave_sync_jobs_running").await == 0.0
        })
        .await;
        self.system.wait_for_cleanups(cleanups).await;
        assert_eq!(self.hits().await, 0);
        self.system.assert_gone(&self.sync).await;
        assert_eq!(self.system.rows_naming(&[&self.id, &self.sync]).await.values().sum::<i64>(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn del_8_a_worker_killed_in_mid_write_is_waited_out_within_15_s_and_nothing_stays() {
    // With the real times, since the 15 s are the contract.
    let mut busy = Busy::start(&[("SETTLE_DELAY", "2s")]).await;
    let _cleanup_worker = busy.system.cleanup_worker().await;
    busy.system.expects.fault(Fault::ProcessLost);
    busy.worker.service.kill();
    let deleted = busy.delete().await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    Bounded { waited: deleted.took, bound: Duration::from_secs(15) }.check().unwrap();
    assert_eq!(busy.system.count("cleanup WHERE writer_end = 'lease' AND state <> 'refused'").await, 1);
    busy.system.wait_for_cleanups(1).await;
    busy.system.assert_gone(&busy.sync).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn del_2_a_worker_frozen_in_mid_write_and_thawed_after_the_purge_leaves_nothing() {
    let busy = Busy::start(&fast_times()).await;
    let _cleanup_worker = busy.system.cleanup_worker().await;
    busy.system.expects.fault(Fault::ProcessLost);
    busy.worker.service.stop();
    let deleted = busy.delete().await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    busy.system.wait_for_cleanups(1).await;
    busy.system.assert_gone(&busy.sync).await;
    busy.thaw_and_check(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn del_2_a_worker_frozen_inside_a_database_statement_holds_nothing_up_and_leaves_nothing() {
    let busy = Busy::start(&fast_times()).await;
    let _cleanup_worker = busy.system.cleanup_worker().await;
    // Makes each insert of entity rows linger inside its transaction, with its locks held.
    let sql = busy.system.sql().await;
    sql.batch_execute(
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
         CREATE TRIGGER linger AFTER INSERT ON entity FOR EACH STATEMENT EXECUTE FUNCTION linger();",
    )
    .await
    .unwrap();
    wait_until("the worker is inside an insert", Duration::from_secs(30), async || {
        let query = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event = 'PgSleep' AND query ILIKE '%insert into%entity%'";
        sql.query_one(query, &[]).await.unwrap().get::<_, i64>(0) > 0
    })
    .await;
    busy.system.expects.fault(Fault::ProcessLost);
    busy.worker.service.stop();
    let deleted = busy.delete().await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    busy.system.wait_for_cleanups(1).await;
    // Statements of the fresh sync must not linger.
    sql.batch_execute("DROP TRIGGER linger ON entity").await.unwrap();
    busy.thaw_and_check(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_whose_worker_died_is_failed_by_the_reaper_and_repaired_by_the_next_run() {
    let mut busy = Busy::start(&fast_times()).await;
    busy.system.expects.fault(Fault::ProcessLost);
    busy.worker.service.kill();
    let _other = busy.system.sync_worker().await;
    busy.system.wait_for_job(&busy.gateway.api, &busy.id, "failed").await;
    assert_eq!(busy.gateway.api.last_job(&busy.id).await["error"], "worker lost");
    let run = busy.gateway.api.post(&format!("/source-connections/{}/run", busy.id), json!({})).await;
    assert_eq!(run.status, 200, "{}", run.body);
    busy.system.rest.may_leave([Leftover::Jobs]);
}
