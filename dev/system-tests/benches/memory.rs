//! `make bench-memory`: the gateway's peak for the largest answers that may be asked for, one and four at a time, and
//! the bytes that the index holds for each byte of source text.
#![expect(clippy::print_stdout, reason = "a bench talks to people")]

use system_tests::System;
use system_tests::wide::{WideRows, index_bytes};
use test_support::TestEmbedder;

/// Enough for more hits, and for more fields, than an answer may have.
const ROWS: u32 = 100;

fn main() -> std::io::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(bench());
    Ok(())
}

async fn bench() {
    let embedder = TestEmbedder::start().await;
    let system = System::for_bench(&embedder.settings()).await;
    let worker = system.sync_worker().await;
    let first = system.gateway().await;
    let wide = WideRows::sync(&system, &first.api, ROWS).await;
    drop(worker);
    let index = index_bytes(&system).await;
    println!(
        "{ROWS} rows of {} bytes of text: the index holds {index} bytes, {:.2} for each byte",
        wide.source_bytes / u64::from(ROWS),
        float(index) / float(wide.source_bytes)
    );
    drop(first);
    for strategy in ["keyword", "semantic", "hybrid"] {
        for at_once in [1, 4] {
            // Each with a gateway of its own: a peak never goes down.
            let gateway = system.gateway().await;
            let (answers, peak) = wide.ask(&gateway, strategy, at_once).await;
            let largest = answers.iter().max().copied().unwrap_or_default() / 1024;
            println!("{strategy:9} {at_once} at a time: answers of {largest} KiB, the gateway's peak is {peak} MiB");
        }
    }
}

fn float(bytes: u64) -> f64 {
    u32::try_from(bytes / 1024).map_or(f64::INFINITY, f64::from)
}
