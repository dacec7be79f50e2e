//! `make bench-deletes`: DELETEs of idle connections a second, beside pgbench with the gateway's own statements as
//! plain SQL, look-up of the key and snapshot of the answer included; on the same server, with as many clients, without
//! cleanup-workers. The script is made from what the gateway sends. Rounds take turns, so that what else the machine
//! does meets both. The clients that send DELETEs are about as lean as pgbench's: they share the machine.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench panics, and talks to people"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::script::{self, Recorded};
use system_tests::{Api, Gateway, System, api::ids_of, copies, postgres_program};
use test_support::{CountingProxy, wait_until};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const ROUNDS: usize = 5;
const CLIENTS: usize = 8;
const EACH: usize = 250;
const DELETES: usize = CLIENTS * EACH;
/// Which part of plain SQL's rate the gateway is to reach.
const TARGET: f64 = 0.7;
const BOUND: Duration = Duration::from_secs(60);

fn main() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(bench());
}

async fn bench() {
    let system = System::for_bench(&[]).await;
    let (script, statements) = record(&system).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("delete.sql");
    std::fs::write(&file, &script).unwrap();
    println!("{statements} statements a deletion; {CLIENTS} clients, {DELETES} deletions a round:\n{script}");

    let gateway = system.gateway().await;
    let collection = gateway.api.create_collection().await;
    let original = stub(&gateway.api, &collection).await;
    copies::make(&system.database, 0..DELETES * (2 * ROUNDS + 1)).await;
    let mut rounds = 0..;
    let mut next = || rounds.next().unwrap() * DELETES;
    gateway_round(&system, &gateway, next()).await;
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let first = next();
        ours.push(gateway_round(&system, &gateway, first).await);
        gateway.service.stop();
        plain.push(pgbench(&system, &file, next()).await);
        gateway.service.cont();
        let (ours, plain) = (ours[round - 1], plain[round - 1]);
        println!("round {round}: gateway {ours:.0}/s, plain SQL {plain:.0}/s, ratio {:.2}", ours / plain);
    }
    assert_eq!(gateway.api.get(&format!("/source-connections/{}", ids_of(&original).0)).await.status, 200);
    let mut ratios: Vec<f64> = ours.iter().zip(&plain).map(|(ours, plain)| ours / plain).collect();
    let (ours, plain, ratio) = (median(&mut ours), median(&mut plain), median(&mut ratios));
    let verdict = if ratio >= TARGET { "met" } else { "MISSED" };
    println!("medians of {ROUNDS} rounds: gateway {ours:.0} DELETEs/s, plain SQL {plain:.0}/s");
    println!("ratio, median: {ratio:.2}; target {TARGET}: {verdict}");
}

async fn stub(api: &Api, collection: &str) -> serde_json::Value {
    let body = json!({
        "short_name": "stub", "readable_collection_id": collection,
        "authentication": {"credentials": {"stub_key": "k"}}, "sync_immediately": false,
    });
    api.post("/source-connections", body).await.ok()
}

/// What a warm gateway sends for one DELETE, as a script.
async fn record(system: &System) -> (String, usize) {
    let proxy = CountingProxy::start(&system.database.url).await;
    let settings = [("DATABASE_URL", proxy.url.as_str()), ("DATABASE_POOL_SIZE", "2"), ("FINISHER_INTERVAL", "1h")];
    let gateway = system.gateway_with(&settings).await;
    let collection = gateway.api.create_collection().await;
    system.database.hold_up_relays().await;
    let mut recorded = Vec::new();
    for _ in 0..4 {
        let (connection, sync) = ids_of(&stub(&gateway.api, &collection).await);
        proxy.reset();
        assert_eq!(gateway.api.delete(&format!("/source-connections/{connection}")).await.status, 200);
        recorded.push(Recorded { trips: proxy.round_trips(), connection, sync });
    }
    assert!(system.database.are_relays_held_up().await, "what was recorded is the request's alone");
    let script = script::from_two(&system.database.client().await, &recorded[2], &recorded[3]).await;
    drop(gateway);
    system.database.let_relays_go().await;
    script
}

/// A client with one connection that is kept open. It reads no more of an answer than where it ends.
struct LeanClient {
    stream: BufReader<TcpStream>,
    key: String,
}

impl LeanClient {
    async fn connect(api: &Api) -> Self {
        let stream = TcpStream::connect(api.url.trim_start_matches("http://")).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), key: api.key.clone() }
    }

    async fn delete(&mut self, path: &str) {
        let request = format!("DELETE {path} HTTP/1.1\r\nhost: bench\r\nx-api-key: {}\r\n\r\n", self.key);
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let (mut line, mut length) = (String::new(), 0);
        self.stream.read_line(&mut line).await.unwrap();
        assert!(line.starts_with("HTTP/1.1 200 "), "{path}: {line}");
        while line != "\r\n" {
            line.clear();
            self.stream.read_line(&mut line).await.unwrap();
            if let Some(told) = line.strip_prefix("content-length: ") {
                length = told.trim().parse().unwrap();
            }
        }
        assert!(length > 0, "{path}: an answer without a length");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
    }
}

/// DELETEs a second by way of the gateway.
async fn gateway_round(system: &System, gateway: &Gateway, first: usize) -> f64 {
    let number = Arc::new(AtomicUsize::new(first));
    let mut clients = JoinSet::new();
    let began = Instant::now();
    for _ in 0..CLIENTS {
        let (api, number) = (gateway.api.clone(), Arc::clone(&number));
        clients.spawn(async move {
            let mut client = LeanClient::connect(&api).await;
            for _ in 0..EACH {
                let number = number.fetch_add(1, Ordering::Relaxed);
                client.delete(&format!("/source-connections/{}", copies::connection(number))).await;
            }
        });
    }
    clients.join_all().await;
    let took = began.elapsed();
    wait_until("the relay has nothing to do", BOUND, async || {
        system.count("outbox WHERE published_at IS NULL").await == 0
    })
    .await;
    rate(took)
}

fn rate(took: Duration) -> f64 {
    f64::from(u32::try_from(DELETES).unwrap()) / took.as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// PostgreSQL's own bench: deletions a second in plain SQL.
async fn pgbench(system: &System, script: &Path, first: usize) -> f64 {
    let gone = "cleanup";
    let before = system.count(gone).await;
    let mut command = postgres_program("pgbench");
    command.args(["--no-vacuum", "--protocol=prepared", "--file"]).arg(script);
    for (option, value) in [("--client", CLIENTS), ("--jobs", 2), ("--transactions", EACH)] {
        command.arg(format!("{option}={value}"));
    }
    for (name, value) in [("i", 0), ("first", first), ("each", EACH)] {
        command.arg(format!("--define={name}={value}"));
    }
    let output = command.arg(&system.database.url).output().await.unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    let done = system.count(gone).await - before;
    assert_eq!(usize::try_from(done).unwrap(), DELETES, "each run of the script deletes one connection");
    // Nobody publishes what the script left.
    system.database.execute("UPDATE outbox SET published_at = clock_timestamp() WHERE published_at IS NULL").await;
    let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    tps.unwrap_or_else(|| panic!("no rate in {said}"))
}
