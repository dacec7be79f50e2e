//! `up`, `down`, `status`, `clean`: a stack that stays.
//!
//! The supervisor is the process that owns the stack. It holds the lock `.local/lock` as long as it lives, so whether
//! a stack runs is known from the lock alone: a process id in a file proves nothing. As long as it runs, a child that
//! ends is started again.

use std::fs::File;
use std::io::Write as _;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::environment::RUN_VARIABLE;
use crate::layout::{Layout, try_lock};
use crate::logs;
use crate::options::Options;
use crate::stack::Stack;
use crate::terminal::{Event, Progress, say};

mod children;
mod env_file;
mod keeper;
mod status;

pub use env_file::read as read_env_file;
pub use status::{State, Status, status};

use keeper::Keeper;

/// How long `down` waits for everything to drain before it kills the supervisor, and with it everything.
const DOWN_WITHIN: Duration = Duration::from_secs(90);

/// Runs a stack until a signal comes.
///
/// # Errors
/// When one runs already, or it does not come up.
pub async fn supervise(options: Options) -> Result<()> {
    let layout = options.layout.clone();
    let _lock = claim(&layout)?;
    let mut terminated = signal(SignalKind::terminate()).context("listen for signals")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("listen for signals")?;
    let mut stack = Stack::new(options)?;
    let brought_up = tokio::select! {
        result = stack.bring_up() => result,
        _ = terminated.recv() => Err(anyhow::anyhow!("stopped while starting")),
        _ = interrupted.recv() => Err(anyhow::anyhow!("stopped while starting")),
    };
    let outcome = match brought_up.and_then(|()| keeper(&stack)) {
        Ok(keeper) => tokio::select! {
            () = keeper.keep() => Ok(()),
            _ = terminated.recv() => Ok(()),
            _ = interrupted.recv() => Ok(()),
        },
        Err(error) => Err(error),
    };
    stack.stop().await;
    let _was_never_written = std::fs::remove_file(layout.env_file());
    outcome
}

/// Takes the lock and writes our process id into it.
fn claim(layout: &Layout) -> Result<File> {
    std::fs::create_dir_all(&layout.data).with_context(|| format!("create {}", layout.data.display()))?;
    let path = layout.data.join("lock");
    let Some(mut lock) = try_lock(&path)? else {
        bail!("a stack runs here already: `make down` stops it");
    };
    lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())).context("write the lock")?;
    // Of a supervisor that was killed.
    let _absent = std::fs::remove_file(layout.env_file());
    Ok(lock)
}

/// Takes the stack into care, and says how to reach it: here, or to the `up` that waits.
fn keeper(stack: &Stack) -> Result<Keeper<'_>> {
    let keeper = Keeper::new(stack)?;
    match stack.options().progress {
        Progress::Events => Progress::Events.send(&Event::Ready),
        Progress::Terminal | Progress::Lines => say(&summary(&stack.options().layout)?),
    }
    Ok(keeper)
}

fn summary(layout: &Layout) -> Result<String> {
    let file = layout.env_file();
    let settings = read_env_file(&file)?;
    let setting = |name: &str| settings.get(name).map(String::as_str);
    let more = format!("More in {}; logs in {}; `make down` stops it.", file.display(), layout.logs.display());
    Ok(match (setting("UNWEAVE_URL"), setting("UNWEAVE_API_KEY")) {
        (Some(url), Some(key)) => format!("URL      {url}\nAPI key  {key}\n{more}"),
        _ => more,
    })
}

/// Starts a supervisor that outlives us, and waits until its stack is ready.
///
/// # Errors
/// When one runs already, or it does not come up: then with its words.
pub async fn up_in_background(layout: &Layout, arguments: &[std::ffi::OsString], progress: Progress) -> Result<()> {
    let log = layout.log("supervisor");
    logs::bound(&log)?;
    let errors = logs::append(&log)?;
    let mut supervisor = Command::new(std::env::current_exe().context("find the local-stack program")?)
        .args(arguments)
        // It isn't part of the run that it was started in: it stays.
        .env_remove(RUN_VARIABLE)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .context("start the supervisor")?;
    let pid = supervisor.id();
    let events = supervisor.stdout.take().context("listen to the supervisor")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("listen for signals")?;
    let mut terminated = signal(SignalKind::terminate()).context("listen for signals")?;
    let outcome = tokio::select! {
        outcome = follow(events, progress) => outcome,
        _ = interrupted.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminated.recv() => Err(anyhow::anyhow!("terminated")),
    };
    match outcome {
        Ok(()) => {
            say(&summary(layout)?);
            Ok(())
        }
        Err(error) => {
            tell(pid, Signal::TERM);
            let status: Result<ExitStatus, _> = supervisor.wait().await;
            status.context("wait for the supervisor")?;
            Err(error)
        }
    }
}

/// Shows what the supervisor does until it is ready.
async fn follow(events: tokio::process::ChildStdout, progress: Progress) -> Result<()> {
    let mut lines = BufReader::new(events).lines();
    let mut steps = Vec::new();
    while let Some(line) = lines.next_line().await.context("listen to the supervisor")? {
        match serde_json::from_str(&line) {
            Ok(Event::Begun { step }) => steps.push((step.clone(), progress.begin(&step))),
            Ok(Event::Done { step, detail }) => {
                if let Some(place) = steps.iter().position(|(name, _)| *name == step) {
                    steps.swap_remove(place).1.done(&detail);
                }
            }
            Ok(Event::Ready) => return Ok(()),
            Ok(Event::Failed { reason }) => bail!("{reason}"),
            Err(error) => bail!("the supervisor said {line:?}: {error}"),
        }
    }
    bail!("the supervisor ended without a word; see its log")
}

/// Stops the stack, if one runs; gives whether one did.
///
/// # Errors
/// When it cannot be stopped.
pub async fn down(layout: &Layout) -> Result<bool> {
    let Some(pid) = running(layout)? else { return Ok(false) };
    tell(Some(pid), Signal::TERM);
    let deadline = Instant::now() + DOWN_WITHIN;
    while running(layout)?.is_some() {
        if Instant::now() > deadline {
            tell(Some(pid), Signal::KILL);
            bail!("the stack did not stop within {} s and was killed", DOWN_WITHIN.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(true)
}

/// The supervisor's process id, if a stack runs here.
///
/// # Errors
/// When the lock cannot be read.
pub fn running(layout: &Layout) -> Result<Option<u32>> {
    let path = layout.data.join("lock");
    if !path.exists() || try_lock(&path)?.is_some() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(Some(text.trim().parse().with_context(|| format!("read {}", path.display()))?))
}

/// Removes all data, but not the unpacked packages.
///
/// # Errors
/// When a stack runs, or a folder cannot be removed.
pub fn clean(layout: &Layout) -> Result<()> {
    if running(layout)?.is_some() {
        bail!("a stack runs here: `make down` stops it");
    }
    for part in ["postgres", "rabbitmq", "vespa", "arf", "secrets", "logs", "demo"] {
        let folder = layout.data.join(part);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
        }
    }
    for file in [layout.data.join("ports.json"), layout.env_file(), children::file(layout)] {
        let _absent = std::fs::remove_file(file);
    }
    Ok(())
}

fn tell(pid: Option<u32>, signal: Signal) {
    if let Some(pid) = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw) {
        let _gone_already = rustix::process::kill_process(pid, signal);
    }
}
