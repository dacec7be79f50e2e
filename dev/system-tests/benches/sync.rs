//! `make bench-sync`: how fast a sync writes, beside the official `vespa feed` of the same documents into the same kind
//! of server, what processor time each of them takes for a document, and what encryption of the blobs costs a sync.
//! They take turns on this machine.
//!
//! The sync does more: it makes the documents from a source, writes each entity's row twice, and a blob for each entity
//! and file. `vespa feed` reads a finished file. `make` puts the temporary folders into memory: on ext4 a new file
//! takes long where many were just removed, which is what rounds do to each other.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench panics, and talks to people"
)]

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::System;
use system_tests::api::ids_of;
use system_tests::process::{cpu_of, cpu_of_children};
use system_tests::vespa_cli::vespa;
use test_support::StandIn;

const ENTITIES: u32 = 20_000;
const ROUNDS: usize = 5;
/// How many of its documents a second a sync is to keep when its blobs are encrypted.
const ENCRYPTED_TARGET: f64 = 0.95;
/// How long the machine is looked at before each run.
const LOOK: Duration = Duration::from_millis(500);
/// How long one job may take.
const BOUND: Duration = Duration::from_mins(3);
/// Clock ticks a second of /proc, on every Linux there is.
const TICKS: f64 = 100.0;

/// What one way of writing took for its documents.
#[derive(Debug, Clone, Copy)]
struct Taken {
    documents: f64,
    seconds: f64,
    cpu_seconds: f64,
}

impl Taken {
    fn rate(self) -> f64 {
        self.documents / self.seconds
    }

    /// Microseconds of processor time for each document.
    fn cpu(self) -> f64 {
        self.cpu_seconds * 1e6 / self.documents
    }
}

fn main() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(bench());
}

async fn bench() {
    let folder = tempfile::tempdir().unwrap();
    let feed = folder.path().join("feed.jsonl");
    let (mut ours, mut plain, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        // Each comes first in every second round.
        for is_encrypted in [round % 2 == 1, round % 2 == 0] {
            let busy = cores_busy();
            let taken = sync(&feed, is_encrypted).await;
            print(round, if is_encrypted { "sync" } else { "plain sync" }, taken, busy);
            if is_encrypted { &mut ours } else { &mut plain }.push(taken);
        }
        let busy = cores_busy();
        let taken = vespa_feed(&feed, ours[round - 1].documents).await;
        print(round, "vespa feed", taken, busy);
        theirs.push(taken);
    }
    let rates = median_of(&ours, &theirs, |ours, theirs| ours.rate() / theirs.rate());
    let cpus = median_of(&ours, &theirs, |ours, theirs| ours.cpu() / theirs.cpu());
    let (rate, cpu) = (median(ours.iter().map(|taken| taken.rate())), median(ours.iter().map(|taken| taken.cpu())));
    println!("{ENTITIES} entities of `stub`, raw blobs and rows included; medians of {ROUNDS} rounds:");
    println!("sync: {rate:.0} documents/s, {cpu:.0} µs of processor time a document");
    let encrypted = median_of(&ours, &plain, |ours, plain| ours.rate() / plain.rate());
    let encrypted_cpu = median_of(&ours, &plain, |ours, plain| ours.cpu() / plain.cpu());
    let verdict = if encrypted >= ENCRYPTED_TARGET { "reached" } else { "MISSED" };
    println!(
        "with its blobs encrypted: {encrypted:.3} times the documents/s of ARF_ENCRYPTION=off, {encrypted_cpu:.3} times \
         its processor time a document (target {ENCRYPTED_TARGET}: {verdict})"
    );
    println!("beside `vespa feed`: {rates:.2} times its documents/s, {cpus:.2} times its processor time a document");
}

fn print(round: usize, what: &str, taken: Taken, busy: f64) {
    println!(
        "round {round}: {what:10} {:>6.0} documents, {:>6.0} documents/s, {:>5.0} µs of processor time each; before it \
         others kept {busy:.1} cores busy",
        taken.documents,
        taken.rate(),
        taken.cpu(),
    );
}

/// One job on a system of its own. The first one leaves its documents as a feed.
async fn sync(feed: &Path, is_encrypted: bool) -> Taken {
    let encryption = if is_encrypted { "on" } else { "off" };
    let system = System::for_bench(&[("ARF_ENCRYPTION", encryption)]).await;
    let gateway = system.gateway().await;
    let worker = system.sync_worker().await;
    let collection = gateway.api.create_collection().await;
    let before = cpu_of(&worker.service);
    let (_, sync) = ids_of(&gateway.api.create_stub(&collection, ENTITIES, 1).await);
    let seconds = seconds_of_job(&system).await;
    let cpu_seconds = cpu_of(&worker.service) - before;
    let documents = f64::from(u32::try_from(system.holdings(&sync).await.documents).unwrap());
    if !feed.exists() {
        export(&system.vespa, feed);
    }
    Taken { documents, seconds, cpu_seconds }
}

/// How long the one job took. Asked for so rarely that the asking costs nothing beside the job.
async fn seconds_of_job(system: &System) -> f64 {
    let times = "SELECT extract(epoch FROM completed_at - started_at)::float8 FROM sync_job WHERE status = 'completed'";
    let sql = system.sql().await;
    let deadline = Instant::now() + BOUND;
    loop {
        if let Some(row) = sql.query_opt(times, &[]).await.unwrap() {
            return row.get(0);
        }
        assert!(Instant::now() < deadline, "the job has not completed within {BOUND:?}");
        tokio::time::sleep(LOOK).await;
    }
}

fn export(server: &StandIn, feed: &Path) {
    let mut visit = vespa(server, &["visit", "--make-feed"]);
    assert!(visit.stdout(File::create(feed).unwrap()).status().unwrap().success(), "{visit:?}");
}

async fn vespa_feed(feed: &Path, documents: f64) -> Taken {
    let server = StandIn::spawn().await;
    let mut command = vespa(&server, &["feed", feed.to_str().unwrap()]);
    let (began, before) = (Instant::now(), cpu_of_children());
    let output = command.output().unwrap();
    let (seconds, cpu_seconds) = (began.elapsed().as_secs_f64(), cpu_of_children() - before);
    assert!(output.status.success(), "{command:?}: {output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["feeder.ok.count"].as_f64(), Some(documents), "{told}");
    Taken { documents, seconds, cpu_seconds }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median of the rounds' own ratios: what else the machine does is the same for both sides of a round.
fn median_of(ours: &[Taken], theirs: &[Taken], ratio: fn(Taken, Taken) -> f64) -> f64 {
    median(ours.iter().zip(theirs).map(|(ours, theirs)| ratio(*ours, *theirs)))
}

/// How many cores other programs keep busy, while nothing of this bench runs.
fn cores_busy() -> f64 {
    let before = machine_seconds();
    std::thread::sleep(LOOK);
    (machine_seconds() - before) / LOOK.as_secs_f64()
}

/// Processor time of the whole machine: without idling, waiting for disks, and guests, which count as users already.
fn machine_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let fields: Vec<f64> =
        stat.lines().next().unwrap().split_whitespace().skip(1).map(|n| n.parse().unwrap()).collect();
    [0, 1, 2, 5, 6, 7].into_iter().map(|at: usize| fields[at]).sum::<f64>() / TICKS
}
