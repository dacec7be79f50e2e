//! The groups of settings that several services share. `#[command(flatten)]` them into a binary's settings.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use secrecy::SecretString;
use shared_models::ProtocolTimes;
use url::Url;

use super::keys::KeyRing;
use super::load::Validate;
use super::number::whole_number;
use super::store_url;
use super::time::time;

/// A clap value parser for secrets; pair it with `hide_env_values = true`.
///
/// # Errors
/// Never; clap wants a `Result`.
pub fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(SecretString::from(text))
}

/// PostgreSQL.
#[derive(Debug, Clone, Args)]
pub struct DatabaseSettings {
    /// PostgreSQL, as postgres://user:password@host:5432/database; a secret
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true, value_parser = postgres_url)]
    pub database_url: SecretString,
    /// Largest number of connections to PostgreSQL
    #[arg(long, env = "DATABASE_POOL_SIZE", value_name = "COUNT", default_value_t = 16, value_parser = whole_number(1..=10_000_usize))]
    pub database_pool_size: usize,
}

/// RabbitMQ.
#[derive(Debug, Clone, Args)]
pub struct BrokerSettings {
    /// RabbitMQ, as amqp://user:password@host:5672/vhost or amqps://…; a secret
    #[arg(long, env = "AMQP_URL", value_name = "URL", hide_env_values = true, value_parser = amqp_url)]
    pub amqp_url: SecretString,
}

/// The times that gateway and sync-worker must agree on.
#[derive(Debug, Clone, Copy, Args)]
pub struct ProtocolSettings {
    /// How long a write lease lasts without renewal
    #[arg(long, env = "LEASE_TTL", value_name = "DURATION", default_value = "10s", value_parser = time)]
    pub lease_ttl: Duration,
    /// How often a write lease is renewed
    #[arg(long, env = "LEASE_RENEWAL", value_name = "DURATION", default_value = "3s", value_parser = time)]
    pub lease_renewal: Duration,
    /// Longest time that one store request may take
    #[arg(long, env = "STORE_TIMEOUT", value_name = "DURATION", default_value = "3s", value_parser = time)]
    pub store_timeout: Duration,
    /// How long after a lease's end nobody assumes yet that the writer is silent
    #[arg(long, env = "LEASE_GUARD", value_name = "DURATION", default_value = "4s", value_parser = time)]
    pub lease_guard: Duration,
    /// Longest time that DELETE waits for a writer to stop
    #[arg(long, env = "CANCEL_WAIT", value_name = "DURATION", default_value = "15s", value_parser = time)]
    pub cancel_wait: Duration,
}

impl ProtocolSettings {
    /// The times; they fit once [`Validate::validate`] has said so.
    #[must_use]
    pub const fn times(&self) -> ProtocolTimes {
        ProtocolTimes {
            lease_ttl: self.lease_ttl,
            lease_renewal: self.lease_renewal,
            store_timeout: self.store_timeout,
            lease_guard: self.lease_guard,
            cancel_wait: self.cancel_wait,
        }
    }
}

impl Validate for ProtocolSettings {
    fn validate(&self) -> Result<(), String> {
        self.times().validate().map_err(|error| error.to_string())
    }
}

/// Vespa.
#[derive(Debug, Clone, Args)]
pub struct VespaSettings {
    /// Vespa's container, as http://host:8081; may hold a password
    #[arg(long, env = "VESPA_URL", value_name = "URL", hide_env_values = true, value_parser = http_url)]
    pub vespa_url: Url,
}

/// The embedder: an OpenAI-compatible endpoint that turns texts into vectors. Gateways and sync-workers need the same.
#[derive(Debug, Clone, Args)]
pub struct EmbedderSettings {
    /// Base URL of an OpenAI-compatible API, such as https://api.openai.com/v1; its /embeddings makes the vectors of
    /// semantic and hybrid search. Without it every search ranks by keywords; may hold a password
    #[arg(long, env = "EMBEDDER_URL", value_name = "URL", hide_env_values = true, value_parser = http_url, requires = "embedder_model")]
    pub embedder_url: Option<Url>,
    /// Name of the model; another one makes the next sync of every connection embed everything anew
    #[arg(long, env = "EMBEDDER_MODEL", value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), requires = "embedder_url")]
    pub embedder_model: Option<String>,
    /// Dimensions of the model's vectors, those of dense_embedding in Vespa's schema; 1536 if not given
    #[arg(long, env = "EMBEDDER_DIMENSIONS", value_name = "COUNT", value_parser = whole_number(1..=16_384_u32), requires = "embedder_url")]
    pub embedder_dimensions: Option<u32>,
    /// Key that is sent as a bearer token; none if not given; a secret
    #[arg(long, env = "EMBEDDER_API_KEY", value_name = "KEY", hide_env_values = true, value_parser = secret, requires = "embedder_url")]
    pub embedder_api_key: Option<SecretString>,
}

