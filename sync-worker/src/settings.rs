//! The settings of this service.

use std::time::Duration;

use clap::{Args, Parser};
use shared_models::BlobEncryption;
use shared_service::settings::{
    AdminSettings, ArfSettings, BrokerSettings, CredentialsKeysSettings, DatabaseSettings, EmbedderSettings,
    LedgerStoreSettings, ProtocolSettings, RuntimeSettings, TelemetrySettings, Validate, VespaSettings, whole_number,
};
use shared_sources::SourceSettings;

const LONGEST_SCHEDULER_INTERVAL: Duration = Duration::from_secs(60);

/// Runs sync jobs: reads sources, writes documents to Vespa and raw captures to the ARF store.
#[derive(Debug, Clone, Parser)]
#[command(name = "sync-worker", version)]
#[expect(missing_docs, reason = "the groups say it")]
pub struct Settings {
    #[command(flatten)]
    pub database: DatabaseSettings,
    #[command(flatten)]
    pub broker: BrokerSettings,
    #[command(flatten)]
    pub vespa: VespaSettings,
    #[command(flatten)]
    pub embedder: EmbedderSettings,
    #[command(flatten)]
    pub arf: ArfSettings,
    #[command(flatten)]
    pub ledger: LedgerStoreSettings,
    #[command(flatten)]
    pub credentials: CredentialsKeysSettings,
    #[command(flatten)]
    pub protocol: ProtocolSettings,
    #[command(flatten)]
    pub sync: SyncSettings,
    #[command(flatten)]
    pub sources: SourceSettings,
    #[command(flatten)]
    pub admin: AdminSettings<9002>,
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
    #[command(flatten)]
    pub runtime: RuntimeSettings,
}

/// What only this service has.
#[derive(Debug, Clone, Args)]
pub struct SyncSettings {
    /// Jobs that run at the same time
    #[arg(long, env = "MAX_JOBS", value_name = "COUNT", default_value_t = 4, value_parser = whole_number(1..=1_000_u16))]
    pub max_jobs: u16,
    /// Writes to the stores that are under way at the same time, of all jobs together
    #[arg(long, env = "WRITES_IN_FLIGHT", value_name = "COUNT", default_value_t = 96, value_parser = whole_number(1..=10_000_u32))]
    pub writes_in_flight: u32,
    /// How long a sync goes on asking for the vectors of one batch while the embedder is overloaded or away, before it
    /// fails
    #[arg(long, env = "EMBEDDER_PATIENCE", value_name = "DURATION", default_value = "2m", value_parser = humantime::parse_duration)]
    pub embedder_patience: Duration,
    /// Whether raw captures and files are encrypted, each sync's with a key of its own that its deletion destroys; off
    /// is for tools that read the ARF store themselves, and no receipt calls older versions unreadable then
    #[arg(long, env = "ARF_ENCRYPTION", value_name = "on|off", default_value_t = BlobEncryption::On)]
    pub arf_encryption: BlobEncryption,
    /// Largest raw file that is kept, in bytes; of larger ones only the text is
    #[arg(long, env = "MAX_BLOB_BYTES", value_name = "BYTES", default_value_t = 16 << 20, value_parser = whole_number(0..=16_u64 << 20))]
    pub max_blob_bytes: u64,
    /// How often jobs of lost workers are looked for
    #[arg(long, env = "REAPER_INTERVAL", value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub reaper_interval: Duration,
    /// How often due schedules are looked for, at least; at most 1m
    #[arg(long, env = "SCHEDULER_INTERVAL", value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub scheduler_interval: Duration,
    /// Whether the sources for tests may run
    #[arg(long, env = "ENABLE_INTERNAL_SOURCES", value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set)]
    pub enable_internal_sources: bool,
}

impl Validate for Settings {
    fn validate(&self) -> Result<(), String> {
        self.protocol.validate()?;
        self.sync.validate()?;
        self.ledger.validate()?;
        self.ledger.stay_apart(&self.arf.arf_url)?;
        self.sources.validate()
    }
}

impl Validate for SyncSettings {
    fn validate(&self) -> Result<(), String> {
        if self.embedder_patience.is_zero() {
            return Err("EMBEDDER_PATIENCE must be more than 0s".to_owned());
        }
        if self.reaper_interval.is_zero() {
            return Err("REAPER_INTERVAL must be more than 0s".to_owned());
        }
        // A schedule that is made or moved forward is noticed after this time, and due times are whole minutes.
        if self.scheduler_interval.is_zero() || self.scheduler_interval > LONGEST_SCHEDULER_INTERVAL {
            return Err("SCHEDULER_INTERVAL must be more than 0s and at most 1m".to_owned());
        }
        Ok(())
    }
}
