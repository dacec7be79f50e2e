//! Our services as processes.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::log_events::Expectations;
use crate::rest::Rest;
use crate::wait::wait_until;

/// Lines of the log that a panic shows.
const TAIL: usize = 30;

/// A running service; killed with this value. If its log has a warning or an error that the test doesn't expect, or if
/// something of its system's work is left that the test doesn't leave, the test fails.
#[derive(Debug)]
pub struct Service {
    /// Warnings and errors that the test expects of it.
    pub expects: Expectations,
    rest: Option<Rest>,
    name: String,
    child: Child,
    log: PathBuf,
    _folder: TempDir,
}

impl Service {
    /// Starts a service with this environment and `PATH`, nothing else.
    pub fn spawn<K: AsRef<str>, V: AsRef<str>>(name: &str, environment: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::spawn_with(name, &[], environment)
    }

    /// Starts a service with arguments.
    pub fn spawn_with<K: AsRef<str>, V: AsRef<str>>(
        name: &str,
        arguments: &[&str],
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let log = folder.path().join(format!("{name}.log"));
        let file = File::create(&log).expect("a log file");
        let mut command = Command::new(service_binary(name));
        command.args(arguments).env_clear().env("PATH", crate::server("PATH"));
        for (key, value) in environment {
            command.env(key.as_ref(), value.as_ref());
        }
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("a second handle")).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("start {name}: {error}"));
        Self { expects: Expectations::default(), rest: None, name: name.to_owned(), child, log, _folder: folder }
    }

    /// Makes it share what is expected of several services.
    #[must_use]
    pub fn expecting(mut self, expected: &Expectations) -> Self {
        self.expects = expected.clone();
        self
    }

    /// Makes it wait, before it is killed with this value, until its system has come to rest.
    #[must_use]
    pub fn resting(mut self, rest: &Rest) -> Self {
        self.rest = Some(rest.clone());
        self
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Everything it has written to stdout and stderr.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines of its log, for a panic's text.
    #[must_use]
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        format!("--- {} ---\n{last}\n---", self.name)
    }

    /// Whether it runs (a stopped one does).
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the process's state").is_none()
    }

    /// Ends it with SIGKILL and waits.
    pub fn kill(&mut self) -> ExitStatus {
        let _gone_already = self.child.kill();
        self.child.wait().expect("the exit status")
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    /// With its last lines, if it doesn't end within `bound`.
    pub async fn terminate(&mut self, bound: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.exited(bound).await
    }

    /// Waits for it to end by itself.
    ///
    /// # Panics
    /// With its last lines, if it doesn't end within `bound`.
    pub async fn exited(&mut self, bound: Duration) -> ExitStatus {
        let started = std::time::Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the process's state") {
                return status;
            }
            assert!(started.elapsed() < bound, "{} hasn't ended within {bound:?}\n{}", self.name, self.tail());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Freezes it (SIGSTOP).
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn cont(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal)
            .unwrap_or_else(|error| panic!("signal {}: {error}\n{}", self.name, self.tail()));
    }

    /// Waits until `url` answers with a success, such as `http://127.0.0.1:9001/health/ready`.
    ///
    /// # Panics
    /// With its last lines, if it ends or doesn't answer within `bound`.
    pub async fn wait_until_ready(&mut self, url: &str, bound: Duration) {
        crate::install_tls_provider();
        let client = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let started = std::time::Instant::now();
        loop {
            assert!(self.is_running(), "{} has ended\n{}", self.name, self.tail());
            let answer = client.get(url).timeout(Duration::from_secs(3)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            assert!(started.elapsed() < bound, "{} isn't ready within {bound:?}\n{}", self.name, self.tail());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until its log contains `text`.
    ///
    /// # Panics
    /// If it doesn't within `bound`.
    pub async fn wait_until_logged(&self, text: &str, bound: Duration) {
        let what = format!("{} logs {text:?}", self.name);
        wait_until(&what, bound, async || self.log().contains(text)).await;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // One panic is enough: a second one while the first is on its way would end the process.
        let is_panicking = std::thread::panicking();
        let rest = self.rest.take().filter(|_| !is_panicking && self.is_running());
        let left = rest.map_or_else(Vec::new, |rest| rest.wait());
        if self.is_running() {
            let _gone_already = kill_process(self.pid(), Signal::CONT);
            self.kill();
        }
        if is_panicking {
            write_to_stderr(&self.tail());
            return;
        }
        let log = self.log();
        let unexpected = self.expects.unexpected(&log);
        assert!(
            unexpected.is_empty(),
            "{} logged what its test doesn't expect (docs/log-events.md; `expects` says what is):\n{}",
            self.name,
            unexpected.join("\n")
        );
        assert!(left.is_empty(), "the test leaves {} (`may_leave` says what it may)\n{}", left.join(", "), self.tail());
    }
}

#[expect(clippy::print_stderr, reason = "a failed test shows what its services said")]
fn write_to_stderr(text: &str) {
    eprintln!("{text}");
}

/// The path of a binary of the workspace, beside the test's own.
///
/// # Panics
/// If it hasn't been built.
#[must_use]
pub fn service_binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("the test's own path");
    let folders = own.ancestors().skip(1).take(2).map(Path::to_owned);
    let mut candidates = folders.map(|folder| folder.join(name));
    candidates.find(|path| path.is_file()).unwrap_or_else(|| {
        panic!("the binary {name} isn't built: run the tests with `make test`, or `cargo build` before")
    })
}

/// A port of the loopback address that is free now, and that no other call in this process gets.
///
/// From below the kernel's own range: there an outgoing connection could take it before the service listens.
#[must_use]
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 10_000;
    static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(std::process::id().wrapping_mul(61)));
    loop {
        let port = FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = u16::try_from(port).expect("a port");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
