//! Processor time of the cleanup-worker for its removals, beside `vespa feed` of the same ones, in turns. The worker
//! lists what it removes, and verifies twice that nothing is left; `vespa feed` reads a finished file.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::corpus::{self, Sized};
use system_tests::process;
use test_support::StandIn;
use uuid::Uuid;

use crate::corpora::Corpus;
use crate::purging;
use crate::table::{Scale, grouped, head, judged, median, number_as_f64, row};
use system_tests::vespa_cli::vespa;

const DOCUMENTS: u64 = 50_000;
const ROUNDS: usize = 5;
const MOST: f64 = 0.5;
const BOUND: Duration = Duration::from_mins(3);
/// Figures are for so many removals.
const UNIT: f64 = 10_000.0;

/// What one way of removing took.
#[derive(Debug, Clone, Copy)]
struct Taken {
    /// Seconds of processor time for [`UNIT`] removals.
    cpu: f64,
    /// Removals a second.
    rate: f64,
}

impl Taken {
    fn new(documents: u64, cpu: f64, seconds: f64) -> Self {
        let documents = number_as_f64(documents);
        Self { cpu: cpu * UNIT / documents, rate: documents / seconds }
    }

    fn shown(self) -> [String; 2] {
        [format!("{:.3}", self.cpu), format!("{:.0}", self.rate)]
    }
}

pub async fn measure(scale: Scale) {
    let sync = (Uuid::new_v4(), scale.of(DOCUMENTS));
    let corpus = Corpus::new(vec![sync], sync.1);
    let folder = tempfile::tempdir().unwrap();
    let feed = folder.path().join("removes.jsonl");
    write_removes(&feed, sync);
    let mut ratios = Vec::new();
    let mut rows = Vec::new();
    for round in 1..=ROUNDS {
        let (ours, theirs) = (purge(&corpus, sync).await, vespa_feed(&corpus, &feed, sync.1).await);
        ratios.push(ours.cpu / theirs.cpu);
        let cells = [ours.shown(), theirs.shown()].concat();
        rows.push([vec![round.to_string()], cells, vec![format!("{:.2}", ours.cpu / theirs.cpu)]].concat());
    }
    head(
        &format!("Processor seconds for 10 000 removals, of {} each", grouped(sync.1)),
        &["round", "cleanup-worker", "removals/s", "`vespa feed`", "removals/s", "ratio"],
    );
    rows.iter().for_each(|cells| row(cells));
    println!("\nMedian of the ratios: {}", judged(median(&ratios), 2, MOST));
}

fn write_removes(feed: &Path, (sync, documents): Sized) {
    let mut file = BufWriter::new(File::create(feed).unwrap());
    for id in corpus::ids(sync, documents) {
        writeln!(file, "{{\"remove\":\"{id}\"}}").unwrap();
    }
    file.flush().unwrap();
}

async fn purge(corpus: &Corpus, (sync, documents): Sized) -> Taken {
    let system = purging::system(corpus.folder(), &[("SETTLE_DELAY", "1s")]).await;
    let worker = system.cleanup_worker().await;
    let (began, before) = (Instant::now(), process::cpu_of(&worker.service));
    purging::request_and_ring(&system, &worker, sync).await;
    purging::done(&system, 1, BOUND).await;
    // The settle delay is waited for, not worked in.
    let seconds = began.elapsed().as_secs_f64() - 1.0;
    let cpu = process::cpu_of(&worker.service) - before;
    assert_eq!(system.holdings(&sync.to_string()).await.documents, 0);
    Taken::new(documents, cpu, seconds)
}

async fn vespa_feed(corpus: &Corpus, feed: &Path, documents: u64) -> Taken {
    let server = StandIn::over(corpus.folder()).await;
    let mut command = vespa(&server, &["feed", feed.to_str().unwrap()]);
    let (began, before) = (Instant::now(), process::cpu_of_children());
    let output = command.output().unwrap();
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), process::cpu_of_children() - before);
    assert!(output.status.success(), "{command:?}: {output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["feeder.ok.count"].as_u64(), Some(documents), "{told}");
    Taken::new(documents, cpu, seconds)
}
