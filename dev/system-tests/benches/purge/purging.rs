//! A system in which a purge is measured, and the rows by which it is asked for.

use std::path::Path;
use std::time::{Duration, Instant};

use shared_models::Message;
use system_tests::{System, Worker};
use test_support::{Fault, StandIn};
use uuid::Uuid;

/// How often it is looked whether a purge is done: rarely enough to cost nothing.
pub const LOOK: Duration = Duration::from_millis(200);
const BELL: Duration = Duration::from_secs(20);

/// A system over a copy of the corpus, without services.
pub async fn system(corpus: &Path, settings: &[(&str, &str)]) -> System {
    let mut system = System::for_bench(settings).await;
    system.vespa = StandIn::over(corpus).await;
    // The bench may kill services, and the machine may be busy.
    system.expects.fault(Fault::ProcessLost);
    system
}

/// Asks for the purge of a sync that has no row, and rings for it as the gateway does.
pub async fn request_and_ring(system: &System, worker: &Worker, sync: Uuid) {
    // The consumer makes the queue.
    worker.service.wait_until_logged("the consumer is connected to the broker", BELL).await;
    let cleanup_id = system.request_cleanup(sync).await;
    let bell = Message::CleanupRequested { cleanup_id }.encode();
    assert!(system.broker().publish_raw("", "cleanup.requests", &bell, &[]).await);
}

/// Waits until so many purges are done.
pub async fn done(system: &System, receipts: i64, bound: Duration) {
    let sql = system.sql().await;
    let began = Instant::now();
    loop {
        let row = sql.query_one("SELECT count(*) FROM receipt", &[]).await.unwrap();
        if row.get::<_, i64>(0) >= receipts {
            return;
        }
        assert!(began.elapsed() < bound, "{} of {receipts} purges are done after {bound:?}", row.get::<_, i64>(0));
        tokio::time::sleep(LOOK).await;
    }
}
