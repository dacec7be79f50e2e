//! What the gateway talks to, for `--check-connections`.

use std::time::Duration;

use shared_database::Migrations;
use shared_service::ConnectionCheck;
use shared_stores::LedgerStore;

use crate::settings::Settings;
use crate::{embedder, vespa};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Each with a check of its own.
pub fn of(settings: &Settings) -> Vec<ConnectionCheck> {
    let (database_url, amqp_url) = (settings.database.database_url.clone(), settings.broker.amqp_url.clone());
    let database = shared_database::check(database_url, Migrations::RunAtStart);
    let broker = shared_messaging::check(amqp_url, crate::ABOUT.name);
    let mut checks = vec![
        ConnectionCheck::telling("PostgreSQL", database),
        ConnectionCheck::new("RabbitMQ", "it takes our exchanges and queues", broker),
    ];
    match embedder(settings) {
        Ok(embedder) => {
            let client = vespa(settings, embedder.as_ref());
            let application = async move { client?.check_application(TIMEOUT).await };
            checks.push(ConnectionCheck::new("Vespa", "it has our schemas and rank profiles", application));
            checks.extend(embedder.map(|embedder| {
                ConnectionCheck::new("embedder", "it makes vectors", async move { embedder.check(TIMEOUT).await })
            }));
        }
        Err(error) => checks.push(ConnectionCheck::new("embedder", "", async move { Err(error) })),
    }
    checks.extend(settings.ledger.ledger_url.clone().map(|url| {
        let reading = async move { LedgerStore::open_to_read(&url)?.check_read_access(TIMEOUT).await };
        ConnectionCheck::new("ledger store", "it can be read", reading)
    }));
    checks
}
