//! `make bench-purge`: what purges cost, in tables for docs/performance.md. Five parts, each of which can be asked for
//! alone (`PARTS="cost cpu"`):
//!
//! - `cost`: documents that the stand-in examines, and operations, for each document removed; beside the removal by
//!   selection, one for each type of document, as Airweave makes it;
//! - `cpu`: processor time of the cleanup-worker beside `vespa feed` of the same removals, in turns;
//! - `killed`: a purge of a million documents and 100 000 blobs by workers that are killed three times;
//! - `many`: a collection with a thousand small connections, without and with a huge one beside it;
//! - `bucket`: a purge of a million blobs from a bucket.
//!
//! What a real cluster would have to do is judged by the counts. Times are those of a machine that client, server and
//! PostgreSQL share. A target that is missed is said so in the table and fails nothing.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench panics, and talks to people"
)]

mod bucket;
mod corpora;
mod cost;
mod cpu;
mod killed;
mod many;
mod purging;
mod scans;
mod statements;
mod table;

use corpora::Corpora;
use table::Scale;

/// By what everything is divided; 1 is what docs/performance.md shows.
const SCALE: &str = "PURGE_SCALE";

fn main() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(bench());
}

#[expect(clippy::disallowed_methods, reason = "a bench has no settings struct")]
async fn bench() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_asked_for = |part: &str| asked.is_empty() || asked.iter().any(|asked| asked == part);
    let scale = Scale(std::env::var(SCALE).map_or(1, |scale| scale.parse().unwrap()));
    let mut corpora = Corpora::new(scale);
    if is_asked_for("cost") {
        cost::measure(&mut corpora).await;
    }
    if is_asked_for("cpu") {
        cpu::measure(scale).await;
    }
    if is_asked_for("killed") {
        killed::measure(&mut corpora).await;
    }
    if is_asked_for("many") {
        many::measure(scale).await;
    }
    if is_asked_for("bucket") {
        bucket::measure(scale).await;
    }
}
