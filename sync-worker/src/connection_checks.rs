//! What the sync-worker talks to, for `--check-connections`: all but the sources, which are its connections' own.

use std::time::Duration;

use shared_database::Migrations;
use shared_service::settings::EmbedderEndpoint;
use shared_service::{ConnectionCheck, clock};
use shared_stores::embedder::{Embedder, EmbedderConfig};
use shared_stores::{ArfStore, LedgerStore, VespaClient};

use crate::settings::Settings;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Each with a check of its own.
pub fn of(settings: &Settings) -> Vec<ConnectionCheck> {
    let (database_url, amqp_url) = (settings.database.database_url.clone(), settings.broker.amqp_url.clone());
    let (vespa_url, arf_url) = (settings.vespa.vespa_url.clone(), settings.arf.arf_url.clone());
    let database = shared_database::check(database_url, Migrations::MustBeThere);
    let broker = shared_messaging::check(amqp_url, "sync-worker");
    let vespa = async move { VespaClient::new(&vespa_url)?.check_application(TIMEOUT).await };
    let arf = async move { ArfStore::open_existing(&arf_url)?.check_access(clock::utc_now(), TIMEOUT).await };
    let needed = [
        ConnectionCheck::telling("PostgreSQL", database),
        ConnectionCheck::new("RabbitMQ", "it takes our exchanges and queues", broker),
        ConnectionCheck::new("Vespa", "it has our schemas and rank profiles", vespa),
        ConnectionCheck::new("object store", "a blob was written, read and removed", arf),
    ];
    let ledger = settings.ledger.ledger_url.clone().map(|url| {
        let reading = async move { LedgerStore::open_to_read(&url)?.check_read_access(TIMEOUT).await };
        ConnectionCheck::new("ledger store", "it can be read", reading)
    });
    needed.into_iter().chain(ledger).chain(settings.embedder.endpoint().map(embedder)).collect()
}

fn embedder(EmbedderEndpoint { url, model, dimensions, api_key }: EmbedderEndpoint) -> ConnectionCheck {
    let config = EmbedderConfig { url, model, dimensions, api_key, in_flight: 1 };
    ConnectionCheck::new("embedder", "it makes vectors", async move { Embedder::new(&config)?.check(TIMEOUT).await })
}
