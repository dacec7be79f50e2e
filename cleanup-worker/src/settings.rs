//! The worker's settings: from the environment, or as long options.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::{ArgAction, Parser};
use humantime::format_duration;
use shared_database::cleanups::{AllowedHours, PurgeSchedule};
use shared_service::settings::{
    AdminSettings, ArfSettings, BrokerSettings, DatabaseSettings, RuntimeSettings, TelemetrySettings, Validate,
    VespaSettings, time, whole_number,
};
use shared_stores::{ArfError, ArfStore};

use crate::heartbeat::ClaimTimes;
use crate::orphan_sweep::SweepPolicy;
use crate::policy::Policy;
use crate::schedule::{Deadline, Windows, parse_allowed_hours, parse_deadline, parse_time_zone};

mod ledger;

pub use ledger::{LedgerSettings, OutOfReach};

/// Removes the data of deleted syncs from Vespa and the ARF store, and signs a receipt for each.
#[derive(Debug, Parser)]
#[command(name = "cleanup-worker", version, after_help = "What operators do by hand is in the command unweave.")]
#[expect(missing_docs, reason = "the groups document themselves, and a text here would become the help of each")]
pub struct Settings {
    #[command(flatten)]
    pub database: DatabaseSettings,
    #[command(flatten)]
    pub broker: BrokerSettings,
    #[command(flatten)]
    pub vespa: VespaSettings,
    #[command(flatten)]
    pub blobs: BlobSettings,
    #[command(flatten)]
    pub ledger: LedgerSettings,
    #[command(flatten)]
    pub cleanup: CleanupSettings,
    #[command(flatten)]
    pub orphans: OrphanSettings,
    #[command(flatten)]
    pub admin: AdminSettings<9003>,
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
    #[command(flatten)]
    pub runtime: RuntimeSettings,
}

/// The store of raw captures, and how much of it is removed.
#[derive(Debug, Clone, clap::Args)]
pub struct BlobSettings {
    #[command(flatten)]
    #[expect(missing_docs, reason = "the group documents itself, and a text here would become its help")]
    pub arf: ArfSettings,
    /// Remove also what a bucket with versioning keeps: earlier versions of blobs, and delete markers; S3 only
    #[arg(long, env = "ARF_PURGE_VERSIONS", value_name = "BOOL", default_value = "false", action = ArgAction::Set)]
    pub arf_purge_versions: bool,
}

impl BlobSettings {
    /// The store as it is to be purged.
    ///
    /// # Errors
    /// As [`ArfStore::from_url`] and [`ArfStore::with_all_versions`].
    pub fn open(&self) -> Result<ArfStore, ArfError> {
        self.reach(ArfStore::from_url(&self.arf.arf_url)?)
    }

    /// The same, of a folder that is there already.
    ///
    /// # Errors
    /// As [`ArfStore::open_existing`] and [`ArfStore::with_all_versions`].
    pub fn open_existing(&self) -> Result<ArfStore, ArfError> {
        self.reach(ArfStore::open_existing(&self.arf.arf_url)?)
    }

    fn reach(&self, store: ArfStore) -> Result<ArfStore, ArfError> {
        if self.arf_purge_versions { store.with_all_versions() } else { Ok(store) }
    }
}

impl Validate for BlobSettings {
    fn validate(&self) -> Result<(), String> {
        let scheme = self.arf.arf_url.scheme();
        if self.arf_purge_versions && scheme != "s3" {
            return Err(format!("ARF_PURGE_VERSIONS needs an ARF_URL of S3, not of {scheme}: s3://bucket/prefix"));
        }
        Ok(())
    }
}

