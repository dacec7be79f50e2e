//! `make bench-reads`: requests per second and latencies of GET and LIST of source connections with 10 000 connections
//! in one organization, and where the processor time went. The client runs on the same machine and takes its share.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench panics, and talks to people"
)]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use system_tests::{Api, System, copies};

const CONNECTIONS: usize = 10_000;
const TIME: Duration = Duration::from_secs(8);
const WARM_UP: Duration = Duration::from_secs(1);
/// Clock ticks a second of /proc, on every Linux there is.
const TICKS: f64 = 100.0;

fn main() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(bench());
}

async fn bench() {
    let system = System::for_bench(&[]).await;
    let gateway = system.gateway().await;
    let collection = gateway.api.create_collection().await;
    let sample = gateway.api.create_stub(&collection, 10, 1).await;
    assert!(sample["id"].is_string());
    copies::make(&system.database, 0..CONNECTIONS - 1).await;
    let ids: Arc<Vec<String>> = Arc::new((0..CONNECTIONS - 1).map(copies::connection).collect());
    println!(
        "{CONNECTIONS} connections in one organization, {} entities and {} jobs each",
        copies::ENTITIES_EACH,
        copies::JOBS_EACH
    );
    let pid = gateway.service.pid().as_raw_nonzero().get();
    let get = move |number: usize| format!("/source-connections/{}", ids[number.wrapping_mul(7919) % ids.len()]);
    let first_page = |_| "/source-connections".to_owned();
    let last_page = |_| format!("/source-connections?skip={}&limit=100", CONNECTIONS - 100);
    let whole = |_| "/source-connections?limit=1000".to_owned();
    for concurrency in [1, 8, 32] {
        run("GET  one connection", pid, &gateway.api, concurrency, get.clone()).await;
        run("LIST first 100", pid, &gateway.api, concurrency, first_page).await;
        run("LIST last 100", pid, &gateway.api, concurrency, last_page).await;
        run("LIST first 1000", pid, &gateway.api, concurrency, whole).await;
    }
    run("GET  /health (no database)", pid, &gateway.api, 32, |_| "/health".to_owned()).await;
}

/// Asks with `concurrency` clients, each as soon as it was answered.
async fn run<F>(what: &str, gateway: i32, api: &Api, concurrency: usize, path: F)
where
    F: Fn(usize) -> String + Clone + Send + Sync + 'static,
{
    let number = Arc::new(AtomicUsize::new(0));
    ask(api, concurrency, WARM_UP, path.clone(), &number).await;
    let before = Cpu::now(gateway);
    let began = Instant::now();
    let mut times = ask(api, concurrency, TIME, path, &number).await;
    let took = began.elapsed().as_secs_f64();
    let cpu = Cpu::now(gateway).since(&before);
    times.sort_unstable();
    let ms = |share: usize| times[times.len() * share / 1000].as_secs_f64() * 1000.0;
    println!(
        "{what:26} {concurrency:>3} clients: {:>7.0} requests/s, p50 {:>6.2} ms, p99 {:>6.2} ms; cores: gateway {:.2}, \
         PostgreSQL {:.2}, client {:.2}",
        f64::from(u32::try_from(times.len()).unwrap()) / took,
        ms(500),
        ms(990),
        cpu.gateway / took,
        cpu.postgres / took,
        cpu.client / took,
    );
}

async fn ask<F>(api: &Api, concurrency: usize, time: Duration, path: F, number: &Arc<AtomicUsize>) -> Vec<Duration>
where
    F: Fn(usize) -> String + Clone + Send + Sync + 'static,
{
    let until = Instant::now() + time;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..concurrency {
        let (api, path, number) = (api.clone(), path.clone(), number.clone());
        clients.spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < until {
                let path = path(number.fetch_add(1, Ordering::Relaxed));
                let began = Instant::now();
                assert_eq!(api.get(&path).await.status, 200);
                times.push(began.elapsed());
            }
            times
        });
    }
    clients.join_all().await.into_iter().flatten().collect()
}

/// Processor time so far, seconds.
struct Cpu {
    gateway: f64,
    postgres: f64,
    client: f64,
}

impl Cpu {
    fn now(gateway: i32) -> Self {
        let mut cpu = Self { gateway: 0.0, postgres: 0.0, client: 0.0 };
        let own = i32::try_from(std::process::id()).unwrap();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            let Some((name, rest)) = stat.rsplit_once(')') else { continue };
            let fields: Vec<&str> = rest.split_whitespace().collect();
            let seconds: f64 = [11, 12].map(|at: usize| fields[at].parse::<f64>().unwrap()).iter().sum::<f64>() / TICKS;
            match pid {
                pid if pid == gateway => cpu.gateway += seconds,
                pid if pid == own => cpu.client += seconds,
                _ if name.ends_with("(postgres") => cpu.postgres += seconds,
                _ => {}
            }
        }
        cpu
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            gateway: self.gateway - before.gateway,
            postgres: self.postgres - before.postgres,
            client: self.client - before.client,
        }
    }
}
