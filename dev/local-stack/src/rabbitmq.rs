//! RabbitMQ with its management plugin: node `unweave@localhost`, on the loopback interface only, with an epmd of its
//! own on a private port (a shared one would outlive us, or tie two stacks together).
//!
//! What a crash leaves: a half-made database, in which even the user may be missing. A mark is written when the
//! broker has answered once; without it the next start begins afresh.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tokio::process::Command;

use crate::environment::Environment;
use crate::http::Http;
use crate::launch::{DeathSignal, Identity, Run};
use crate::layout::Layout;
use crate::packages::RabbitMq;
use crate::ports::Ports;
use crate::postgres::Durability;
use crate::probe::Probe;
use crate::processes::{Before, Processes, Terms};
use crate::secrets::Secrets;

/// The name of the child.
pub const NAME: &str = "rabbitmq";
/// The name of the child that maps node names to ports.
pub const EPMD: &str = "epmd";

const USER: &str = "unweave";

/// How to reach the broker.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// For clients: virtual host `/`.
    pub amqp: String,
    /// The management API, with user and password.
    pub management: String,
}

/// Gives the broker the limits that it has where it is deployed. A clone without the file does without.
///
/// # Errors
/// When the broker refuses them.
pub async fn apply_policies(addresses: &Addresses, definitions: &Path) -> Result<()> {
    let Ok(text) = std::fs::read_to_string(definitions) else { return Ok(()) };
    let url = format!("{}/api/definitions", addresses.management);
    Http::new()?.post_json(&url, text).await.with_context(|| format!("apply {}", definitions.display()))
}

/// The broker's ports.
#[derive(Debug, Clone, Copy)]
pub struct BrokerPorts {
    /// For clients.
    pub amqp: u16,
    management: u16,
    distribution: u16,
    epmd: u16,
}

impl BrokerPorts {
    /// Takes four free ports.
    ///
    /// # Errors
    /// When none is free.
    pub fn take(ports: &mut Ports) -> Result<Self> {
        Ok(Self {
            amqp: ports.take("rabbitmq")?,
            management: ports.take("rabbitmq-management")?,
            distribution: ports.take("rabbitmq-distribution")?,
            epmd: ports.take("epmd")?,
        })
    }
}

/// Starts epmd and RabbitMQ, and waits until both its doors answer.
///
/// # Errors
/// When the files cannot be written or the broker does not come up.
pub async fn start(
    run: &Run,
    processes: &Processes,
    installed: &RabbitMq,
    layout: &Layout,
    environment: &Environment,
    ports: BrokerPorts,
) -> Result<Addresses> {
    let folder = layout.data.join("rabbitmq");
    if folder.to_string_lossy().contains(char::is_whitespace) {
        bail!("RabbitMQ's scripts don't work in a folder with a space in its name: {}", folder.display());
    }
    let password = Secrets::open(&layout.data.join("secrets"))?.token("rabbitmq-password")?;
    let whole = folder.join("whole");
    if folder.exists() && !whole.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    write_settings(&folder, ports, &password)?;

    let mut epmd = run.clean_command(installed.epmd.as_os_str(), Identity::Same, DeathSignal::Kill);
    prepare_environment(&mut epmd, installed, environment, &folder, ports)?;
    epmd.args(["-port", &ports.epmd.to_string(), "-address", "127.0.0.1"]);
    let mapped = Probe::Listens(ports.epmd);
    let terms = Terms { before: Before::Nothing, serves: mapped.clone(), within: Duration::from_secs(10) };
    processes.serve(EPMD, epmd, &layout.log(EPMD), terms).await?;

    let mut command = run.clean_command(installed.server.as_os_str(), Identity::Same, DeathSignal::Kill);
    prepare_environment(&mut command, installed, environment, &folder, ports)?;
    let addresses = Addresses {
        amqp: format!("amqp://{USER}:{password}@127.0.0.1:{}/%2f", ports.amqp),
        management: format!("http://{USER}:{password}@127.0.0.1:{}", ports.management),
    };
    let page = format!("http://127.0.0.1:{}/api/overview", ports.management);
    let serves = Probe::Broker { http: Http::new()?, amqp: ports.amqp, page, user: USER, password };
    // Its script starts an epmd that isn't ours where it finds none.
    let terms = Terms { before: Before::Serves(mapped), serves, within: Duration::from_secs(120) };
    processes.serve(NAME, command, &layout.log(NAME), terms).await?;
    std::fs::write(&whole, "").with_context(|| format!("write {}", whole.display()))?;
    Ok(addresses)
}

/// Stops RabbitMQ and its epmd: gently when the data is to be kept.
pub async fn stop(processes: &Processes, durability: Durability) {
    match durability {
        Durability::Full => processes.stop(NAME, Signal::TERM, Duration::from_secs(25)).await,
        Durability::None => processes.stop(NAME, Signal::KILL, Duration::from_secs(5)).await,
    }
    processes.stop(EPMD, Signal::TERM, Duration::from_secs(2)).await;
}

fn write_settings(folder: &Path, ports: BrokerPorts, password: &str) -> Result<()> {
    for part in ["mnesia", "log", "home", "schema"] {
        let part = folder.join(part);
        std::fs::create_dir_all(&part).with_context(|| format!("create {}", part.display()))?;
    }
    let configuration = format!(
        "listeners.tcp.1 = 127.0.0.1:{}\n\
         management.tcp.ip = 127.0.0.1\n\
         management.tcp.port = {}\n\
         loopback_users = none\n\
         default_user = {USER}\n\
         default_pass = {password}\n\
         disk_free_limit.absolute = 50MB\n\
         log.file = false\n\
         log.console = true\n\
         log.console.level = warning\n",
        ports.amqp, ports.management
    );
    crate::secrets::write_private(&folder.join("rabbitmq.conf"), &configuration)?;
    std::fs::write(folder.join("enabled_plugins"), "[rabbitmq_management].\n").context("write enabled_plugins")?;
    std::fs::write(folder.join("rabbitmq-env.conf"), "").context("write rabbitmq-env.conf")?;
    std::fs::write(folder.join("advanced.config"), "[].\n").context("write advanced.config")
}

/// Says where everything is, so that nothing under `/etc` or `/var` is read or written, and nothing of the caller's.
fn prepare_environment(
    command: &mut Command,
    installed: &RabbitMq,
    environment: &Environment,
    folder: &Path,
    ports: BrokerPorts,
) -> Result<()> {
    let mut search: Vec<PathBuf> = installed.erlang.parent().map(Path::to_owned).into_iter().collect();
    search.extend(environment.search_path());
    command
        .current_dir(folder)
        .env("PATH", std::env::join_paths(search).context("put Erlang on the search path")?)
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", folder.join("home"))
        .env("ERL_EPMD_PORT", ports.epmd.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        // Without it the script stays between us and the server, and only the script would get our signals.
        .env("RUNNING_UNDER_SYSTEMD", "true")
        .env("RABBITMQ_NODENAME", "unweave@localhost")
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", ports.amqp.to_string())
        .env("RABBITMQ_DIST_PORT", ports.distribution.to_string())
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
        .env("RABBITMQ_CONF_ENV_FILE", folder.join("rabbitmq-env.conf"))
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
        .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("advanced.config"))
        .env("RABBITMQ_GENERATED_CONFIG_DIR", folder.join("schema"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
        .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_PID_FILE", folder.join("rabbitmq.pid"));
    if let Some(libraries) = &installed.libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    Ok(())
}
