//! The children of one stack: started, watched, waited for, started again, stopped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use crate::exit::describe;
use crate::leftovers;
use crate::logs;
use crate::probe::Probe;

/// How often a condition is looked at while we wait for it.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long one look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(3);

/// What a child that serves needs, at its first start and at every later one.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What comes before each start.
    pub before: Before,
    /// How one sees that it serves.
    pub serves: Probe,
    /// How long it may take until then.
    pub within: Duration,
}

/// What comes before each start of a child.
#[derive(Debug, Clone)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// What an earlier PostgreSQL left behind in this data folder goes.
    Clear(PathBuf),
    /// Another child serves: it is waited for.
    Serves(Probe),
}

/// One child, and how it was started.
#[derive(Debug)]
struct Process {
    child: Child,
    pid: u32,
    command: Command,
    log: PathBuf,
    /// Where its own lines begin in the log.
    begins: u64,
    terms: Option<Terms>,
}

/// All children of a stack, by name. Survives a start that is cut short, so that stopping finds them all.
#[derive(Debug, Default)]
pub struct Processes {
    started: Mutex<BTreeMap<String, Process>>,
}

impl Processes {
    /// Starts a child that does its work and ends; what it prints goes to `log`.
    ///
    /// # Errors
    /// When the log cannot be opened or the child cannot be started.
    pub fn spawn(&self, name: &str, command: Command, log: &Path) -> Result<()> {
        self.begin(name, command, log, None)
    }

    /// Starts a child that serves, and waits until it does.
    ///
    /// # Errors
    /// When it cannot be started, ends, or doesn't serve in time: then with the end of its log.
    pub async fn serve(&self, name: &str, command: Command, log: &Path, terms: Terms) -> Result<()> {
        let within = terms.within;
        terms.before.happen().await?;
        self.begin(name, command, log, Some(terms))?;
        match tokio::time::timeout(within, self.wait_serving(name)).await {
            Ok(outcome) => outcome,
            Err(_too_slow) => bail!("{name} was not ready after {} s{}", within.as_secs(), self.tail(name)),
        }
    }

    fn begin(&self, name: &str, mut command: Command, log: &Path, terms: Option<Terms>) -> Result<()> {
        logs::bound(log)?;
        let begins = logs::length(log);
        let child = run(name, &mut command, log)?;
        let pid = child.id().with_context(|| format!("start {name}"))?;
        let process = Process { child, pid, command, log: log.to_owned(), begins, terms };
        self.started.lock().insert(name.to_owned(), process);
        Ok(())
    }

    /// Starts a child again that has ended, and returns at once.
    ///
    /// # Errors
    /// When there is no such child, what comes before it fails, or it cannot be started.
    pub async fn start_again(&self, name: &str) -> Result<()> {
        let before = self.terms(name)?.before;
        before.happen().await?;
        let mut started = self.started.lock();
        let process = started.get_mut(name).with_context(|| format!("{name} was never started"))?;
        process.begins = logs::length(&process.log);
        process.child = run(name, &mut process.command, &process.log)?;
        process.pid = process.child.id().with_context(|| format!("start {name}"))?;
        Ok(())
    }

    /// Waits until a child serves, however long that takes.
    ///
    /// # Errors
    /// When it ends first: then with the end of its log.
    pub async fn wait_serving(&self, name: &str) -> Result<()> {
        let serves = self.terms(name)?.serves;
        loop {
            if let Some(status) = self.exited(name) {
                bail!("{name} ended while starting ({}){}", describe(status), self.tail(name));
            }
            if tokio::time::timeout(LOOK_WITHIN, serves.holds()).await.unwrap_or(false) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn terms(&self, name: &str) -> Result<Terms> {
        let started = self.started.lock();
        let terms = started.get(name).and_then(|process| process.terms.clone());
        terms.with_context(|| format!("{name} is no child that serves"))
    }

    /// The process ids of all children, by name.
    #[must_use]
    pub fn pids(&self) -> BTreeMap<String, u32> {
        self.started.lock().iter().map(|(name, process)| (name.clone(), process.pid)).collect()
    }

    /// Where a child's log is.
    #[must_use]
    pub fn log(&self, name: &str) -> Option<PathBuf> {
        self.started.lock().get(name).map(|process| process.log.clone())
    }

    /// How a child ended, if it has.
    #[must_use]
    pub fn exited(&self, name: &str) -> Option<ExitStatus> {
        self.started.lock().get_mut(name)?.child.try_wait().ok()?
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
            if !self.started.lock().contains_key(name) {
                bail!("{name} was never started");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Asks a child to end, kills it when it hasn't within `bound`. A child that never started is no error.
    pub async fn stop(&self, name: &str, signal: Signal, bound: Duration) {
        let Some(mut process) = self.started.lock().remove(name) else { return };
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

    /// The last lines that a child has printed since it was started, for an error message.
    #[must_use]
    pub fn tail(&self, name: &str) -> String {
        let found = self.started.lock().get(name).map(|process| (process.log.clone(), process.begins));
        let Some((log, begins)) = found else { return String::new() };
        format!("; the end of {}:\n  {}", log.display(), logs::tail(&log, begins).join("\n  "))
    }
}

fn run(name: &str, command: &mut Command, log: &Path) -> Result<Child> {
    let file = logs::append(log)?;
    let errors = file.try_clone().with_context(|| format!("write {}", log.display()))?;
    // A group of its own: Ctrl-C is for us, we stop the children in order.
    let child = command.stdout(file).stderr(errors).process_group(0).spawn();
    child.with_context(|| format!("start {name}"))
}

impl Before {
    async fn happen(&self) -> Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Clear(folder) => leftovers::clear(folder).await,
            Self::Serves(other) => {
                while !other.holds().await {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Ok(())
            }
        }
    }
}
