//! How much memory a run takes at its peak, in a process of its own: this test's, started once more for it alone.

use std::process::Command;

use super::{Asked, Stand};
use crate::EntitySink;

/// Set for the process that is measured.
const MEASURED: &str = "CONFORMANCE_MEASURED";
/// How many small entities there are; a million makes the suite take minutes.
const ENTITIES: &str = "CONFORMANCE_ENTITIES";
/// A tenth of a million, and a tenth of what a million may take: 300 bytes that stay behind each entity show.
const DEFAULT_ENTITIES: usize = 100_000;
/// What a run may take beside what there was before it, KiB. One huge entity may take as much as the largest raw file and
/// its text do, several times.
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
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

#[expect(clippy::print_stderr, reason = "what was measured is told to who runs it with --nocapture")]
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
    let before = peak_kib();
    let Asked { config, credentials, access } = stand.asked();
    let (config, credentials) = (config.as_object().unwrap(), credentials.as_object().unwrap());
    let (sink, mut taken) = EntitySink::new(8);
    let counting = async {
        let mut count = 0;
        while taken.recv().await.is_some() {
            count += 1;
        }
        count
    };
    let (outcome, count) = tokio::join!(S::SOURCE.read(config, credentials, &access, None, sink), counting);
    outcome.unwrap();
    assert!(count >= at_least, "{count} entities");
    let grown = peak_kib() - before;
    eprintln!("{}: {load:?}, {count} entities, {grown} KiB", S::SOURCE);
    assert!(grown < max_kib, "{grown} KiB");
}

/// The most memory that this process ever had.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
