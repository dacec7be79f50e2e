//! A folder of its own for each test, and ways to look at what runs in it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use local_stack::launch::{carriers, working_in};
use local_stack::layout::find_home;
use local_stack::supervisor::read_env_file;
use rustix::process::{Pid, Signal};

/// A `.local` of its own. When we are root it is below a folder that only root may enter.
pub struct Home(tempfile::TempDir);

impl Home {
    /// Shares only the unpacked packages with the clone.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let packages = find_home(Path::new(env!("CARGO_MANIFEST_DIR"))).join("opt");
        std::fs::create_dir_all(&packages).unwrap();
        std::os::unix::fs::symlink(packages, folder.path().join("opt")).unwrap();
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_local-stack"));
        command.arg("--home").arg(self.path()).args(arguments);
        for outer in ["DATABASE_URL", "AMQP_URL", "RABBITMQ_MANAGEMENT_URL", "LOCAL_STACK_HOME", "LISTEN"] {
            command.env_remove(outer);
        }
        command
    }

    pub fn output<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> String {
        let answer = self.command(arguments).output().unwrap();
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8(answer.stdout).unwrap()
    }

    pub fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) {
        self.output(arguments);
    }

    pub fn settings(&self) -> BTreeMap<String, String> {
        read_env_file(&self.path().join("stack.env")).unwrap()
    }

    pub fn has_entries(&self, folder: &str) -> bool {
        std::fs::read_dir(self.path().join(folder)).is_ok_and(|mut entries| entries.next().is_some())
    }

    pub fn sql(&self, statement: &str) {
        let url = &self.settings()["DATABASE_URL"];
        block_on(async {
            let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
            tokio::select! {
                answer = client.batch_execute(statement) => answer.unwrap(),
                _ended = connection => panic!("the connection was closed"),
            }
        });
    }

    pub fn put_virtual_host(&self, name: &str) {
        let url = format!("{}/api/vhosts/{name}", self.settings()["RABBITMQ_MANAGEMENT_URL"]);
        block_on(async { client().put(url).send().await.unwrap().error_for_status().unwrap() });
    }

    pub fn virtual_hosts(&self) -> Vec<String> {
        let url = format!("{}/api/vhosts", self.settings()["RABBITMQ_MANAGEMENT_URL"]);
        let answer = block_on(async { client().get(url).send().await.unwrap().text().await.unwrap() });
        let hosts: Vec<serde_json::Value> = serde_json::from_str(&answer).unwrap();
        hosts.iter().map(|host| host["name"].as_str().unwrap().to_owned()).collect()
    }

    /// No process works in this folder, or was told of it, any more.
    pub fn assert_nothing_left(&self) {
        let told = self.path().to_str().unwrap();
        eventually("nothing is left", || {
            carriers(told).is_empty()
                && working_in(&self.path().join("postgres/data")).is_empty()
                && working_in(&self.path().join("test/0/postgres/data")).is_empty()
        });
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // A test that failed may have left a stack, and its supervisor standing still.
        if let Ok(settings) = read_env_file(&self.path().join("stack.env")) {
            let pid = settings.get("SUPERVISOR_PID").and_then(|pid| Pid::from_raw(pid.parse().ok()?));
            let _gone_already = pid.map(|pid| rustix::process::kill_process(pid, Signal::CONT));
        }
        let _none = self.command(["down"]).output();
    }
}

/// Waits for a fact.
pub fn eventually(fact: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 60 s: {fact}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a process runs: a dead one that nobody has waited for has no executable.
pub fn is_alive(pid: &str) -> bool {
    Path::new("/proc").join(pid).join("exe").read_link().is_ok()
}

pub fn kill(pid: &str) {
    send(pid, Signal::KILL);
}

pub fn send(pid: &str, signal: Signal) {
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

fn client() -> reqwest::Client {
    let _present = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

fn block_on<T>(task: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(task)
}
