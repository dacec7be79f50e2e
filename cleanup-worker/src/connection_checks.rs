//! What the cleanup-worker talks to, for `--check-connections`.

use std::time::Duration;

use shared_database::Migrations;
use shared_service::{ConnectionCheck, clock};
use shared_stores::{LedgerStore, VespaClient};

use crate::settings::Settings;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Each with a check of its own.
pub fn of(settings: &Settings) -> Vec<ConnectionCheck> {
    let (database_url, amqp_url) = (settings.database.database_url.clone(), settings.broker.amqp_url.clone());
    let (vespa_url, blobs) = (settings.vespa.vespa_url.clone(), settings.blobs.clone());
    let database = shared_database::check(database_url, Migrations::MustBeThere);
    let broker = shared_messaging::check(amqp_url, "cleanup-worker");
    let vespa = async move { VespaClient::new(&vespa_url)?.check_application(TIMEOUT).await };
    let arf = async move { blobs.open_existing()?.check_access(clock::utc_now(), TIMEOUT).await };
    let mut checks = vec![
        ConnectionCheck::telling("PostgreSQL", database),
        ConnectionCheck::new("RabbitMQ", "it takes our exchanges and queues", broker),
        ConnectionCheck::new("Vespa", "it has our schemas and rank profiles", vespa),
        ConnectionCheck::new("object store", "a blob was written, read and removed", arf),
    ];
    if let Some(url) = settings.ledger.store.ledger_url.clone() {
        let ledger = async move { LedgerStore::open_existing(&url)?.check_access(TIMEOUT).await };
        checks.push(ConnectionCheck::new("ledger store", "log/check was written once and read", ledger));
    }
    checks
}
