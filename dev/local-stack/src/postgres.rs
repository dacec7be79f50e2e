//! PostgreSQL: on the loopback interface only, with a password, without unix sockets.
//!
//! What a crash leaves: a half-made data folder (made under another name and renamed when whole), and what
//! [`crate::leftovers`] clears away before each start.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tokio::process::Command;

use crate::environment::Environment;
use crate::launch::{DeathSignal, Identity, Run};
use crate::layout::Layout;
use crate::packages::Postgres;
use crate::probe::Probe;
use crate::processes::{Before, Processes, Terms};
use crate::secrets::{Secrets, write_private};

/// The name of the child.
pub const NAME: &str = "postgres";

/// The uid of `nobody`, which every distribution has; PostgreSQL refuses to run as root.
const NOBODY: u32 = 65_534;

/// How much a crash of the machine may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed.
    Full,
    /// All of it: the data is thrown away anyway.
    None,
}

/// Starts PostgreSQL and gives the URL of its superuser.
///
/// # Errors
/// When the data folder cannot be made, or the server does not come up.
pub async fn start(
    run: &Run,
    processes: &Processes,
    installed: &Postgres,
    layout: &Layout,
    environment: &Environment,
    port: u16,
    durability: Durability,
) -> Result<String> {
    let identity = identity(environment)?;
    let folder = layout.data.join("postgres");
    let data = folder.join("data");
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let password = Secrets::open(&layout.data.join("secrets"))?.token("postgres-password")?;

    if !data.exists() {
        create(run, processes, installed, layout, identity, &folder, &password).await?;
    }

    let mut command = run.clean_command(installed.bin.join("postgres"), identity, DeathSignal::Quit);
    prepare_environment(&mut command, installed);
    command.arg("-D").arg(&data).args(["-p", &port.to_string()]);
    for setting in settings(durability) {
        command.args(["-c", setting]);
    }
    let url = format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres");
    let terms =
        Terms { before: Before::Clear(data), serves: Probe::Queries(url.clone()), within: Duration::from_secs(60) };
    processes.serve(NAME, command, &layout.log(NAME), terms).await?;
    Ok(url)
}

/// Stops PostgreSQL: a fast shutdown when the data is to be kept, an immediate one otherwise.
pub async fn stop(processes: &Processes, durability: Durability) {
    match durability {
        Durability::Full => processes.stop(NAME, Signal::INT, Duration::from_secs(20)).await,
        Durability::None => processes.stop(NAME, Signal::QUIT, Duration::from_secs(6)).await,
    }
}

fn settings(durability: Durability) -> Vec<&'static str> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=400",
        // Needs LLVM, which is twice the size of all the rest and not downloaded.
        "jit=off",
        "timezone=UTC",
        "log_timezone=UTC",
    ];
    match durability {
        Durability::Full => {}
        // A crash of the server loses nothing even so, only one of the machine does.
        Durability::None => settings.extend(["fsync=off", "full_page_writes=off", "autovacuum_naptime=10s"]),
    }
    settings
}

fn identity(environment: &Environment) -> Result<Identity> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Identity::Same);
    }
    if environment.find_program("setpriv").is_none() {
        bail!("PostgreSQL refuses to run as root, and setpriv (package util-linux), which would help, is missing");
    }
    Ok(Identity::Unprivileged(NOBODY))
}

async fn create(
    run: &Run,
    processes: &Processes,
    installed: &Postgres,
    layout: &Layout,
    identity: Identity,
    folder: &Path,
    password: &str,
) -> Result<()> {
    let draft = folder.join("data.draft");
    if draft.exists() {
        std::fs::remove_dir_all(&draft).with_context(|| format!("remove {}", draft.display()))?;
    }
    let password_file = folder.join("password");
    write_private(&password_file, password)?;
    let mut command = run.clean_command(installed.bin.join("initdb"), identity, DeathSignal::Kill);
    prepare_environment(&mut command, installed);
    command.arg("-D").arg(&draft).arg("--pwfile").arg(&password_file).args([
        "--username=postgres",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]);
    processes.spawn("initdb", command, &layout.log("initdb"))?;
    let status = tokio::time::timeout(Duration::from_secs(120), processes.wait_exit("initdb")).await;
    let status = status.context("initdb did not end within two minutes")??;
    if !status.success() {
        bail!("initdb failed{}", processes.tail("initdb"));
    }
    processes.stop("initdb", Signal::KILL, Duration::ZERO).await;
    std::fs::remove_file(&password_file).context("remove the password file")?;
    std::fs::rename(&draft, folder.join("data")).context("rename the new data folder")
}

fn prepare_environment(command: &mut Command, installed: &Postgres) {
    command.env("LC_ALL", "C").env("PATH", &installed.bin).current_dir("/");
    // Spoken by sessions whose `lc_messages` isn't C: a test sees what errors in another language do.
    command.env("LANGUAGE", "de");
    if let Some(libraries) = &installed.libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
}
