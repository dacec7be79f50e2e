//! The demo: the main job, told on the terminal, on real data of this machine.
//!
//! Every sentence that claims something is checked against PostgreSQL, Vespa and the ARF folder themselves, beside our
//! own code; the demo succeeds only if every claim held.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::environment::Environment;
use crate::layout::Layout;
use crate::options::{Options, Scope};
use crate::ports::Ports;
use crate::postgres::Durability;
use crate::stack::Stack;
use crate::terminal::Progress;

mod client;
mod data;
mod facts;
mod screen;
mod story;

use screen::Screen;

/// How many real files are connected.
const FILES: usize = 3000;
/// The default settle delay is 60 s; nobody wants to look at it.
const SETTLE_DELAY: &str = "15s";
/// Slow enough that one sees the data go.
const DOCUMENTS_PER_SECOND: &str = "1500";

/// Runs the demo in a stack of its own; tells whether every claim held.
///
/// # Errors
/// What kept it from being told to its end.
pub async fn run(home: &Path, binaries: PathBuf, ignore_system: bool) -> Result<bool> {
    let folder = home.join("demo");
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let lock = crate::layout::try_lock(&home.join("demo.lock"))?.context("another demo is running here")?;
    // Each demo begins with nothing.
    std::fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    let layout = Layout { home: home.to_owned(), logs: folder.join("logs"), data: folder.clone() };
    let screen = Screen::new();
    screen.title("Unweave: delete a source connection, and prove that its data is gone");

    let files = folder.join("files");
    let caller = Environment::of_caller();
    let data = screen.task("copy real files: the sources of the crates that built this", FILES, |bar| {
        data::copy_files(&caller, &files, FILES, &|done| bar.set(done))
    })?;
    let mut ports = Ports::load(folder.join("ports.json"));
    let gateway = ports.take("gateway")?;
    ports.save()?;
    let environment = caller
        .with("LISTEN", &format!("127.0.0.1:{gateway}"))
        // The story is told over plain HTTP; an empty variable counts as none.
        .with("TLS_CERTIFICATE", "")
        .with("TLS_PRIVATE_KEY", "")
        .with("FILES_ROOTS", &format!("demo={}", files.display()))
        .with("SETTLE_DELAY", SETTLE_DELAY)
        .with("CLEANUP_DOCUMENTS_PER_SECOND", DOCUMENTS_PER_SECOND)
        // Progress is stored after each slice: shorter ones make a smoother bar.
        .with("PURGE_SLICE", "1s");
    let options = Options {
        layout: layout.clone(),
        scope: Scope::Everything,
        durability: Durability::Full,
        ignore_system,
        environment,
        binaries,
        progress: Progress::detect(),
    };
    screen.step("Start PostgreSQL, RabbitMQ, the Vespa stand-in, the gateway and one worker of each kind");
    let stack = Stack::start(options).await?;
    let told = tokio::select! {
        told = story::tell(&screen, &stack, &data) => told,
        stopped = interrupted() => stopped.and_then(|()| {
            screen.note("interrupted: stopping everything …");
            anyhow::bail!("interrupted")
        }),
    };
    stack.stop().await;
    drop(lock);
    let logs = layout.logs.display();
    let held = told.map_err(|error| anyhow::anyhow!("{error:#}; the logs are in {logs}"))?;
    screen.summary(&held, &layout.logs);
    Ok(held.all_held())
}

async fn interrupted() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    tokio::select! {
        ended = tokio::signal::ctrl_c() => ended.context("listen for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}

/// How long one part of the story may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(300);
