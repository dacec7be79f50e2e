//! The Vespa stand-in and our services: which settings each gets, and in which order they start and stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::Signal;

use crate::given;
use crate::http::Http;
use crate::launch::{DeathSignal, Identity, Run};
use crate::options::Options;
use crate::ports::{Ports, is_free};
use crate::probe::Probe;
use crate::processes::{Before, Processes, Terms};
use crate::secrets::Secrets;

/// The name of the child that stands in for Vespa.
pub const VESPA: &str = "vespa-standin";
/// The name of the gateway, as child and as executable.
pub const GATEWAY: &str = "api-gateway";
/// The name of the sync-worker, as child and as executable.
pub const SYNC_WORKER: &str = "sync-worker";
/// The name of the cleanup-worker, as child and as executable.
pub const CLEANUP_WORKER: &str = "cleanup-worker";

const DEFAULT_LISTEN: &str = "127.0.0.1:8001";

/// The ledger's name, on a machine of one person.
const DEFAULT_ORIGIN: &str = "unweave.localhost/ledger";

/// What each service is told. The rest of the caller's variables reach all of them.
const GATEWAY_KNOWS: &[&str] = &[
    "DATABASE_URL",
    "AMQP_URL",
    "VESPA_URL",
    "LEDGER_URL",
    "LEDGER_ORIGIN",
    "CREDENTIALS_KEYS",
    "INITIAL_API_KEY",
    "FILES_ROOT_NAMES",
    "LISTEN",
];
const SYNC_WORKER_KNOWS: &[&str] = &[
    "DATABASE_URL",
    "AMQP_URL",
    "VESPA_URL",
    "ARF_URL",
    "LEDGER_URL",
    "LEDGER_ORIGIN",
    "CREDENTIALS_KEYS",
    "FILES_ROOTS",
];
const CLEANUP_WORKER_KNOWS: &[&str] =
    &["DATABASE_URL", "AMQP_URL", "VESPA_URL", "ARF_URL", "LEDGER_URL", "LEDGER_ORIGIN", "LEDGER_KEYS"];

/// How long our services may take to become ready: the gateway runs the migrations first.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long they may take to drain when asked to end.
const DRAIN_WITHIN: Duration = Duration::from_secs(25);

/// How to reach the services.
#[derive(Debug, Clone)]
pub struct Services {
    /// The gateway.
    pub gateway: String,
    /// The API key that the gateway knows from the start.
    pub api_key: String,
    /// The Vespa stand-in, or the Vespa that the caller named.
    pub vespa: String,
    /// Where the raw captures are.
    pub arf: String,
    /// Health and metrics, by service.
    pub admin: Vec<(&'static str, String)>,
}

/// How the services reach what they need.
#[derive(Debug, Clone, Copy)]
pub struct Servers<'a> {
    /// PostgreSQL, as superuser.
    pub database: &'a str,
    /// RabbitMQ.
    pub amqp: &'a str,
    /// The Vespa stand-in, or the Vespa that the caller named.
    pub vespa: &'a str,
}

/// The ports of the services, but for the gateway's own, which is fixed.
#[derive(Debug, Clone, Copy)]
pub struct ServicePorts {
    vespa: u16,
    gateway_admin: u16,
    sync_worker_admin: u16,
    cleanup_worker_admin: u16,
}

impl ServicePorts {
    /// Takes free ports.
    ///
    /// # Errors
    /// When none is free.
    pub fn take(ports: &mut Ports) -> Result<Self> {
        Ok(Self {
            vespa: ports.take("vespa")?,
            gateway_admin: ports.take("gateway-admin")?,
            sync_worker_admin: ports.take("sync-worker-admin")?,
            cleanup_worker_admin: ports.take("cleanup-worker-admin")?,
        })
    }
}

/// Says at once what would otherwise fail after ten seconds: executables that aren't built, a port that is taken.
///
/// # Errors
/// As said.
pub fn check_prerequisites(options: &Options) -> Result<()> {
    for name in [VESPA, GATEWAY, SYNC_WORKER, CLEANUP_WORKER] {
        let path = options.binaries.join(name);
        if !path.is_file() {
            bail!("{} is not built: run `cargo build --workspace` first", path.display());
        }
    }
    let listen = listen(options)?;
    if listen.port() != 0 && listen.ip().is_loopback() && !is_free(listen.port()) {
        bail!("port {} is taken by another program: stop it, or set LISTEN=127.0.0.1:PORT", listen.port());
    }
    Ok(())
}

