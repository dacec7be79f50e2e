//! The official clients of the contract, unmodified, against the whole system: the suites are in `dev/clients`.
//!
//! Each test starts a system, tells a suite where it is, shows the suite's output if it fails, and counts what really
//! ran: a suite that lost its tests, or skipped some, has failed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use system_tests::{Gateway, System, Worker};
use test_support::Leftover;
use tokio::process::Command;

mod report;

use report::Report;

/// The longest that a suite may take: several times what it takes on a busy machine.
const BOUND: Duration = Duration::from_secs(480);

/// A whole system with what the suites need to know of it; the services end before what they work on.
struct Everything {
    _workers: [Worker; 2],
    _gateway: Gateway,
    _system: System,
    variables: Vec<(&'static str, String)>,
}

impl Everything {
    async fn start() -> Self {
        let system = System::new(&[("SETTLE_DELAY", "1s"), ("CLEANUP_POLL_INTERVAL", "1s")]).await;
        let gateway = system.gateway().await;
        let stranger = system.second_organization(&gateway).await;
        let limited = system.organization(&gateway, "Limited", "developer").await;
        // The suites make jobs fail, and freeze the worker.
        system.expects.event("the job ends early");
        let (sync_worker, cleanup_worker) = (system.sync_worker().await, system.cleanup_worker().await);
        let variables = vec![
            ("UNWEAVE_URL", gateway.api.url.clone()),
            ("UNWEAVE_API_KEY", gateway.api.key.clone()),
            ("STRANGER_API_KEY", stranger.key),
            ("LIMITED_API_KEY", limited.key),
            ("SYNC_WORKER_PID", sync_worker.service.pid().as_raw_nonzero().to_string()),
        ];
        Self { _workers: [sync_worker, cleanup_worker], _gateway: gateway, _system: system, variables }
    }

    /// Runs the suite in this folder of `dev/clients`.
    async fn run(&self, suite: &str, at_least: u64) {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report.xml");
        let mut command = Command::new(python());
        // No `.pyc` files in the checkout.
        command.args(["-B", "-m", "pytest", suite, "--junit-xml"]).arg(&report);
        command.envs(self.variables.iter().cloned());
        run_to_report(command, folder.path(), at_least).await;
    }
}

/// Runs a command that writes `report.xml` into this folder, and checks that so many tests ran and that all passed.
async fn run_to_report(mut command: Command, folder: &Path, at_least: u64) {
    let log = folder.join("output");
    let file = std::fs::File::create(&log).unwrap();
    command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).kill_on_drop(true);
    command.current_dir(repository().join("dev/clients")).env("HOME", folder);
    let described = format!("{command:?}");
    let ended = tokio::time::timeout(BOUND, command.status()).await;
    let said = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
    let status = ended.unwrap_or_else(|_| panic!("{described}: hasn't ended within {BOUND:?}\n{said}")).unwrap();
    assert!(status.success(), "{described}: {status}\n{said}");
    let found = Report::read(&folder.join("report.xml")).unwrap_or_else(|error| panic!("{error}\n{said}"));
    let wanted = Report { tests: found.tests.max(at_least), failures: 0, errors: 0, skipped: 0 };
    assert_eq!(found, wanted, "{described}\n{said}");
}

/// The Python that has the clients: `CLIENTS_PYTHON`, or the one that `make python-tools` installs.
fn python() -> PathBuf {
    let python =
        std::env::var_os("CLIENTS_PYTHON").map_or_else(|| repository().join(".local/venv/bin/python"), PathBuf::from);
    assert!(python.is_file(), "{} isn't there: `make python-tools` installs it", python.display());
    python
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_python_sdk_works_unmodified() {
    Everything::start().await.run("sdk", 189).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_command_works_unmodified_for_programs_and_at_a_terminal() {
    Everything::start().await.run("cli", 31).await;
}

/// No sync-worker runs: a source that somebody made up is never connected to.
#[tokio::test(flavor = "multi_thread")]
async fn random_requests_get_only_answers_that_the_openapi_document_allows() {
    let system = System::new(&[("SETTLE_DELAY", "1s"), ("CLEANUP_POLL_INTERVAL", "1s")]).await;
    system.rest.may_leave([Leftover::Jobs, Leftover::Messages]);
    let mut gateway = system.gateway().await;
    let _cleanup_worker = system.cleanup_worker().await;
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.xml");
    let mut command = Command::new("bash");
    command.arg("schemathesis.sh").args(["--report", "junit", "--report-junit-path"]).arg(&report);
    command.env("CLIENTS_PYTHON", python());
    command.env("UNWEAVE_URL", &gateway.api.url).env("UNWEAVE_API_KEY", &gateway.api.key);
    run_to_report(command, folder.path(), 44).await;
    assert!(gateway.service.is_running());
    let log = gateway.service.log();
    let errors: Vec<&str> = log.lines().filter(|line| line.contains(r#""level":"ERROR""#)).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}