/// What the embedder's settings say, if there is one.
#[derive(Debug, Clone)]
pub struct EmbedderEndpoint {
    /// Base URL.
    pub url: Url,
    /// Name of the model.
    pub model: String,
    /// Dimensions of its vectors.
    pub dimensions: u32,
    /// Key, if it wants one.
    pub api_key: Option<SecretString>,
}

/// Dimensions of `dense_embedding` in deploy/vespa.
const DEFAULT_DIMENSIONS: u32 = 1536;

impl EmbedderSettings {
    /// The endpoint, if there is an embedder.
    #[must_use]
    pub fn endpoint(&self) -> Option<EmbedderEndpoint> {
        Some(EmbedderEndpoint {
            url: self.embedder_url.clone()?,
            model: self.embedder_model.clone()?,
            dimensions: self.embedder_dimensions.unwrap_or(DEFAULT_DIMENSIONS),
            api_key: self.embedder_api_key.clone(),
        })
    }
}

/// The store of raw captures.
#[derive(Debug, Clone, Args)]
pub struct ArfSettings {
    /// The ARF store: file:///directory, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix; may hold a
    /// secret
    #[arg(long, env = "ARF_URL", value_name = "URL", hide_env_values = true, value_parser = object_store_url)]
    pub arf_url: Url,
}

/// The keys that encrypt source credentials.
#[derive(Debug, Clone, Args)]
pub struct CredentialsKeysSettings {
    /// Keys that encrypt source credentials, as id:base64-of-32-bytes[,id2:…]; the first encrypts, all decrypt; a
    /// secret
    #[arg(long, env = "CREDENTIALS_KEYS", value_name = "ID:KEY,…", hide_env_values = true)]
    pub credentials_keys: KeyRing,
}

/// The keys that sign receipts and the ledger's checkpoints.
#[derive(Debug, Clone, Args)]
pub struct LedgerKeysSettings {
    /// Ed25519 keys of the ledger, as name:base64-of-32-bytes[,name2:…]; the first signs receipts and checkpoints, the
    /// others are still told to verifiers; a secret
    #[arg(long, env = "LEDGER_KEYS", value_name = "NAME:KEY,…", hide_env_values = true)]
    pub ledger_keys: KeyRing,
}

/// The endpoint for health and metrics; `PORT` is the service's default.
#[derive(Debug, Clone, Copy, Args)]
pub struct AdminSettings<const PORT: u16> {
    /// Address of /health and /metrics
    #[arg(long, env = "ADMIN_LISTEN", value_name = "ADDRESS", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)))]
    pub admin_listen: SocketAddr,
}

impl<const PORT: u16> AdminSettings<PORT> {
    /// Refuses an address of the service itself that takes the same port.
    ///
    /// # Errors
    /// One line that names both settings.
    pub fn stay_apart(&self, setting: &str, listen: SocketAddr) -> Result<(), String> {
        let (own, other) = (self.admin_listen, listen);
        let overlap = own.ip() == other.ip() || own.ip().is_unspecified() || other.ip().is_unspecified();
        // Port 0 is whichever is free.
        if own.port() == other.port() && own.port() != 0 && overlap {
            return Err(format!("{setting} {other} and ADMIN_LISTEN {own} are the same port"));
        }
        Ok(())
    }
}

/// What a service runs on.
#[derive(Debug, Clone, Copy, Args)]
pub struct RuntimeSettings {
    /// Threads of the service's runtime; not set, one for each processor, and one for the cleanup-worker
    #[arg(long, env = "TOKIO_WORKER_THREADS", value_name = "COUNT", value_parser = whole_number(1..=1_000_usize))]
    pub tokio_worker_threads: Option<usize>,
}

impl RuntimeSettings {
    /// How many were asked for.
    #[must_use]
    pub fn threads(self) -> Option<NonZeroUsize> {
        self.tokio_worker_threads.and_then(NonZeroUsize::new)
    }
}

/// What logs look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Logs.
#[derive(Debug, Clone, Args)]
pub struct TelemetrySettings {
    /// What is logged, such as info or info,sync_worker=debug
    #[arg(long, env = "LOG_LEVEL", value_name = "FILTER", default_value = "info", value_parser = log_level)]
    pub log_level: String,
    /// How it is logged
    #[arg(long, env = "LOG_FORMAT", value_name = "FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
}