fn listen(options: &Options) -> Result<SocketAddr> {
    let text = options.environment.get("LISTEN").unwrap_or(DEFAULT_LISTEN);
    text.parse().with_context(|| format!("LISTEN must be an address and a port, not {text:?}"))
}

/// Starts the Vespa stand-in, unless the caller named a Vespa. Gives the URL.
///
/// # Errors
/// When it does not come up.
pub async fn start_vespa(run: &Run, processes: &Processes, options: &Options, ports: ServicePorts) -> Result<String> {
    if let Some(url) = given::server(options, "VESPA_URL").await? {
        return Ok(url);
    }
    let step = options.progress.begin("Vespa stand-in");
    let data = options.layout.data.join("vespa");
    std::fs::create_dir_all(&data).with_context(|| format!("create {}", data.display()))?;
    let mut command = run.command(options.binaries.join(VESPA), Identity::Same, DeathSignal::Kill);
    command.args(["--listen", &format!("127.0.0.1:{}", ports.vespa)]).arg("--data").arg(&data);
    command.envs(options.environment.iter()).env_remove("LISTEN");
    // It refuses vectors of any other size than the one it was told.
    if let Some(dimensions) = options.environment.get("EMBEDDER_DIMENSIONS") {
        command.env("EMBEDDING_DIMENSIONS", dimensions);
    }
    let url = format!("http://127.0.0.1:{}", ports.vespa);
    let serves = Probe::Answers(Http::new()?, url.clone());
    let terms = Terms { before: Before::Nothing, serves, within: Duration::from_secs(20) };
    processes.serve(VESPA, command, &options.layout.log(VESPA), terms).await?;
    step.done(&format!("on port {}", ports.vespa));
    Ok(url)
}

/// Starts the gateway, then the workers: the gateway brings the database to the newest schema.
///
/// # Errors
/// Says which service failed, with the end of its log.
pub async fn start(
    run: &Run,
    processes: &Processes,
    options: &Options,
    servers: Servers<'_>,
    ports: ServicePorts,
) -> Result<Services> {
    let settings = Settings::gather(options, servers)?;
    let http = Http::new()?;
    let begin = async |name: &'static str, knows: &[&str], admin_port: u16, ready: &str| -> Result<()> {
        let step = options.progress.begin(name);
        let mut command = run.command(options.binaries.join(name), Identity::Same, DeathSignal::Kill);
        command.envs(options.environment.iter());
        for (variable, value) in &settings.0 {
            if knows.contains(variable) {
                command.env(variable, value);
            } else {
                command.env_remove(variable);
            }
        }
        command.env("ADMIN_LISTEN", format!("127.0.0.1:{admin_port}"));
        let serves = Probe::Ready(http.clone(), ready.to_owned());
        let terms = Terms { before: Before::Nothing, serves, within: READY_WITHIN };
        processes.serve(name, command, &options.layout.log(name), terms).await?;
        step.done(&format!("on {}", ready.trim_end_matches("/health/ready").trim_start_matches("http://")));
        Ok(())
    };

    let listen = listen(options)?;
    let gateway = format!("{}://{}", scheme(options), reachable(listen));
    let admin = |port: u16| format!("http://127.0.0.1:{port}");
    let (sync, cleanup) = (admin(ports.sync_worker_admin), admin(ports.cleanup_worker_admin));
    begin(GATEWAY, GATEWAY_KNOWS, ports.gateway_admin, &format!("{gateway}/health/ready")).await?;
    let (sync_ready, cleanup_ready) = (format!("{sync}/health/ready"), format!("{cleanup}/health/ready"));
    tokio::try_join!(
        begin(SYNC_WORKER, SYNC_WORKER_KNOWS, ports.sync_worker_admin, &sync_ready),
        begin(CLEANUP_WORKER, CLEANUP_WORKER_KNOWS, ports.cleanup_worker_admin, &cleanup_ready),
    )?;
    Ok(Services {
        gateway,
        api_key: settings.get("INITIAL_API_KEY")?,
        vespa: servers.vespa.to_owned(),
        arf: settings.get("ARF_URL")?,
        admin: vec![(GATEWAY, admin(ports.gateway_admin)), (SYNC_WORKER, sync), (CLEANUP_WORKER, cleanup)],
    })
}