/// When, how fast and how often.
#[derive(Debug, Clone, clap::Args)]
pub struct CleanupSettings {
    /// Cleanups worked on at the same time
    #[arg(long, env = "CLEANUP_SLOTS", value_name = "COUNT", default_value_t = 4, value_parser = whole_number(1..=1_000_usize))]
    pub cleanup_slots: usize,
    /// When purges may run: always, or daily windows such as 22:00-06:00,12:00-13:00
    #[arg(long, env = "CLEANUP_ALLOWED_HOURS", value_name = "WINDOWS", default_value = "always", value_parser = parse_allowed_hours)]
    pub cleanup_allowed_hours: Windows,
    /// The time zone of the allowed hours, as the IANA database calls it, such as Europe/Berlin
    #[arg(long, env = "CLEANUP_TIME_ZONE", value_name = "ZONE", default_value = "UTC", value_parser = parse_time_zone)]
    pub cleanup_time_zone: chrono_tz::Tz,
    /// By when a cleanup is to be done; after three quarters of it allowed hours and rate are ignored; none is no limit
    #[arg(long, env = "CLEANUP_DEADLINE", value_name = "DURATION", default_value = "24h", value_parser = parse_deadline)]
    pub cleanup_deadline: Deadline,
    /// Documents removed per second by all cleanup-workers together; 0 is no limit
    #[arg(long, env = "CLEANUP_DOCUMENTS_PER_SECOND", value_name = "COUNT", default_value_t = 0, value_parser = whole_number(0..=1_000_000_000_u32))]
    pub cleanup_documents_per_second: u32,
    /// How often to look for due cleanups without being asked to
    #[arg(long, env = "CLEANUP_POLL_INTERVAL", value_name = "DURATION", default_value = "5s", value_parser = time)]
    pub cleanup_poll_interval: Duration,
    /// How long after the first empty verification the one that counts is made
    #[arg(long, env = "SETTLE_DELAY", value_name = "DURATION", default_value = "60s", value_parser = time)]
    pub settle_delay: Duration,
    /// When to verify once more if a writer ended by its lease
    #[arg(long, env = "LATE_WRITE_CHECK", value_name = "DURATION", default_value = "1h", value_parser = time)]
    pub late_write_check: Duration,
    /// How long a claim lasts without renewal
    #[arg(long, env = "CLAIM_TTL", value_name = "DURATION", default_value = "60s", value_parser = time)]
    pub claim_ttl: Duration,
    /// How often a claim is renewed
    #[arg(long, env = "CLAIM_RENEWAL", value_name = "DURATION", default_value = "15s", value_parser = time)]
    pub claim_renewal: Duration,
    /// How long a purge goes on before it stores its progress and asks whether it may go on
    #[arg(long, env = "PURGE_SLICE", value_name = "DURATION", default_value = "5s", value_parser = time)]
    pub purge_slice: Duration,
    /// Delay after a first failure; it doubles with each further one
    #[arg(long, env = "RETRY_BASE_DELAY", value_name = "DURATION", default_value = "1s", value_parser = time)]
    pub retry_base_delay: Duration,
    /// Longest delay after failures
    #[arg(long, env = "RETRY_MAX_DELAY", value_name = "DURATION", default_value = "5m", value_parser = time)]
    pub retry_max_delay: Duration,
}

/// The sweep for orphans.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct OrphanSettings {
    /// How often to look for data that no sync has; none is never
    #[arg(long, env = "ORPHAN_SWEEP_INTERVAL", value_name = "DURATION", default_value = "24h", value_parser = parse_deadline)]
    pub orphan_sweep_interval: Deadline,
    /// Purge data of syncs that PostgreSQL knows nothing of; otherwise they are told
    #[arg(long, env = "ORPHAN_PURGE", value_name = "BOOL", default_value = "false", action = ArgAction::Set)]
    pub orphan_purge: bool,
    /// How long ago the first of two sweeps must have found such data
    #[arg(long, env = "ORPHAN_MIN_AGE", value_name = "DURATION", default_value = "24h", value_parser = time)]
    pub orphan_min_age: Duration,
    /// Whether another system has data in this Vespa or object store: then nothing of it is ever purged by itself
    #[arg(long, env = "STORES_SHARED", value_name = "BOOL", default_value = "false", action = ArgAction::Set)]
    pub stores_shared: bool,
}

impl OrphanSettings {
    /// How often to sweep, and what to do; `None` is not at all.
    #[must_use]
    pub fn policy(&self) -> Option<SweepPolicy> {
        let purges = self.orphan_purge && !self.stores_shared;
        let min_age = self.orphan_min_age;
        self.orphan_sweep_interval.0.map(|interval| SweepPolicy { interval, purges, min_age })
    }
}

impl Validate for OrphanSettings {
    fn validate(&self) -> Result<(), String> {
        if self.orphan_purge && self.stores_shared {
            return Err("ORPHAN_PURGE would purge the data of whom STORES_SHARED speaks of".to_owned());
        }
        if self.orphan_sweep_interval.0.is_some_and(|interval| interval.is_zero()) {
            return Err("ORPHAN_SWEEP_INTERVAL must be more than 0s".to_owned());
        }
        Ok(())
    }
}

