//! The official clients of the contract, unmodified, against the whole system: the suites are in `dev/clients`.
//!
//! Each test starts a system, tells a suite where it is, shows the suite's output if it fails, and counts what really
//! ran: a suite that lost its tests, or skipped some, has failed.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use system_tests::{Gateway, System, Worker};
use tokio::process::Command;

mod report;

use report::Report;

/// The longest that a suite may take.
const BOUND: Duration = Duration::from_secs(300);

/// A suite of `dev/clients`.
struct Suite {
    /// Its folder.
    folder: &'static str,
    /// How many tests it has at least.
    tests: u64,
}

/// A whole system with what the suites need to know of it.
struct Everything {
    _system: System,
    _gateway: Gateway,
    _workers: [Worker; 2],
    variables: Vec<(&'static str, String)>,
}

impl Everything {
    async fn start() -> Self {
        let system = System::new(&[("SETTLE_DELAY", "1s"), ("CLEANUP_POLL_INTERVAL", "1s")]).await;
        let gateway = system.gateway().await;
        let stranger = system.second_organization(&gateway).await;
        let limited = system.organization(&gateway, "Limited", "developer").await;
        let (sync_worker, cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
        let variables = vec![
            ("UNWEAVE_URL", gateway.api.url.clone()),
            ("UNWEAVE_API_KEY", gateway.api.key.clone()),
            ("STRANGER_API_KEY", stranger.key),
            ("LIMITED_API_KEY", limited.key),
            ("SYNC_WORKER_PID", sync_worker.service.pid().as_raw_nonzero().to_string()),
        ];
        Self { _system: system, _gateway: gateway, _workers: [sync_worker, cleanup_worker], variables }
    }

    /// Runs a suite and checks that all of it ran and passed.
    async fn run(&self, suite: &Suite) {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report.xml");
        let mut command = Command::new(python());
        // No `.pyc` files in the checkout.
        command.args(["-B", "-m", "pytest", suite.folder, "--junit-xml"]).arg(&report);
        command.current_dir(clients()).env("HOME", folder.path()).envs(self.variables.iter().cloned());
        let output = output(command, BOUND).await;
        let found = Report::read(&report).unwrap_or_else(|error| panic!("{error}\n{output}"));
        let wanted = Report { tests: found.tests, failures: 0, errors: 0, skipped: 0 };
        assert_eq!(found, wanted, "\n{output}");
        assert!(found.tests >= suite.tests, "{found:?}, at least {} tests expected\n{output}", suite.tests);
    }
}

/// What a command printed, whatever its exit code.
async fn output(mut command: Command, bound: Duration) -> String {
    let described = format!("{command:?}");
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(bound, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("{described}: hasn't ended within {bound:?}")).unwrap();
    format!(
        "{described}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The Python that has the clients: `CLIENTS_PYTHON`, or the one that `make python-tools` installs.
fn python() -> PathBuf {
    let python =
        std::env::var_os("CLIENTS_PYTHON").map_or_else(|| repository().join(".local/venv/bin/python"), PathBuf::from);
    assert!(python.is_file(), "{} isn't there: `make python-tools` installs it", python.display());
    python
}

fn clients() -> PathBuf {
    repository().join("dev/clients")
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_python_sdk_works_unmodified() {
    Everything::start().await.run(&Suite { folder: "sdk", tests: 140 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_command_works_unmodified_for_programs_and_at_a_terminal() {
    Everything::start().await.run(&Suite { folder: "cli", tests: 30 }).await;
}
