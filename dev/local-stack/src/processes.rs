//! The children of one stack: started, watched, waited for, stopped.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

/// How often a condition is looked at while we wait for it.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One child.
#[derive(Debug)]
struct Process {
    child: Child,
    pid: u32,
    log: PathBuf,
}

/// All children of a stack, by name. Survives a start that is cut short, so that stopping finds them all.
#[derive(Debug, Default)]
pub struct Processes {
    living: Mutex<BTreeMap<String, Process>>,
}

impl Processes {
    /// Starts a child; what it prints goes to `log`.
    ///
    /// # Errors
    /// When the log cannot be opened or the child cannot be started.
    pub fn spawn(&self, name: &str, mut command: Command, log: &Path) -> Result<u32> {
        if let Some(folder) = log.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        }
        let file = File::create(log).with_context(|| format!("write {}", log.display()))?;
        let errors = file.try_clone().with_context(|| format!("write {}", log.display()))?;
        // A group of its own: Ctrl-C is for us, we stop the children in order.
        let child = command.stdout(file).stderr(errors).process_group(0).spawn();
        let child = child.with_context(|| format!("start {name}"))?;
        let pid = child.id().with_context(|| format!("start {name}"))?;
        self.living.lock().insert(name.to_owned(), Process { child, pid, log: log.to_owned() });
        Ok(pid)
    }

    /// The process id of a child that was started.
    #[must_use]
    pub fn pid(&self, name: &str) -> Option<u32> {
        self.living.lock().get(name).map(|process| process.pid)
    }

    /// The process ids of all children, by name.
    #[must_use]
    pub fn pids(&self) -> BTreeMap<String, u32> {
        self.living.lock().iter().map(|(name, process)| (name.clone(), process.pid)).collect()
    }

    /// How a child ended, if it has.
    #[must_use]
    pub fn exited(&self, name: &str) -> Option<ExitStatus> {
        self.living.lock().get_mut(name)?.child.try_wait().ok()?
    }

    /// Waits until `probe` says yes. Fails, with the end of the log, when the child dies first or `bound` has passed.
    ///
    /// # Errors
    /// As said.
    pub async fn wait_ready(&self, name: &str, bound: Duration, probe: impl AsyncFn() -> bool) -> Result<()> {
        let deadline = Instant::now() + bound;
        loop {
            if let Some(status) = self.exited(name) {
                bail!("{name} ended while starting ({}){}", describe(status), self.tail(name));
            }
            if tokio::time::timeout(Duration::from_secs(3), probe()).await.unwrap_or(false) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{name} was not ready after {} s{}", bound.as_secs(), self.tail(name));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until a child has ended by itself.
    ///
    /// # Errors
    /// When there is no such child.
    pub async fn wait_exit(&self, name: &str) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.exited(name) {
                return Ok(status);
            }
            if self.pid(name).is_none() {
                bail!("{name} was never started");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Asks a child to end, kills it when it hasn't within `bound`. A child that never started is no error.
    pub async fn stop(&self, name: &str, signal: Signal, bound: Duration) {
        let Some(mut process) = self.living.lock().remove(name) else { return };
        if process.child.try_wait().ok().flatten().is_some() {
            return;
        }
        if let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) {
            let _gone_already = rustix::process::kill_process(pid, signal);
        }
        if tokio::time::timeout(bound, process.child.wait()).await.is_err() {
            let _gone_already = process.child.kill().await;
        }
    }

    /// The last lines that a child printed, for an error message.
    #[must_use]
    pub fn tail(&self, name: &str) -> String {
        let Some(log) = self.living.lock().get(name).map(|process| process.log.clone()) else { return String::new() };
        let text = std::fs::read(&log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        // Of a panic only the words matter, not the backtrace.
        let panic = lines.iter().rposition(|line| line.contains("panicked at"));
        let last = match panic {
            Some(place) => lines.get(place..lines.len().min(place + 4)),
            None => lines.get(lines.len().saturating_sub(15)..),
        };
        let last = last.unwrap_or_default();
        format!("; the end of {}:\n  {}", log.display(), last.join("\n  "))
    }
}

/// An exit status in words.
#[must_use]
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown end".to_owned(),
    }
}
