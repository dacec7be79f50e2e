//! `make bench-delete`: the time from DELETE to its answer while a sync is running, and, in the same run, for a
//! connection that is idle. With the protocol's real times; the target is a median of at most 300 ms.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench panics, and talks to people"
)]

use std::time::Duration;

use system_tests::{System, api::ids_of, metric};

const RUNS: usize = 20;
const TARGET: Duration = Duration::from_millis(300);

/// Whether a sync was running when DELETE came.
#[derive(Clone, Copy, PartialEq)]
enum Case {
    Running,
    Idle,
}

fn main() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(bench());
}

async fn bench() {
    let system = System::for_bench(&[("SETTLE_DELAY", "1s")]).await;
    let gateway = system.gateway().await;
    let (_sync_worker, _cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
    let collection = gateway.api.create_collection().await;
    let (mut running, mut idle) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        running.push(one(&system, &gateway.api, &collection, Case::Running).await);
        idle.push(one(&system, &gateway.api, &collection, Case::Idle).await);
    }
    let acknowledged = metric(&gateway.admin_url, "unweave_deletion_wait_seconds_sum").await
        / metric(&gateway.admin_url, "unweave_deletion_wait_seconds_count").await.max(1.0);
    show("timed (1 000 entities) is running", &mut running);
    show("nothing is running", &mut idle);
    println!("mean time from D1 to the stop acknowledgement: {:.1} ms", acknowledged * 1000.0);
    let (median, median_idle) = (running[RUNS / 2], idle[RUNS / 2]);
    println!("running / idle, medians: {:.1}", median.as_secs_f64() / median_idle.as_secs_f64());
    let verdict = if median <= TARGET { "met" } else { "MISSED" };
    println!("target: median at most {} ms while running: {verdict}", TARGET.as_millis());
}

async fn one(system: &System, api: &system_tests::Api, collection: &str, case: Case) -> Duration {
    let connection = match case {
        Case::Running => api.create_timed(collection, 1000, 20.0).await,
        Case::Idle => api.create_stub(collection, 50, 1).await,
    };
    let (id, sync) = ids_of(&connection);
    match case {
        Case::Running => system.wait_until_writing(api, &id, &sync).await,
        Case::Idle => system.wait_for_job(api, &id, "completed").await,
    }
    let deleted = api.delete(&format!("/source-connections/{id}")).await;
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    assert_eq!(deleted.body["status"] == "syncing", case == Case::Running, "{}", deleted.body);
    deleted.took
}

fn show(case: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "DELETE to answer, {case}, {} runs: median {:.1} ms, min {:.1} ms, p95 {:.1} ms, max {:.1} ms",
        times.len(),
        ms(times[times.len() / 2]),
        ms(times[0]),
        ms(times[times.len() * 95 / 100]),
        ms(times[times.len() - 1]),
    );
}
