//! The cleanup-worker: purges what deleted syncs left in Vespa and the ARF store, on its own schedule,
//! and signs receipts.
//!
//! Several may run at once. Each claims due rows in PostgreSQL; whatever dies, the claim runs out and another goes on.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use cleanup_worker::bell::BellHandler;
use cleanup_worker::connection_checks;
use cleanup_worker::figures;
use cleanup_worker::ledger::{self, Ledger};
use cleanup_worker::orphan_sweep;
use cleanup_worker::settings::Settings;
use cleanup_worker::targets::Stores;
use cleanup_worker::work::Worker;
use cleanup_worker::{looks, slots};
use shared_database::Database;
use shared_ledger::{LedgerRecovery, Recovery, Watch};
use shared_messaging::{Broker, Subscription, WorkQueue};
use shared_models::{ProtocolTimes, PublisherId};
use shared_service::admin::Health;
use shared_service::{About, Bell, Service, cleanup_figures};
use shared_stores::VespaClient;
use shared_sweep::Sweep;

/// How long shutdown waits for the slices under way.
const DRAIN: Duration = Duration::from_secs(24);
const STORE_PROBE: Duration = Duration::from_millis(1_500);

const ABOUT: About<Settings> = About {
    name: "cleanup-worker",
    figures: &[figures::DESCRIPTIONS, cleanup_figures::DESCRIPTIONS, shared_ledger::watch::DESCRIPTIONS],
    start_at_zero: || {
        figures::start_at_zero();
        shared_ledger::watch::start_at_zero();
    },
    telemetry: |settings| &settings.telemetry,
    // Work waits for the stores far more than it computes, and waking a second thread costs more than it gains.
    threads: |settings| settings.runtime.threads().or(Some(NonZeroUsize::MIN)),
    connections: connection_checks::of,
};

fn main() -> anyhow::Result<()> {
    shared_service::serve(ABOUT, serve)
}

async fn serve(settings: Settings, service: Service) -> anyhow::Result<()> {
    let tasks = service.tasks.clone();
    let database = Database::new(&settings.database.database_url, settings.database.database_pool_size)?;
    let vespa = VespaClient::new(&settings.vespa.vespa_url).context("set up the Vespa client")?;
    let arf = settings.blobs.open().context("open the ARF store")?;
    if settings.blobs.arf_purge_versions {
        tracing::info!("earlier versions of blobs are purged, too");
    }
    let (signer, keys) = settings.ledger.signer().map_err(anyhow::Error::msg)?;
    tracing::info!(key = signer.label(), verifier_key = %signer.verifier(), "receipts are signed with this key");
    let ledger_store = settings.ledger.open().context("open the ledger store")?;
    if ledger_store.is_none() {
        tracing::warn!(
            "LEDGER_URL is not set: receipts are signed, and the ledger that proves them is in PostgreSQL alone; a restore \
             of PostgreSQL that brings deleted data back can't be noticed"
        );
    }
    let ledger = Ledger {
        database: database.clone(),
        signer: signer.clone(),
        keys,
        store: ledger_store,
        publisher: PublisherId::random(),
    };
    let watch = watch(&settings, &ledger);
    if let Some(watch) = &watch {
        watch.begin().await;
        watch.clone().start(&service.driver);
    }
    let (bell, found, to_ledger) = (Bell::default(), Bell::default(), Bell::default());
    let worker = Arc::new(Worker {
        database: database.clone(),
        stores: Stores::new(vespa.clone(), arf.clone()),
        signer,
        policy: settings.cleanup.policy(&settings.blobs, &settings.ledger.out_of_reach_for),
        tasks: tasks.clone(),
        to_ledger: to_ledger.clone(),
    });

    let broker = Broker::new(&settings.broker.amqp_url, ABOUT.name, tasks.tracker(), tasks.shutdown())?;
    let publisher = broker.publisher();
    let requests = Subscription::Work { queue: WorkQueue::CleanupRequests, prefetch: 1 };
    broker.consume(
        requests,
        &publisher,
        BellHandler { bell: bell.clone(), driver: service.driver.clone(), database: database.clone() },
    );

    let (read, is_published) = (database.clone(), ledger.store.is_some());
    let health = health(service.health(), &database, &worker).collector(move || {
        let database = read.clone();
        async move {
            match database.ledger_pending(is_published).await {
                Ok(pending) => figures::ledger_pending(pending),
                Err(error) => tracing::warn!(%error, "read the figures of the ledger"),
            }
        }
    });
    let watched = watch.clone();
    let health = health.probe("ledger", move || {
        let state = watched.as_ref().map_or(Ok(()), Watch::state);
        async move { state }
    });
    service.serve_admin(settings.admin.admin_listen, health)?;

    let (slots, poll) = (settings.cleanup.cleanup_slots, settings.cleanup.cleanup_poll_interval);
    if let Some(policy) = settings.orphans.policy() {
        let sweep = Sweep { database: database.clone(), vespa, arf };
        orphan_sweep::start(sweep, policy, &bell, &service.driver, &tasks);
    }
    ledger::start(ledger, watch, &to_ledger, &service.driver);
    looks::start(worker.clone(), poll, &bell, &found, &service.driver);
    slots::fill(worker, slots, poll, &found, &bell, &service.driver);
    service.until_shutdown().await;
    Ok(service.drain(DRAIN).await?)
}

/// Looks at the ledger store, and puts back by itself what a failover lost if the settings say so.
fn watch(settings: &Settings, ledger: &Ledger) -> Option<Watch> {
    let store = ledger.store.clone()?;
    let origin = ledger.signer.verifier().origin().clone();
    let times = ProtocolTimes::default();
    let recovery = Recovery {
        database: ledger.database.clone(),
        store: store.clone(),
        origin: origin.clone(),
        keys: ledger.keys.clone(),
        signer: ledger.signer.clone(),
        silence_after: times.silence_after(),
        guard: times.lease_guard,
        // A failover of PostgreSQL leaves the stores as they are.
        rewrites: false,
    };
    let is_required = settings.ledger.store.ledger_required;
    let watch = Watch::new(ledger.database.clone(), store, origin, is_required).with_keys(ledger.keys.clone());
    Some(match settings.ledger.ledger_recovery {
        LedgerRecovery::Automatic => watch.with_recovery(recovery),
        LedgerRecovery::Manual => watch,
    })
}

/// Ready without the broker: the timers do the work then.
fn health(health: Health, database: &Database, worker: &Arc<Worker>) -> Health {
    let (probed, read, worker) = (database.clone(), database.clone(), worker.clone());
    health
        .probe("database", move || {
            let database = probed.clone();
            async move { database.ping().await }
        })
        .probe("stores", move || {
            let worker = worker.clone();
            async move { worker.stores.ready(STORE_PROBE).await }
        })
        .collector(move || {
            let database = read.clone();
            async move {
                match database.cleanup_stats().await {
                    Ok(stats) => cleanup_figures::show(&stats),
                    Err(error) => tracing::warn!(%error, "read the figures of cleanups"),
                }
            }
        })
}
