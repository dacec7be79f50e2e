//! Gateways that die between D1 and D3, and clients that hang up.

use std::time::Duration;

use shared_models::Facts as _;
use shared_models::invariant::facts::Bounded;
use system_tests::{Gateway, System, Worker, api::ids_of, fast_times};
use test_support::{Fault, Leftover, wait_until};

/// A deletion between D1 and D3: the worker is frozen, so D2 lasts until its lease has run out.
struct InBetween {
    gateway: Gateway,
    worker: Worker,
    // After the services, which need it to their end.
    system: System,
    id: String,
    sync: String,
    deleting: tokio::task::JoinHandle<Result<system_tests::Answer, reqwest::Error>>,
}

impl InBetween {
    async fn start() -> Self {
        let system = System::new(&fast_times()).await;
        let gateway = system.gateway().await;
        let worker = system.sync_worker().await;
        let collection = gateway.api.create_collection().await;
        let connection = gateway.api.create_timed(&collection, 5000, 120.0).await;
        let (id, sync) = ids_of(&connection);
        system.wait_until_writing(&gateway.api, &id, &sync).await;
        system.expects.fault(Fault::ProcessLost);
        worker.service.stop();
        let deleting = tokio::spawn({
            let (api, path) = (gateway.api.clone(), format!("/source-connections/{id}"));
            async move { api.send(reqwest::Method::DELETE, &path, None).await }
        });
        system.wait_for_request().await;
        assert_eq!(system.count("cleanup").await, 0, "D3 is still to come");
        Self { system, gateway, worker, id, sync, deleting }
    }

    /// The deletion ends, whoever ends it.
    async fn ends(&self) {
        wait_until("the deletion is finished", Duration::from_secs(30), async || {
            self.system.count("source_connection").await == 0
        })
        .await;
        let _cleanup_worker = self.system.cleanup_worker().await;
        self.system.wait_for_cleanups(1).await;
        self.system.assert_gone(&self.sync).await;
        assert_eq!(self.system.rows_naming(&[&self.id, &self.sync]).await.values().sum::<i64>(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn del_5_a_gateway_killed_between_d1_and_d3_is_finished_by_the_next_one() {
    let mut between = InBetween::start().await;
    between.system.expects.fault(Fault::ProcessLost);
    between.gateway.service.kill();
    let _gone = between.deleting.await;
    let _next = between.system.gateway().await;
    // The worker never comes back either.
    between.system.expects.fault(Fault::ProcessLost);
    between.worker.service.kill();
    wait_until("the deletion is finished", Duration::from_secs(30), async || {
        between.system.count("source_connection").await == 0
    })
    .await;
    let _cleanup_worker = between.system.cleanup_worker().await;
    between.system.wait_for_cleanups(1).await;
    between.system.assert_gone(&between.sync).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn del_5_sigterm_waits_for_the_open_deletion_and_its_client_gets_the_answer() {
    let mut between = InBetween::start().await;
    let status = between.gateway.service.terminate(Duration::from_secs(25)).await;
    assert!(status.success(), "{status:?}: {}", between.gateway.service.log());
    let answer = (&mut between.deleting).await.unwrap().expect("the client got its answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(between.system.count("source_connection").await, 0, "finished before the process ended");
    // No gateway is left to publish anything.
    between.system.rest.may_leave([Leftover::Outbox]);
    between.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn del_5_a_client_that_hangs_up_stops_nothing() {
    let between = InBetween::start().await;
    between.deleting.abort();
    between.worker.service.cont();
    between.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn del_8_delete_is_answered_within_the_bound_while_every_worker_is_frozen() {
    let mut between = InBetween::start().await;
    between.system.rest.may_leave(Leftover::OF_CLEANUPS);
    let answer = (&mut between.deleting).await.unwrap().unwrap();
    let system = &between.system;
    assert_eq!(answer.status, 200, "{}", answer.body);
    // fast_times: ttl + guard is 6 s, the bound 7 s.
    assert!(answer.took >= Duration::from_secs(4), "not before the lease has run out: {:?}", answer.took);
    Bounded { waited: answer.took, bound: Duration::from_millis(7_500) }.check().unwrap();
    assert_eq!(system.count("cleanup WHERE writer_end = 'lease'").await, 1);
}
