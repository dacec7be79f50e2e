//! What a purge makes Vespa do, as the stand-in counts it, beside five removals by selection of the same documents.

use std::time::{Duration, Instant};

use system_tests::corpus::Sized;
use system_tests::counted::Counted;
use system_tests::{Holdings, process};
use test_support::StandIn;

use crate::corpora::{Corpora, Corpus};
use crate::table::{grouped, head, judged, ratio, row};
use crate::{purging, scans};

const MOST_EXAMINED: f64 = 2.2;
const MOST_OPERATIONS: f64 = 1.01;
/// At least so many documents are removed in a second.
const SLOWEST: u64 = 1_000;
const AT_LEAST: Duration = Duration::from_mins(2);

pub async fn measure(corpora: &mut Corpora) {
    let single = corpora.single();
    let corpus = corpora.large();
    let mut rows = vec![point(&single, single.syncs[0]).await];
    for sync in corpus.syncs.clone() {
        rows.push(point(corpus, sync).await);
    }
    head(
        "What a purge costs Vespa, for each document removed",
        &[
            "sync",
            "corpus",
            "examined",
            "operations",
            "requests: queries",
            "s",
            "worker's peak",
            "five scans: examined",
            "operations",
            "s",
        ],
    );
    rows.iter().for_each(|cells| row(cells));
}

/// One sync of a corpus: the purge and the scans, each on a copy of its own.
async fn point(corpus: &Corpus, (sync, documents): Sized) -> Vec<String> {
    let settings = [("SETTLE_DELAY", "1s")];
    let system = purging::system(corpus.folder(), &settings).await;
    let worker = system.cleanup_worker().await;
    let url = system.vespa.url.clone();
    Counted::reset(&url).await;
    let began = Instant::now();
    purging::request_and_ring(&system, &worker, sync).await;
    purging::done(&system, 1, AT_LEAST + Duration::from_secs(documents / SLOWEST)).await;
    let (seconds, peak) = (began.elapsed().as_secs_f64(), process::peak_kib(&worker.service) / 1024);
    let ours = Counted::of(&url).await;
    assert_eq!(system.holdings(&sync.to_string()).await.documents, 0);
    drop((worker, system));

    let vespa = StandIn::over(corpus.folder()).await;
    let scanned = scans::remove(&vespa.url, sync).await;
    let theirs = Counted::of(&vespa.url).await;
    assert_eq!(Holdings::of(&vespa.url, corpus.folder(), &sync.to_string()).await.documents, 0);

    let removes = ours.kind("remove").requests + ours.kind("bulk_delete").requests;
    vec![
        grouped(documents),
        grouped(corpus.documents),
        judged(ratio(ours.examined(), documents), 3, MOST_EXAMINED),
        judged(ratio(removes, documents), 4, MOST_OPERATIONS),
        grouped(ours.kind("query").requests),
        format!("{seconds:.1}"),
        format!("{peak} MiB"),
        format!("{:.1}", ratio(theirs.examined(), documents)),
        format!("{:.2}", ratio(theirs.kind("bulk_delete").operations, documents)),
        format!("{scanned:.1}"),
    ]
}