/// Asks the workers, then the gateway, to drain, and stops the stand-in.
pub async fn stop(processes: &Processes) {
    tokio::join!(
        processes.stop(SYNC_WORKER, Signal::TERM, DRAIN_WITHIN),
        processes.stop(CLEANUP_WORKER, Signal::TERM, DRAIN_WITHIN),
    );
    processes.stop(GATEWAY, Signal::TERM, DRAIN_WITHIN).await;
    processes.stop(VESPA, Signal::TERM, Duration::from_secs(5)).await;
}

/// An address at which a server that listens everywhere can be reached from here.
fn reachable(listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], listen.port())) } else { listen }
}

/// What the gateway speaks: HTTPS once the caller names a certificate.
fn scheme(options: &Options) -> &'static str {
    if options.environment.get("TLS_CERTIFICATE").is_some() { "https" } else { "http" }
}

/// The settings that are ours to give: the caller's value where there is one.
struct Settings(Vec<(&'static str, String)>);

impl Settings {
    fn gather(options: &Options, servers: Servers<'_>) -> Result<Self> {
        let caller = |name: &str| options.environment.get(name).map(str::to_owned);
        let secrets = Secrets::open(&options.layout.data.join("secrets"))?;
        let or_token = |name: &str, file: &str| caller(name).map_or_else(|| secrets.token(file), Ok);
        let or_key = |name: &str, file: &str| caller(name).map_or_else(|| secrets.key(file), Ok);
        let arf = caller("ARF_URL").map_or_else(|| folder_url(&options.layout.data.join("arf")), Ok)?;
        let ledger = caller("LEDGER_URL").map_or_else(|| ledger_url(&options.layout.data.join("ledger")), Ok)?;
        let roots = caller("FILES_ROOTS").unwrap_or_else(|| default_roots(options));
        Ok(Self(vec![
            ("DATABASE_URL", servers.database.to_owned()),
            ("AMQP_URL", servers.amqp.to_owned()),
            ("VESPA_URL", servers.vespa.to_owned()),
            ("ARF_URL", arf),
            ("CREDENTIALS_KEYS", or_key("CREDENTIALS_KEYS", "credentials-key")?),
            ("LEDGER_KEYS", or_key("LEDGER_KEYS", "ledger-key")?),
            ("LEDGER_ORIGIN", caller("LEDGER_ORIGIN").unwrap_or_else(|| DEFAULT_ORIGIN.to_owned())),
            ("LEDGER_URL", ledger),
            ("INITIAL_API_KEY", or_token("INITIAL_API_KEY", "api-key")?),
            ("FILES_ROOT_NAMES", caller("FILES_ROOT_NAMES").unwrap_or_else(|| root_names(&roots))),
            ("FILES_ROOTS", roots),
            ("LISTEN", listen(options)?.to_string()),
        ]))
    }

    fn get(&self, name: &str) -> Result<String> {
        let found = self.0.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| value.clone()).with_context(|| format!("{name} is not set"))
    }
}

/// With the log's folder, without which those who only read find nothing that they could read.
fn ledger_url(folder: &Path) -> Result<String> {
    folder_url(&folder.join("log"))?;
    folder_url(folder)
}

fn folder_url(folder: &Path) -> Result<String> {
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let url = url::Url::from_file_path(folder).map_err(|()| anyhow!("{} is not absolute", folder.display()))?;
    Ok(url.to_string())
}

/// What the gateway is told of the roots.
fn root_names(roots: &str) -> String {
    let names = roots.split(',').filter_map(|root| root.split_once('=')).map(|(name, _)| name.trim());
    let names = names.collect::<Vec<_>>().join(",");
    if names.is_empty() { "none".to_owned() } else { names }
}

/// The sources of the crates that built this: a folder of real text on every machine that can build it.
fn default_roots(options: &Options) -> String {
    let home = || options.environment.get("HOME").map(|home| Path::new(home).join(".cargo"));
    let cargo = options.environment.get("CARGO_HOME").map(PathBuf::from).or_else(home);
    let sources = cargo.map(|cargo| cargo.join("registry/src")).filter(|sources| sources.is_dir());
    sources.map_or_else(String::new, |sources| format!("cargo={}", sources.display()))
}
