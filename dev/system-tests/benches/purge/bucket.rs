//! A purge of a million blobs from a bucket of S3, in memory, in this process.

use std::time::{Duration, Instant};

use system_tests::corpus::mixed;
use system_tests::{System, process};
use test_support::{TestBucket, s3_settings};
use uuid::Uuid;

use crate::purging;
use crate::table::{Scale, grouped, head, judged, number_as_f64, ratio, row};

const BLOBS: u64 = 1_000_000;
const MOST_MIB: f64 = 64.0;
/// A list and a removal for each thousand; the looks and the count list them once more.
const MOST_REQUESTS: f64 = 3.1;
const BOUND: Duration = Duration::from_mins(20);
const SETTLE_DELAY: (&str, &str) = ("SETTLE_DELAY", "1s");

pub async fn measure(scale: Scale) {
    let (blobs, sync) = (scale.of(BLOBS), Uuid::new_v4());
    let system = System::for_bench(&[SETTLE_DELAY]).await;
    let bucket = TestBucket::start().await;
    bucket.fill((0..blobs).map(|number| format!("raw/{sync}/entities/{:016x}{number:016x}.json", mixed(number))));
    let settings = s3_settings(&bucket.url)
        .map(|(name, value)| (name.to_uppercase().replace("ALLOW_HTTP", "AWS_ALLOW_HTTP"), value));
    let mut settings: Vec<(&str, &str)> =
        settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    settings.push(("ARF_URL", "s3://bucket"));
    let worker = system.cleanup_worker_with(&settings).await;
    let _before = bucket.asked();
    let began = Instant::now();
    purging::request_and_ring(&system, &worker, sync).await;
    purging::done(&system, 1, BOUND).await;
    let (seconds, asked) = (began.elapsed().as_secs_f64(), bucket.asked());
    head(
        &format!("{} blobs in a bucket", grouped(blobs)),
        &["left", "lists", "removals", "requests for each 1 000 blobs", "CPU s of the worker", "peak MiB", "s"],
    );
    row(&[
        bucket.keys().len().to_string(),
        grouped(asked.lists),
        grouped(asked.bulk_removals),
        judged(1_000.0 * ratio(asked.lists + asked.bulk_removals + asked.others, blobs), 2, MOST_REQUESTS),
        format!("{:.1}", process::cpu_of(&worker.service)),
        judged(number_as_f64(process::peak_kib(&worker.service)) / 1024.0, 1, MOST_MIB),
        format!("{seconds:.0}"),
    ]);
}