/// A slice must end, with its last removal, within the time that shutdown allows.
const LONGEST_SLICE: Duration = Duration::from_secs(10);
/// Verifications wait for each other so long, but never more than a part of what they wait for anyway.
const LONGEST_COLLECTING: Duration = Duration::from_secs(5);
const COLLECTING_PART: u32 = 12;
/// The part of the deadline after which a cleanup hurries, in quarters.
const HURRIES_AFTER_QUARTERS: u32 = 3;

impl CleanupSettings {
    /// The times and limits that work keeps to.
    #[must_use]
    pub fn policy(&self, blobs: &BlobSettings, out_of_reach: &OutOfReach) -> Policy {
        Policy {
            schedule: self.schedule(blobs.arf_purge_versions),
            collecting: (self.settle_delay / COLLECTING_PART).min(LONGEST_COLLECTING),
            late_write_check: self.late_write_check,
            claim: ClaimTimes { ttl: self.claim_ttl, renewal: self.claim_renewal },
            out_of_reach_for: out_of_reach.0.clone(),
            slice: self.purge_slice,
            yield_after: self.purge_slice,
            retry_base: self.retry_base_delay,
            retry_longest: self.retry_max_delay,
        }
    }
}

impl CleanupSettings {
    /// When and how fast purges may run, and what they reach.
    fn schedule(&self, purges_versions: bool) -> PurgeSchedule {
        let (windows, time_zone) = (self.cleanup_allowed_hours.0.clone(), self.cleanup_time_zone.name().to_owned());
        let deadline = self.cleanup_deadline.0;
        let hurries_after = deadline.map(|deadline| deadline / 4 * HURRIES_AFTER_QUARTERS);
        PurgeSchedule {
            hours: AllowedHours { windows, time_zone },
            hurries_after,
            deadline,
            documents_per_second: NonZeroU32::new(self.cleanup_documents_per_second),
            settle_delay: self.settle_delay,
            purges_versions,
        }
    }
}

impl Validate for CleanupSettings {
    fn validate(&self) -> Result<(), String> {
        let positive = [
            ("CLAIM_RENEWAL", self.claim_renewal),
            ("CLEANUP_POLL_INTERVAL", self.cleanup_poll_interval),
            ("PURGE_SLICE", self.purge_slice),
            ("RETRY_BASE_DELAY", self.retry_base_delay),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| value.is_zero()) {
            return Err(format!("{name} must be more than 0s"));
        }
        if let Some(deadline) = self.cleanup_deadline.0
            && deadline <= self.settle_delay
        {
            let (deadline, settle) = (format_duration(deadline), format_duration(self.settle_delay));
            return Err(format!("CLEANUP_DEADLINE is {deadline}, not more than SETTLE_DELAY {settle}"));
        }
        if self.claim_renewal * 2 >= self.claim_ttl {
            let (twice, ttl) = (format_duration(self.claim_renewal * 2), format_duration(self.claim_ttl));
            return Err(format!("2 * CLAIM_RENEWAL is {twice}, not less than CLAIM_TTL {ttl}"));
        }
        if self.retry_base_delay > self.retry_max_delay {
            let (base, longest) = (format_duration(self.retry_base_delay), format_duration(self.retry_max_delay));
            return Err(format!("RETRY_BASE_DELAY is {base}, more than RETRY_MAX_DELAY {longest}"));
        }
        if self.purge_slice > LONGEST_SLICE {
            let (slice, longest) = (format_duration(self.purge_slice), format_duration(LONGEST_SLICE));
            return Err(format!("PURGE_SLICE is {slice}, more than {longest}"));
        }
        Ok(())
    }
}

impl Validate for Settings {
    fn validate(&self) -> Result<(), String> {
        self.blobs.validate()?;
        self.ledger.validate()?;
        self.ledger.store.stay_apart(&self.blobs.arf.arf_url)?;
        self.cleanup.validate()?;
        self.orphans.validate()?;
        // Each slot needs a connection for its heartbeat and one for its steps; the rest look for work.
        let (needed, size) = (self.cleanup.cleanup_slots + 2, self.database.database_pool_size);
        if size < needed {
            return Err(format!("DATABASE_POOL_SIZE is {size}, less than CLEANUP_SLOTS + 2, which is {needed}"));
        }
        Ok(())
    }
}
