//! The services' own settings, each of which may be missing.

use std::future::Future;
use std::time::Duration;

use clap::{ArgAction, Args};
use secrecy::{ExposeSecret as _, SecretString};
use shared_models::ledger::Origin;
use shared_service::settings::{ProtocolSettings, Validate as _, object_store_url};
use url::Url;

use super::finding::Finding;

/// Longest time for one check.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// Where everything is.
#[derive(Debug, Args)]
pub struct Settings {
    /// PostgreSQL, as postgres://user:password@host/database; a secret
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<SecretString>,
    /// RabbitMQ, as amqp://user:password@host:5672/vhost or amqps://…; a secret
    #[arg(long, env = "AMQP_URL", value_name = "URL", hide_env_values = true)]
    pub amqp_url: Option<SecretString>,
    /// Vespa, as http://host:8080
    #[arg(long, env = "VESPA_URL", value_name = "URL", hide_env_values = true)]
    pub vespa_url: Option<SecretString>,
    /// The ARF store: file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix
    #[arg(long, env = "ARF_URL", value_name = "URL", hide_env_values = true)]
    pub arf_url: Option<SecretString>,
    /// The ledger store, as the ARF store
    #[arg(long, env = "LEDGER_URL", value_name = "URL", hide_env_values = true)]
    pub ledger_url: Option<SecretString>,
    /// The ledger's name
    #[arg(long, env = "LEDGER_ORIGIN", value_name = "NAME")]
    pub ledger_origin: Option<Origin>,
    /// The ring that encrypts credentials: id:base64-of-32-bytes[,id2:…]; a secret
    #[arg(long, env = "CREDENTIALS_KEYS", value_name = "ID:KEY,…", hide_env_values = true)]
    pub credentials_keys: Option<SecretString>,
    /// Health and metrics of a service, its ADMIN_LISTEN, such as http://host:9003; may be given more than once
    #[arg(long = "service", env = "UNWEAVE_SERVICES", value_name = "URL", value_delimiter = ',', action = ArgAction::Append)]
    pub services: Vec<String>,
    #[command(flatten)]
    protocol: ProtocolSettings,
}

impl Settings {
    /// Whether the protocol's times fit together.
    pub fn times(&self) -> Finding {
        let found = self.protocol.validate().map(|()| {
            let times = self.protocol.times();
            format!("they fit: a writer that falls silent is waited out in {:?}", times.silence_after())
        });
        Finding::of(
            "times",
            found,
            "set LEASE_TTL, LEASE_RENEWAL, STORE_TIMEOUT, LEASE_GUARD and CANCEL_WAIT alike for \
                                     gateways and sync-workers, so that they fit",
        )
    }
}

/// Where a store is; a URL without a secret in what is said of it.
pub fn store_url(setting: &'static str, url: &SecretString) -> Result<Url, String> {
    object_store_url(url.expose_secret()).map_err(|error| format!("{setting}: {error}"))
}

/// What comes of it in time.
pub async fn in_time<T, E: ToString>(check: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(TIMEOUT, check).await {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {TIMEOUT:?}")),
    }
}
