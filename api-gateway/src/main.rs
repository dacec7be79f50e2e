//! The HTTP face of Unweave, and the coordinator of deletions.
//!
//! `main`'s runtime carries everything that must outlive a request: PostgreSQL sessions, deletions, relay, finisher.
//! Actix's workers only run the handlers. SIGTERM: no new requests, open ones and open deletions are waited for, then
//! the end: with code 0 if nothing was cut short.

mod auth;
mod cancel;
mod certificate;
mod cleanup_events;
mod client_times;
mod collections;
mod connection_checks;
mod connections;
mod context;
mod deletion;
mod deletion_preview;
mod documentation;
mod figures;
mod first_organization;
mod input;
mod ledger;
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
mod search_memory;
mod server;
mod settings;
mod state;
mod submission;

use std::time::Duration;

use anyhow::Context as _;
use shared_database::RowCipher;
use shared_database::{Database, DatabaseError};
use shared_ledger::Watch;
use shared_messaging::Broker;
use shared_service::settings::EmbedderEndpoint;
use shared_service::{About, Service};
use shared_stores::embedder::{Embedder, EmbedderConfig};
use shared_stores::vespa::{VespaClient, VespaError};

use crate::cleanup_events::CleanupEvents;
use crate::deletion::{CASCADE_MARGIN, Deletions, FinisherTimes};
use crate::relay::RelayBell;
use crate::search_memory::SearchMemory;
use crate::settings::Settings;
use crate::state::AppState;

/// Each request makes and drops many small things, and may end on another thread than the one that it began on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ABOUT: About<Settings> = About {
    name: "api-gateway",
    figures: &[
        figures::DESCRIPTIONS,
        shared_service::cleanup_figures::DESCRIPTIONS,
        shared_ledger::watch::DESCRIPTIONS,
    ],
    start_at_zero: || {
        figures::start_at_zero();
        deletion::start_figures_at_zero();
        rate_limit::start_figures_at_zero();
        shared_ledger::watch::start_at_zero();
    },
    telemetry: |settings| &settings.telemetry,
    threads: |settings| settings.runtime.threads(),
    connections: connection_checks::of,
};
/// A stopping gateway waits for what runs beside requests this much longer than for them.
const DRAIN_MARGIN: Duration = Duration::from_secs(2);
/// Questions that are embedded at the same time.
const QUESTIONS_IN_FLIGHT: u16 = 64;
const VESPA_PROBE_TIMEOUT: Duration = Duration::from_millis(1500);

fn main() -> anyhow::Result<()> {
    if let Some(operation) = shared_service::operation() {
        return operation::run(&operation);
    }
    shared_service::serve(ABOUT, serve)
}

async fn serve(settings: Settings, service: Service) -> anyhow::Result<()> {
    let database = Database::new(&settings.database.database_url, settings.database.database_pool_size)?;
    if settings.ledger.ledger_url.is_some() {
        database.history().watch();
    }
    let prepare = || prepare(&database, &settings);
    let prepared = service.wait_for("PostgreSQL", prepare, DatabaseError::is_retryable).await;
    if prepared.context("prepare the database")?.is_none() {
        return Ok(());
    }
    let watch = Watch::of(&settings.ledger, &database).map_err(anyhow::Error::msg).context("LEDGER_URL")?;
    if let Some(watch) = &watch {
        watch.begin().await;
        watch.clone().start(&service.driver);
    }
    let state = assemble(&settings, &database, watch, &service)?;
    let (probed, collected) = (database.clone(), database);
    let health = service
        .health()
        .probe(routes::REQUIRED_PROBE, move || {
            let database = probed.clone();
            async move { database.ping().await }
        })
        .collector(move || figures::collect(collected.clone()));
    service.serve_admin(settings.admin.admin_listen, health)?;

    let stop_bound = settings.protocol.times().cancel_wait + CASCADE_MARGIN;
    let stopping = server::run(settings.http, stop_bound, state, &service)?.await?;
    let left = (stop_bound + DRAIN_MARGIN).saturating_sub(stopping.elapsed());
    // What is cut short is not lost: the finisher and the relay of any gateway go on.
    Ok(service.drain(left).await?)
}

/// Brings the database to this version and makes the first organization.
async fn prepare(database: &Database, settings: &Settings) -> Result<(), DatabaseError> {
    shared_database::migrate(&settings.database.database_url).await?;
    first_organization::make(database, settings.initial_api_key.as_ref()).await
}

/// The embedder, if the settings name one.
fn embedder(settings: &Settings) -> anyhow::Result<Option<Embedder>> {
    let Some(EmbedderEndpoint { url, model, dimensions, api_key }) = settings.embedder.endpoint() else {
        return Ok(None);
    };
    Ok(Some(Embedder::new(&EmbedderConfig { url, model, dimensions, api_key, in_flight: QUESTIONS_IN_FLIGHT })?))
}

/// The client of Vespa. It is told the size of vectors: Vespa would take a question's that is too short.
fn vespa(settings: &Settings, embedder: Option<&Embedder>) -> Result<VespaClient, VespaError> {
    let builder = VespaClient::builder(&settings.vespa.vespa_url);
    match embedder {
        Some(embedder) => builder.dimensions(embedder.identity().dimensions).build(),
        None => builder.build(),
    }
}

/// Builds what handlers share, and starts what runs beside them.
fn assemble(
    settings: &Settings,
    database: &Database,
    watch: Option<Watch>,
    service: &Service,
) -> anyhow::Result<AppState> {
    let (tasks, driver) = (&service.tasks, &service.driver);
    let cipher = RowCipher::new(settings.credentials.credentials_keys.secrets()).context("CREDENTIALS_KEYS")?;
    let embedder = embedder(settings)?;
    let vespa = vespa(settings, embedder.as_ref()).context("VESPA_URL")?;
    let broker = Broker::new(&settings.broker.amqp_url, ABOUT.name, tasks.tracker(), tasks.shutdown())?;
    let publisher = broker.publisher();
    let bell = RelayBell::default();
    let times = settings.protocol.times();
    let deletions = Deletions::new(database.clone(), publisher.clone(), times, bell.clone(), tasks.clone());
    relay::start(driver, database, &publisher, &bell);
    let finisher = FinisherTimes { interval: settings.finisher_interval, age: settings.finisher_age };
    drop(deletions.start_background(&broker, driver, finisher));
    let (probed_database, probed_publisher, probed_vespa) = (database.clone(), publisher.clone(), vespa.clone());
    let health = service
        .health()
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
        })
        .probe("ledger", move || {
            let state = watch.as_ref().map_or(Ok(()), Watch::state);
            async move { state }
        });
    Ok(AppState {
        database: database.clone(),
        deletions,
        cleanup_events: CleanupEvents::start(database, service),
        relay: bell,
        publisher,
        vespa,
        search_memory: SearchMemory::default(),
        embedder,
        cipher,
        tasks: tasks.clone(),
        health,
        times: settings.http.times(),
        auth_enabled: settings.auth_enabled,
        rate_limits: settings.rate_limits(),
        source_settings: settings.sources.clone(),
        offers_internal_sources: settings.enable_internal_sources,
    })
}