fn log_level(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // A bare word that is no level would be taken for a target, and everything else would be silent.
    let is_level = |part: &str| LEVELS.iter().any(|level| part.trim().eq_ignore_ascii_case(level));
    let reads = text.split(',').all(|part| part.contains(['=', '[']) || is_level(part));
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) if reads => Ok(text.to_owned()),
        _ => {
            Err("not a filter such as info or info,sync_worker=debug; levels are off, error, warn, info, debug, trace"
                .to_owned())
        }
    }
}

// The texts below never quote the value: it may hold a password.

/// A URL of PostgreSQL.
///
/// # Errors
/// What is wrong with it, without the password.
pub fn postgres_url(text: &str) -> Result<SecretString, &'static str> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") => Ok(SecretString::from(text)),
        _ => Err("not a URL of the form postgres://user:password@host:5432/database"),
    }
}

/// A URL of RabbitMQ.
///
/// # Errors
/// What is wrong with it, without the password.
pub fn amqp_url(text: &str) -> Result<SecretString, &'static str> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "amqp" | "amqps") && url.has_host() => Ok(SecretString::from(text)),
        _ => Err("not a URL of the form amqp://user:password@host:5672/vhost"),
    }
}

/// A URL of a service that speaks HTTP.
///
/// # Errors
/// What is wrong with it, without a word of the text.
pub fn http_url(text: &str) -> Result<Url, &'static str> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("not a URL of the form http://host:port/path or https://host/path"),
    }
}

/// The URL of an object store, as ARF and the ledger take it.
///
/// # Errors
/// What is wrong with it, without a word of the text.
pub fn object_store_url(text: &str) -> Result<Url, &'static str> {
    match Url::parse(text) {
        // abfss://container@account.dfs.core.windows.net/prefix names the container there; a key would be ignored.
        Ok(url) if url.password().is_some() || !url.username().is_empty() && !url.scheme().starts_with("abfs") => {
            Err("user and password have no place in it: keys come from the environment, such as AWS_ACCESS_KEY_ID")
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => Err("it ends with its path, without ? and #"),
        Ok(url) if url.scheme() == "file" => store_url::of_folder(text, url),
        Ok(url) if matches!(url.scheme(), "s3" | "gs" | "az" | "abfs" | "abfss") && url.has_host() => {
            store_url::of_bucket(url)
        }
        _ => Err(
            "not a URL of the form file:///directory, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_and_its_metrics_have_ports_of_their_own() {
        let apart = |admin: &str, listen: &str| {
            let settings: AdminSettings<9001> = AdminSettings { admin_listen: admin.parse().unwrap() };
            settings.stay_apart("LISTEN", listen.parse().unwrap())
        };
        for (admin, listen) in
            [("127.0.0.1:8001", "127.0.0.1:8001"), ("0.0.0.0:8001", "127.0.0.1:8001"), ("10.0.0.1:8001", "[::]:8001")]
        {
            assert_eq!(
                apart(admin, listen),
                Err(format!("LISTEN {listen} and ADMIN_LISTEN {admin} are the same port"))
            );
        }
        for (admin, listen) in
            [("127.0.0.1:9001", "127.0.0.1:8001"), ("127.0.0.1:0", "127.0.0.1:0"), ("127.0.0.1:8001", "10.0.0.1:8001")]
        {
            assert_eq!(apart(admin, listen), Ok(()));
        }
    }

    #[test]
    fn an_object_store_has_a_bucket() {
        for good in ["file:///var/arf", "s3://bucket", "gs://bucket/prefix", "az://container/prefix"] {
            assert!(object_store_url(good).is_ok(), "{good}");
        }
        for bad in ["s3://", "s3:///prefix", "gs:bucket", "http://bucket", "/var/arf"] {
            assert!(object_store_url(bad).is_err(), "{bad}");
        }
        assert!(object_store_url("abfss://container@account.dfs.core.windows.net/prefix").is_ok());
    }

    #[test]
    fn what_an_object_store_would_ignore_is_refused() {
        for keys in ["s3://user:hunter2@bucket/prefix", "s3://user@bucket", "abfss://container:hunter2@account/prefix"]
        {
            let told = object_store_url(keys).unwrap_err();
            assert!(told.contains("user and password") && !told.contains("hunter2"), "{keys}: {told}");
        }
        for more in ["s3://bucket/prefix?versionId=1", "file:///var/arf#1", "gs://bucket/?"] {
            assert!(object_store_url(more).unwrap_err().contains("without ? and #"), "{more}");
        }
    }
}
