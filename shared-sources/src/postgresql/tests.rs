//! Reads of real databases. They need the server that `make test` provides.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared_models::job::ErrorCategory;
use test_support::{TestDatabase, wait_until};
use tokio::net::TcpListener;
use tokio::sync::mpsc::Receiver;
use url::Url;

use crate::run::{collected as collect, run};
use crate::{EntitySink, ReadSummary, SourceAccess, SourceEntity, SourceError};

mod bounds;
mod changes;
mod children;
mod encodings;
mod failures;
mod rows;
mod silence;
pub(crate) mod stand;
mod tls;
mod values;

type Outcome = Result<ReadSummary, SourceError>;

fn credentials(database: &TestDatabase) -> Value {
    let url: Url = database.url.parse().unwrap();
    json!({
        "host": url.host_str().unwrap(),
        "port": url.port().unwrap_or(5432),
        "database": database.name(),
        "user": url.username(),
        "password": url.password(),
        "sslmode": "disable",
    })
}

fn port(credentials: &Value) -> u16 {
    credentials["port"].as_u64().unwrap().try_into().unwrap()
}

fn changed(mut credentials: Value, field: &str, value: impl Into<Value>) -> Value {
    credentials[field] = value.into();
    credentials
}

/// Runs the source; `take` gets the other end.
async fn run_with<T>(
    credentials: &Value,
    config: &Value,
    capacity: usize,
    take: impl AsyncFnOnce(Receiver<SourceEntity>) -> T,
) -> (Outcome, T) {
    let (sink, entities) = EntitySink::new(capacity);
    let limits = SourceAccess::for_tests(|_| {});
    let reading = run("postgresql", config.as_object().unwrap(), credentials.as_object().unwrap(), &limits, None, sink);
    tokio::join!(Box::pin(reading), take(entities))
}

/// Reads tables of the schema `shop`; all if none is named.
async fn read(database: &TestDatabase, tables: &[&str]) -> Result<(Vec<SourceEntity>, ReadSummary), SourceError> {
    let config = json!({"schema": "shop", "tables": tables});
    let (outcome, all) = run_with(&credentials(database), &config, 1, collect).await;
    outcome.map(|summary| (all, summary))
}

async fn shop(sql: &str) -> TestDatabase {
    let database = TestDatabase::create().await;
    database.execute(&format!("CREATE SCHEMA shop; SET search_path = shop; {sql}")).await;
    database
}

fn ids(entities: &[SourceEntity]) -> Vec<&str> {
    entities.iter().map(|entity| entity.id.as_str()).collect()
}
