//! How much memory a run takes at its peak, in a process of its own: this test's, started once more for it alone.

use std::process::Command;

use super::run::Prepared;
use super::stand::Stand;
use crate::EntitySink;

/// Set for the process that is measured.
const MEASURED: &str = "CONFORMANCE_MEASURED";
/// How many small entities there are; a million makes the suite take minutes.
const ENTITIES: &str = "CONFORMANCE_ENTITIES";
/// A tenth of a million, and a tenth of what a million may take: 300 bytes that stay behind each entity show.
const DEFAULT_ENTITIES: usize = 100_000;
/// What a run may take beside what there was before it, KiB. One huge entity may take as much as the largest raw file
/// and its text do, several times.
const MANY_KIB: u64 = 48 * 1024;
const ONE_KIB: u64 = 64 * 1024;

/// What there is to read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Load {
    Many,
    OneHuge,
}

#[expect(clippy::disallowed_methods, reason = "the test tells itself what it is, and has no settings")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs the test `name` of `module` again, which then measures itself.
pub(super) fn measured<S: Stand>(module: &str, name: &str, load: Load) {
    if variable(MEASURED).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(measure::<S>(load));
    }
    let (_, module) = module.split_once("::").unwrap();
    let test = format!("{module}::{name}");
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", &test, "--nocapture"]).env(MEASURED, "yes").output().unwrap();
    let (text, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}{told}");
    assert!(text.contains("1 passed"), "{text}");
    tell(&told);
}

#[expect(clippy::print_stderr, reason = "what was measured is told to who runs it with --nocapture")]
fn tell(what: &str) {
    eprint!("{what}");
}

async fn measure<S: Stand>(load: Load) {
    test_support::install_tls_provider();
    let mut stand = S::start().await;
    let entities = variable(ENTITIES).map_or(DEFAULT_ENTITIES, |count| count.parse().unwrap());
    let (is_filled, at_least, max_kib) = match load {
        Load::Many => (stand.fill(entities).await, entities, MANY_KIB),
        Load::OneHuge => (stand.fill_with_one().await, 1, ONE_KIB),
    };
    if !is_filled {
        return;
    }
    let prepared = Prepared::by(&stand);
    let (sink, mut taken) = EntitySink::new(8);
    let counting = async {
        let mut count = 0;
        while taken.recv().await.is_some() {
            count += 1;
        }
        count
    };
    let before = forget_peak();
    let (outcome, count) = tokio::join!(prepared.read::<S>(sink), counting);
    let grown = peak_kib() - before;
    outcome.unwrap();
    tell(&format!("{}: {load:?}, {count} entities, {grown} KiB beside {before}\n", S::SOURCE));
    assert!(count >= at_least, "{count} entities");
    assert!(grown < max_kib, "{grown} KiB");
}

/// Takes what is in memory now for the most that ever was, and tells how much that is: what was in memory for a while
/// when the stand was filled would hide as much of what the run takes.
fn forget_peak() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    peak_kib()
}

/// The most memory that this process has had, KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
