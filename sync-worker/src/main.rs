//! The sync-worker.
//!
//! SIGTERM stops the jobs that run here: no write starts, those under way are waited for, and each job is ended in its
//! row before the process ends.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use shared_database::Database;
use shared_database::RowCipher;
use shared_ledger::Watch;
use shared_messaging::{Broker, ConsumerHandle, Publisher, Subscription, WorkQueue};
use shared_models::LeaseOwner;
use shared_service::admin::Health;
use shared_service::settings::EmbedderEndpoint;
use shared_service::{About, Bell, BootClock, Service, Tasks};
use shared_stores::embedder::{Embedder, EmbedderConfig, Patience};
use shared_stores::{ArfStore, VespaClient};
use sync_worker::cancel::RunningJobs;
use sync_worker::job::{JobTools, LeaseHolder, ReadingTools};
use sync_worker::lease::WriteKind;
use sync_worker::pipeline::{Embedding, Limiter, Stores};
use sync_worker::settings::Settings;
use sync_worker::sources::SourceAccess;
use sync_worker::worker::{RunMessages, Worker};
use sync_worker::{connection_checks, figures, reaper, scheduler, vespa_application};
use tokio::sync::Semaphore;

/// A job makes and drops many small things on all threads: the system's own allocator took a tenth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long shutdown waits for jobs to stop: a write that stays unanswered is open for some seconds.
const DRAIN: Duration = Duration::from_secs(24);
/// Batches that are embedded at the same time, of all jobs.
const BATCHES_IN_FLIGHT: u16 = 4;
/// A model on a small machine takes some seconds for a batch.
const EMBEDDING_TIMEOUT: Duration = Duration::from_secs(30);
const STORE_PROBE: Duration = Duration::from_millis(1_500);

const ABOUT: About<Settings> = About {
    name: "sync-worker",
    figures: &[figures::DESCRIPTIONS, shared_ledger::watch::DESCRIPTIONS],
    start_at_zero: || {
        figures::start_at_zero();
        shared_ledger::watch::start_at_zero();
    },
    telemetry: |settings| &settings.telemetry,
    threads: |settings| settings.runtime.threads(),
    connections: connection_checks::of,
};

fn main() -> anyhow::Result<()> {
    shared_service::serve(ABOUT, serve)
}

async fn serve(settings: Settings, service: Service) -> anyhow::Result<()> {
    let tasks = service.tasks.clone();
    let broker = Broker::new(&settings.broker.amqp_url, ABOUT.name, tasks.tracker(), tasks.shutdown())?;
    let publisher = broker.publisher();
    let worker = Arc::new(worker(&settings, publisher.clone(), &tasks)?);
    let holder = &worker.tools.holder;
    let watch = Watch::of(&settings.ledger, &holder.control).map_err(anyhow::Error::msg).context("LEDGER_URL")?;
    if let Some(watch) = &watch {
        watch.begin().await;
        watch.clone().start(&service.driver);
    }

    let running = worker.running.clone();
    let control = broker.consume(Subscription::Control, &publisher, move |delivery| running.clone().handle(delivery));
    // One at a time: a message that this worker has no slot for stays with the broker, for another worker.
    let jobs = Subscription::Work { queue: WorkQueue::SyncJobs, prefetch: 1 };
    broker.consume(jobs, &publisher, RunMessages(worker.clone()));
    reaper::start(
        holder.control.clone(),
        publisher.clone(),
        settings.protocol.lease_guard,
        settings.sync.reaper_interval,
        &service.driver,
    );
    scheduler::start(&holder.control, settings.sync.scheduler_interval, &worker.look_now, &service);
    worker.look_for_jobs(&service.driver);
    let application = vespa_application::check(&worker, usize::from(settings.sync.max_jobs), &service.driver);

    let health = health(service.health(), &worker.tools, control, publisher);
    let health = health.probe("vespa_application", move || {
        let state = application.state();
        async move { state }
    });
    let health = health.probe("ledger", move || {
        let state = watch.as_ref().map_or(Ok(()), Watch::state);
        async move { state }
    });
    service.serve_admin(settings.admin.admin_listen, health)?;
    tracing::info!(lease_owner = %holder.owner, "started");

    service.until_shutdown().await;
    worker.running.stop_all();
    Ok(service.drain(DRAIN).await?)
}

fn worker(settings: &Settings, publisher: Publisher, tasks: &Tasks) -> anyhow::Result<Worker> {
    let url = &settings.database.database_url;
    let max_jobs = usize::from(settings.sync.max_jobs);
    let arf_url = &settings.arf.arf_url;
    let control = Database::new(url, max_jobs + 3)?;
    let history = control.history().clone();
    let tools = JobTools {
        holder: LeaseHolder {
            owner: LeaseOwner::random(),
            times: settings.protocol.times(),
            clock: Arc::new(BootClock),
            control,
        },
        reading: ReadingTools {
            cipher: RowCipher::new(settings.credentials.credentials_keys.secrets())
                .context("CREDENTIALS_KEYS holds no key")?,
            access: SourceAccess::new(settings.sources.clone(), settings.sync.max_blob_bytes).with_own_store(arf_url),
            has_internal_sources: settings.sync.enable_internal_sources,
        },
        database: Database::sharing(url, settings.database.database_pool_size, history)?,
        stores: Stores {
            vespa: VespaClient::new(&settings.vespa.vespa_url).context("set up the Vespa client")?,
            arf: ArfStore::from_url(arf_url).context("open the ARF store")?,
            arf_writes: if arf_url.scheme() == "file" { WriteKind::Blocking } else { WriteKind::Remote },
            limiter: Limiter::new(settings.sync.writes_in_flight),
        },
        blob_encryption: settings.sync.arf_encryption,
        embedding: embedding(settings)?,
        publisher,
        tasks: tasks.clone(),
    };
    Ok(Worker {
        tools: Arc::new(tools),
        running: Arc::new(RunningJobs::default()),
        slots: Arc::new(Semaphore::new(0)),
        look_now: Bell::default(),
    })
}

fn embedding(settings: &Settings) -> anyhow::Result<Option<Embedding>> {
    let Some(EmbedderEndpoint { url, model, dimensions, api_key }) = settings.embedder.endpoint() else {
        return Ok(None);
    };
    let embedder = Embedder::new(&EmbedderConfig { url, model, dimensions, api_key, in_flight: BATCHES_IN_FLIGHT })?;
    let total = settings.sync.embedder_patience;
    Ok(Some(Embedding { embedder, patience: Patience { request: EMBEDDING_TIMEOUT.min(total), total } }))
}

fn health(health: Health, tools: &JobTools, control: ConsumerHandle, publisher: Publisher) -> Health {
    let (database, vespa, arf) = (tools.holder.control.clone(), tools.stores.vespa.clone(), tools.stores.arf.clone());
    health
        .probe("database", move || {
            let database = database.clone();
            async move { database.ping().await }
        })
        .probe("broker", move || {
            let is_connected = publisher.is_connected() && control.is_connected();
            async move { if is_connected { Ok(()) } else { Err("not connected") } }
        })
        .probe("vespa", move || {
            let vespa = vespa.clone();
            async move { vespa.ready(STORE_PROBE).await }
        })
        .probe("arf", move || {
            let arf = arf.clone();
            async move { arf.ready(STORE_PROBE).await }
        })
}
