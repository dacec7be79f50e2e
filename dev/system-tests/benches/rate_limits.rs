//! `make bench-limits`: what counting a request costs. The same request, one after the other and 16 at once, for an
//! organization without a limit (which isn't counted), for one below its limit, and for one above it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench panics, and talks to people"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use system_tests::{Api, System};
use tokio::task::JoinSet;

/// Fewer than the 250 of plan `team`, so that none is refused.
const REQUESTS: usize = 240;
const ROUNDS: usize = 8;
const AT_ONCE: usize = 16;

fn main() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(bench());
}

async fn bench() {
    let system = System::for_bench(&[]).await;
    let gateway = system.gateway().await;
    let api = &gateway.api;
    let plan = async |plan: &str, counted: &str| {
        let set = format!("UPDATE organization SET plan = '{plan}'; {counted}");
        system.database.execute(&set).await;
    };
    // The route does nothing else with the database.
    for at_once in [1, AT_ONCE] {
        let mut cases = [("no limit", Vec::new()), ("counted", Vec::new()), ("refused", Vec::new())];
        for _ in 0..ROUNDS {
            plan("enterprise", "").await;
            cases[0].1.extend(ask(api, at_once, 200).await);
            plan("team", "TRUNCATE rate_limit").await;
            cases[1].1.extend(ask(api, at_once, 200).await);
            plan("developer", "").await;
            cases[2].1.extend(ask(api, at_once, 429).await);
        }
        for (case, times) in &mut cases {
            show(&format!("{case}, {at_once} at once"), times);
        }
    }
}

/// Sends the requests, each of which must be answered so; how long each took.
async fn ask(api: &Api, at_once: usize, status: u16) -> Vec<Duration> {
    let api = Arc::new(api.clone());
    let mut clients = JoinSet::new();
    for _ in 0..at_once {
        let api = Arc::clone(&api);
        clients.spawn(async move {
            let mut times = Vec::new();
            for _ in 0..REQUESTS / at_once {
                let began = Instant::now();
                assert_eq!(api.get("/sources/timed").await.status, status);
                times.push(began.elapsed());
            }
            times
        });
    }
    clients.join_all().await.into_iter().flatten().collect()
}

fn show(case: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let ms = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1000.0;
    println!("{case:22} {} requests: median {:.2} ms, p95 {:.2} ms, p99 {:.2} ms", times.len(), ms(50), ms(95), ms(99));
}
