//! A purge of a million documents and 100 000 encrypted blobs whose worker is killed three times: twice among the
//! documents, once among the blobs. Nothing may be left, and little be done twice.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use shared_models::{BlobKey, EntityKey, SyncId};
use shared_stores::ArfStore;
use shared_stores::arf::{BlobCipher, BlobForm};
use system_tests::corpus::mixed;
use system_tests::counted::Counted;
use system_tests::{System, Worker, process};
use url::Url;

use crate::corpora::Corpora;
use crate::purging;
use crate::table::{grouped, head, judged, number_as_f64, row};

const BLOBS: u64 = 100_000;
/// Bytes of each before it is encrypted.
const BLOB_BYTES: usize = 600;
const MOST_MIB: f64 = 64.0;
const BOUND: Duration = Duration::from_mins(20);
/// How often the progress is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// Short, so that a killed worker's claim runs out soon.
const SETTINGS: [(&str, &str); 3] = [("SETTLE_DELAY", "1s"), ("CLAIM_TTL", "6s"), ("CLAIM_RENEWAL", "1s")];
/// The default of `PURGE_SLICE`, in seconds.
const SLICE: f64 = 5.0;

/// When a worker is killed.
#[derive(Debug, Clone, Copy)]
enum Mark {
    /// So many removals of documents have been asked for.
    Removals(u64),
    /// No more blobs than these are left.
    BlobsLeft(u64),
}

pub async fn measure(corpora: &mut Corpora) {
    let blobs = corpora.scale.of(BLOBS);
    let corpus = corpora.large();
    let (sync, documents) = corpus.syncs[2];
    let system = purging::system(corpus.folder(), &SETTINGS).await;
    let entities = write_blobs(&system.arf(), SyncId(sync), blobs).await;
    Counted::reset(&system.vespa.url).await;
    let began = Instant::now();
    system.request_cleanup(sync).await;
    let marks = [Mark::Removals(documents / 3), Mark::Removals(documents * 2 / 3), Mark::BlobsLeft(blobs / 2)];
    let mut peaks = Vec::new();
    for mark in marks {
        let mut worker = system.cleanup_worker().await;
        reached(&system, &entities, mark).await;
        peaks.push(peak(&worker));
        worker.service.kill();
        println!("killed at {mark:?} after {:.0} s; {} blobs are left", began.elapsed().as_secs_f64(), left(&entities));
    }
    let last = system.cleanup_worker().await;
    purging::done(&system, 1, BOUND).await;
    let seconds = began.elapsed().as_secs_f64();
    peaks.push(peak(&last));
    let counted = Counted::of(&system.vespa.url).await;
    let held = system.holdings(&sync.to_string()).await;
    let again = counted.kind("remove").requests - documents;
    // The time of the claims that had to run out isn't time of removals.
    let a_slice = number_as_f64(documents) / (seconds - 3.0 * 6.0) * SLICE;
    head(
        &format!(
            "{} documents and {} encrypted blobs, the worker killed three times",
            grouped(documents),
            grouped(blobs)
        ),
        &[
            "left: documents",
            "left: blobs",
            "removes sent again, by all three kills",
            "removes of a slice, about",
            "highest peak of four workers, MiB",
            "s",
        ],
    );
    let highest = peaks.iter().copied().fold(0.0, f64::max);
    row(&[
        held.documents.to_string(),
        held.blobs.to_string(),
        judged(number_as_f64(again), 0, 3.0 * a_slice.round()),
        format!("{a_slice:.0}"),
        judged(highest, 1, MOST_MIB),
        format!("{seconds:.0}"),
    ]);
}

fn peak(worker: &Worker) -> f64 {
    number_as_f64(process::peak_kib(&worker.service)) / 1024.0
}

async fn reached(system: &System, entities: &Path, mark: Mark) {
    let began = Instant::now();
    loop {
        let is_reached = match mark {
            Mark::Removals(mark) => Counted::of(&system.vespa.url).await.kind("remove").requests >= mark,
            Mark::BlobsLeft(mark) => left(entities) <= mark,
        };
        if is_reached {
            return;
        }
        assert!(began.elapsed() < BOUND, "{mark:?} isn't reached");
        tokio::time::sleep(LOOK).await;
    }
}

fn left(entities: &Path) -> u64 {
    fs::read_dir(entities).map_or(0, |entries| entries.count().try_into().unwrap())
}

/// A manifest and encrypted captures, written as a sync-worker writes them. Returns the folder of the captures.
async fn write_blobs(arf: &Path, sync: SyncId, count: u64) -> PathBuf {
    let store = ArfStore::from_url(&Url::from_file_path(arf).unwrap()).unwrap();
    let form = BlobForm::Sealed(BlobCipher::new(sync, &BlobKey::random()));
    let content = Bytes::from(vec![b'x'; BLOB_BYTES]);
    let key = |number: u64| EntityKey::unkeyed("Bench", &mixed(number).to_string());
    let captures = (1..count).map(|number| form.capture(key(number), content.clone())).collect();
    let left = store.put_each(sync, captures, || Some(())).await.unwrap();
    assert!(left.is_empty());
    let prefix = arf.join("raw").join(sync.to_string());
    fs::write(prefix.join("manifest.json"), "{}").unwrap();
    prefix.join("entities")
}
