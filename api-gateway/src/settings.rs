//! The gateway's settings.

use std::time::Duration;

use clap::{ArgAction, Parser};
use secrecy::SecretString;
use shared_database::rate_limits::RateLimits;
use shared_service::settings::{
    AdminSettings, BrokerSettings, CredentialsKeysSettings, DatabaseSettings, EmbedderSettings, LedgerStoreSettings,
    ProtocolSettings, RuntimeSettings, TelemetrySettings, Validate, VespaSettings, secret,
};
use shared_sources::GatewaySourceSettings;

use crate::server::HttpSettings;
use shared_models::api_key as keys;

/// What the gateway is told at start.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "api-gateway",
    version,
    about = "Unweave's HTTP API: source connections that are deleted for real",
    after_help = "Operations: api-gateway openapi prints the document of the API. What operators do by hand is in the \
                  command unweave."
)]
pub struct Settings {
    /// Where the API is served, to which web pages, and how long clients may take.
    #[command(flatten)]
    pub http: HttpSettings,
    /// Whether requests need an API key; false makes all act for the first organization, on a loopback address only
    #[arg(long, env = "AUTH_ENABLED", value_name = "BOOL", default_value = "true", action = ArgAction::Set)]
    pub auth_enabled: bool,
    /// Whether the sources for tests are offered
    #[arg(long, env = "ENABLE_INTERNAL_SOURCES", value_name = "BOOL", default_value = "false", action = ArgAction::Set)]
    pub enable_internal_sources: bool,
    /// Whether the rate limits of the organizations' plans are switched off
    #[arg(long, env = "DISABLE_RATE_LIMIT", value_name = "BOOL", default_value = "false", action = ArgAction::Set)]
    pub disable_rate_limit: bool,
    /// First key of the first organization, 43 characters (URL-safe base64 of 32 bytes); made and logged if not given;
    /// a secret
    #[arg(long, env = "INITIAL_API_KEY", value_name = "KEY", hide_env_values = true, value_parser = secret)]
    pub initial_api_key: Option<SecretString>,
    /// How often deletions that nobody waits for are looked for
    #[arg(long, env = "FINISHER_INTERVAL", value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub finisher_interval: Duration,
    /// How old a deletion must be to count as one that nobody waits for; a shorter time only makes the finisher help
    /// deletions that somebody still waits for
    #[arg(long, env = "FINISHER_AGE", value_name = "DURATION", default_value = "20s", value_parser = humantime::parse_duration)]
    pub finisher_age: Duration,
    /// Where PostgreSQL is, and how many connections to it there may be.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Where RabbitMQ is.
    #[command(flatten)]
    pub broker: BrokerSettings,
    /// Where Vespa is.
    #[command(flatten)]
    pub vespa: VespaSettings,
    /// What turns texts into vectors, if anything does.
    #[command(flatten)]
    pub embedder: EmbedderSettings,
    /// What is known of the sources that sync-workers can reach.
    #[command(flatten)]
    pub sources: GatewaySourceSettings,
    /// Where the deletion ledger is published, to be read.
    #[command(flatten)]
    pub ledger: LedgerStoreSettings,
    /// What credentials of sources are encrypted and decrypted with.
    #[command(flatten)]
    pub credentials: CredentialsKeysSettings,
    /// How long leases last and a deletion waits for a writer: the same here and in the sync-workers.
    #[command(flatten)]
    pub protocol: ProtocolSettings,
    /// Where health and metrics are served.
    #[command(flatten)]
    pub admin: AdminSettings<9001>,
    /// What is logged, and in which form.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
    /// What it runs on.
    #[command(flatten)]
    pub runtime: RuntimeSettings,
}

impl Settings {
    /// Whether requests are counted.
    #[must_use]
    pub const fn rate_limits(&self) -> RateLimits {
        if self.disable_rate_limit { RateLimits::Off } else { RateLimits::ByPlan }
    }
}

impl Validate for Settings {
    fn validate(&self) -> Result<(), String> {
        self.protocol.validate()?;
        self.ledger.validate()?;
        self.http.validate(self.protocol.cancel_wait)?;
        self.admin.stay_apart("LISTEN", self.http.listen)?;
        if !self.auth_enabled && !self.http.listen.ip().is_loopback() {
            return Err(format!("AUTH_ENABLED is false: LISTEN must be a loopback address, not {}", self.http.listen));
        }
        if self.initial_api_key.as_ref().is_some_and(|key| !keys::is_well_formed(key)) {
            return Err("INITIAL_API_KEY is not URL-safe base64 of 32 bytes (43 characters)".to_owned());
        }
        if self.finisher_interval.is_zero() {
            return Err("FINISHER_INTERVAL must be more than 0s".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    const NEEDED: [&str; 9] = [
        "api-gateway",
        "--database-url=postgres://u:p@localhost/d",
        "--amqp-url=amqp://localhost",
        "--vespa-url=http://localhost:8081",
        "--credentials-keys=a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "--auth-enabled=true",
        "--listen=127.0.0.1:8001",
        "--cancel-wait=15s",
        "--finisher-age=20s",
    ];

    fn validated(more: &[&str]) -> Result<(), String> {
        let command = Settings::command().args_override_self(true);
        let matches = command.try_get_matches_from(NEEDED.iter().chain(more)).unwrap();
        <Settings as clap::FromArgMatches>::from_arg_matches(&matches).unwrap().validate()
    }

    #[test]
    fn without_authentication_only_loopback_is_listened_on() {
        assert_eq!(validated(&[]), Ok(()));
        assert_eq!(validated(&["--auth-enabled=false"]), Ok(()));
        assert_eq!(validated(&["--auth-enabled=false", "--listen=[::1]:0"]), Ok(()));
        assert!(validated(&["--auth-enabled=false", "--listen=0.0.0.0:8001"]).unwrap_err().contains("LISTEN"));
        assert_eq!(validated(&["--listen=0.0.0.0:8001"]), Ok(()));
        assert!(validated(&["--listen=127.0.0.1:9001"]).unwrap_err().ends_with("are the same port"));
    }

    #[test]
    fn a_malformed_initial_key_is_refused_without_being_quoted() {
        let line = validated(&["--initial-api-key=tooshort"]).unwrap_err();
        assert!(line.contains("INITIAL_API_KEY") && !line.contains("tooshort"));
        assert_eq!(validated(&["--initial-api-key=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]), Ok(()));
    }
}
