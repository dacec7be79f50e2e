//! The HTTP face of Unweave, and the coordinator of deletions.
//!
//! `main`'s runtime carries everything that must outlive a request: PostgreSQL sessions, deletions, relay, finisher.
//! Actix's workers only run the handlers. SIGTERM: no new requests, open ones and open deletions are waited for, then the
//! end, with code 0.

mod auth;
mod cleanup_events;
mod client_times;
mod collections;
mod connections;
mod context;
mod deletion;
mod deletion_preview;
mod documentation;
mod figures;
mod first_organization;
mod input;
mod keys;
mod openapi;
mod operation;
mod present;
mod problem;
mod rate_limit;
mod readable_id;
mod relay;
mod routes;
mod schedule;
mod search;
mod server;
mod settings;
mod state;
mod submission;

use std::time::Duration;

use anyhow::Context as _;
use shared_database::credentials::CredentialCipher;
use shared_database::{Database, DatabaseError};
use shared_messaging::Broker;
use shared_service::admin::{self, Health};
use shared_service::metrics::{self, MetricsHandle};
use shared_service::settings::{EmbedderEndpoint, load};
use shared_service::{Tasks, telemetry};
use shared_stores::embedder::{Embedder, EmbedderConfig};
use shared_stores::vespa::VespaClient;

use crate::cleanup_events::CleanupEvents;
use crate::deletion::background::FinisherTimes;
use crate::deletion::{CASCADE_MARGIN, Deletions};
use crate::relay::RelayBell;
use crate::settings::Settings;
use crate::state::AppState;

const SERVICE: &str = "api-gateway";
/// A stopping gateway waits for what runs beside requests this much longer than for them.
const DRAIN_MARGIN: Duration = Duration::from_secs(2);
const MIGRATION_RETRY: Duration = Duration::from_secs(1);
/// Questions that are embedded at the same time.
const QUESTIONS_IN_FLIGHT: u16 = 64;
const VESPA_PROBE_TIMEOUT: Duration = Duration::from_millis(1500);

fn main() -> anyhow::Result<()> {
    shared_service::install_tls_provider();
    shared_service::run(Box::pin(start()))?
}

async fn start() -> anyhow::Result<()> {
    if std::env::args_os().nth(1).is_some_and(|word| operation::is_one(&word)) {
        return operation::run().await;
    }
    let settings: Settings = load();
    telemetry::init(SERVICE, &settings.telemetry)?;
    let recorder = metrics::install()?;
    metrics::describe(figures::DESCRIPTIONS);
    figures::start_at_zero();
    deletion::start_figures_at_zero();
    rate_limit::start_figures_at_zero();
    let outcome = Box::pin(serve(settings, recorder)).await;
    if let Err(error) = &outcome {
        tracing::error!(error = format!("{error:#}"), "the gateway ends");
    }
    outcome
}

async fn serve(settings: Settings, recorder: MetricsHandle) -> anyhow::Result<()> {
    let tasks = Tasks::new();
    tasks.shutdown_on_signals()?;
    let database = Database::new(&settings.database.database_url, settings.database.database_pool_size)?;
    if !prepare(&database, &settings, &tasks).await? {
        return Ok(());
    }
    let state = assemble(&settings, &database, &tasks, recorder.clone())?;
    let figures = database.clone();
    let admin_health = Health::new(&tasks, recorder)
        .probe(routes::REQUIRED_PROBE, move || {
            let database = database.clone();
            async move { database.ping().await }
        })
        .collector(move || figures::collect(figures.clone()));
    let admin_address = admin::serve(settings.admin.admin_listen, admin_health, &tasks)?;
    tracing::info!(%admin_address, "health and metrics");

    let stop_bound = settings.protocol.times().cancel_wait + CASCADE_MARGIN;
    let stopping = server::run(settings.http, stop_bound, state, &tasks)?.await?;
    let left = (stop_bound + DRAIN_MARGIN).saturating_sub(stopping.elapsed());
    tasks.drain(left).await;
    tracing::info!("stopped");
    Ok(())
}

/// Brings the database to this version and makes the first organization; waits for PostgreSQL as long as it takes. False
/// if the process is to stop before that.
async fn prepare(database: &Database, settings: &Settings, tasks: &Tasks) -> anyhow::Result<bool> {
    loop {
        let attempt = async {
            shared_database::migrate(&settings.database.database_url).await?;
            first_organization::make(database, settings.initial_api_key.as_ref()).await
        };
        match attempt.await {
            Ok(()) => return Ok(true),
            Err(error @ (DatabaseError::Unavailable(_) | DatabaseError::TimedOut(_) | DatabaseError::Conflict(_))) => {
                tracing::warn!(%error, "PostgreSQL isn't ready; trying again");
            }
            Err(error) => return Err(error).context("prepare the database"),
        }
        tokio::select! {
            () = tasks.shutdown().cancelled() => return Ok(false),
            () = tokio::time::sleep(MIGRATION_RETRY) => {}
        }
    }
}

/// The embedder, if the settings name one.
fn embedder(settings: &Settings) -> anyhow::Result<Option<Embedder>> {
    let Some(EmbedderEndpoint { url, model, dimensions, api_key }) = settings.embedder.endpoint() else {
        return Ok(None);
    };
    Ok(Some(Embedder::new(&EmbedderConfig { url, model, dimensions, api_key, in_flight: QUESTIONS_IN_FLIGHT })?))
}

/// Builds what handlers share, and starts what runs beside them.
fn assemble(
    settings: &Settings,
    database: &Database,
    tasks: &Tasks,
    recorder: MetricsHandle,
) -> anyhow::Result<AppState> {
    let cipher = CredentialCipher::new(settings.credentials.credentials_keys.secrets()).context("CREDENTIALS_KEYS")?;
    let vespa = VespaClient::new(&settings.vespa.vespa_url).context("VESPA_URL")?;
    let embedder = embedder(settings)?;
    let broker = Broker::new(&settings.broker.amqp_url, SERVICE, tasks.tracker(), tasks.shutdown())?;
    let publisher = broker.publisher();
    let bell = RelayBell::default();
    let times = settings.protocol.times();
    let deletions = Deletions::new(database.clone(), publisher.clone(), times, bell.clone(), tasks.clone());
    relay::start(tasks, database, &publisher, &bell);
    let finisher = FinisherTimes { interval: settings.finisher_interval, age: settings.finisher_age };
    drop(deletions.start_background(&broker, finisher));
    let (probed_database, probed_publisher, probed_vespa) = (database.clone(), publisher.clone(), vespa.clone());
    let health = Health::new(tasks, recorder)
        .probe(routes::REQUIRED_PROBE, move || {
            let database = probed_database.clone();
            async move { database.ping().await.map_err(|_| "PostgreSQL doesn't answer") }
        })
        .probe("rabbitmq", move || {
            let is_connected = probed_publisher.is_connected();
            async move { if is_connected { Ok(()) } else { Err("not connected") } }
        })
        .probe("vespa", move || {
            let vespa = probed_vespa.clone();
            async move { vespa.ready(VESPA_PROBE_TIMEOUT).await.map_err(|_| "Vespa doesn't answer") }
        });
    Ok(AppState {
        database: database.clone(),
        deletions,
        cleanup_events: CleanupEvents::start(database, tasks),
        relay: bell,
        publisher,
        vespa,
        embedder,
        cipher,
        tasks: tasks.clone(),
        health,
        times: settings.http.times(),
        auth_enabled: settings.auth_enabled,
        rate_limits: settings.rate_limits(),
        offers_internal_sources: settings.enable_internal_sources,
    })
}
