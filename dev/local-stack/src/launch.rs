//! How a child starts, and who sees to it that none outlives its supervisor.
//!
//! Two nets, because each alone has a hole:
//! - Every child is started by way of `local-stack launch`, which asks the kernel to kill it when the supervisor
//!   dies and then *becomes* the program. The kernel forgets the wish in grandchildren.
//! - Every child carries the run's id in its environment, and so do its descendants. A guard process holds a pipe to
//!   the supervisor; when the supervisor is gone, in whatever way, it kills all that still carry the id. (PostgreSQL
//!   overwrites its environment, which is why this net alone isn't enough either.)
//!
//! Not guaranteed: killing supervisor *and* guard leaves a command's grandchildren running.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use crate::environment::{Environment, RUN_VARIABLE};

/// One run of a stack: whatever it starts is gone when it ends.
#[derive(Debug)]
pub struct Run {
    id: String,
    inherited: Option<String>,
    own_executable: PathBuf,
    setpriv: PathBuf,
    guard: Child,
}

/// Whom a child runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// As we do.
    Same,
    /// As an ordinary user who may read and write every file: for programs that refuse root.
    Unprivileged(u32),
}

/// The signal that a child gets when its supervisor dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DeathSignal {
    /// At once.
    Kill,
    /// At once, but PostgreSQL takes its own children along.
    Quit,
}

impl Run {
    /// Starts the guard.
    ///
    /// # Errors
    /// When the guard cannot be started.
    pub fn begin(environment: &Environment) -> Result<Self> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let guard = Command::new("/proc/self/exe")
            .args(["guard", &id])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .context("start the guard")?;
        let own_executable = std::env::current_exe().context("find the local-stack program")?;
        let setpriv = environment.find_program("setpriv").unwrap_or_else(|| "/usr/bin/setpriv".into());
        let inherited = environment.get(RUN_VARIABLE).map(str::to_owned);
        Ok(Self { id, inherited, own_executable, setpriv, guard })
    }

    /// A command that dies with this process. Spawn it from a thread that lives as long as the process: the kernel
    /// watches the thread.
    #[must_use]
    pub fn command(&self, program: impl Into<OsString>, identity: Identity, signal: DeathSignal) -> Command {
        let mut command = match identity {
            // Not by path: the file may have been replaced by a newer build since we started.
            Identity::Same => Command::new("/proc/self/exe"),
            Identity::Unprivileged(user) => {
                let mut command = Command::new(&self.setpriv);
                command
                    .args(["--reuid", &user.to_string(), "--regid", &user.to_string(), "--clear-groups"])
                    .args(["--inh-caps=+dac_override", "--ambient-caps=+dac_override"])
                    // access(2), with which PostgreSQL looks for itself, would ignore the capability.
                    .args(["--securebits", "+no_setuid_fixup"])
                    .arg(self.own_executable.as_os_str().to_string_lossy().trim_end_matches(" (deleted)"));
                command
            }
        };
        let signal = match signal {
            DeathSignal::Kill => "kill",
            DeathSignal::Quit => "quit",
        };
        command
            .args(["launch", "--parent", &std::process::id().to_string(), "--signal", signal, "--"])
            .arg(program.into())
            .env(RUN_VARIABLE, self.marker())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// The same with an empty environment: for programs that must not see the caller's variables.
    #[must_use]
    pub fn clean_command(&self, program: impl Into<OsString>, identity: Identity, signal: DeathSignal) -> Command {
        let mut command = self.command(program, identity, signal);
        command.env_clear().env(RUN_VARIABLE, self.marker()).env("TZ", "UTC");
        command
    }

    fn marker(&self) -> String {
        match &self.inherited {
            Some(outer) => format!("{outer} {}", self.id),
            None => self.id.clone(),
        }
    }

    /// Has the guard kill whatever is left, and waits until it has.
    pub async fn end(mut self) {
        drop(self.guard.stdin.take());
        let _guard_is_slow = tokio::time::timeout(Duration::from_secs(12), self.guard.wait()).await;
    }
}

/// `local-stack launch`: ties this process to its parent and becomes the program.
///
/// # Errors
/// When the parent is gone already or the program cannot be executed.
pub fn launch(parent: u32, signal: DeathSignal, program: &OsString, arguments: &[OsString]) -> Result<Infallible> {
    let signal = match signal {
        DeathSignal::Kill => Signal::KILL,
        DeathSignal::Quit => Signal::QUIT,
    };
    rustix::process::set_parent_process_death_signal(Some(signal)).context("tie the process to its parent")?;
    // It may have died before the wish was known.
    let current = rustix::process::getppid().map(Pid::as_raw_nonzero).and_then(|pid| u32::try_from(pid.get()).ok());
    if current != Some(parent) {
        bail!("the supervisor is gone");
    }
    Err(std::process::Command::new(program).args(arguments).exec())
        .with_context(|| format!("execute {}", program.to_string_lossy()))
}

/// `local-stack guard`: waits for the supervisor's end, then kills what carries the run's id.
pub fn guard(id: &str) {
    let _end_of_file = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let left = carriers(id);
        if left.is_empty() {
            return;
        }
        for pid in left {
            let _gone_already = rustix::process::kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The living processes that carry this id in their environment, but for this one.
#[must_use]
pub fn carriers(id: &str) -> Vec<Pid> {
    let own = std::process::id();
    processes()
        .filter(|(number, _)| *number != own)
        .filter(|(number, _)| {
            let environment = std::fs::read(format!("/proc/{number}/environ")).unwrap_or_default();
            environment.windows(id.len()).any(|window| window == id.as_bytes())
        })
        .map(|(_, pid)| pid)
        .collect()
}

/// The living processes whose working directory is `folder`: PostgreSQL's, whatever became of their postmaster.
#[must_use]
pub fn working_in(folder: &std::path::Path) -> Vec<Pid> {
    processes()
        .filter(|(number, _)| std::fs::read_link(format!("/proc/{number}/cwd")).is_ok_and(|cwd| cwd == folder))
        .map(|(_, pid)| pid)
        .collect()
}

fn processes() -> impl Iterator<Item = (u32, Pid)> {
    std::fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| {
        let number: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        Some((number, Pid::from_raw(i32::try_from(number).ok()?)?))
    })
}
