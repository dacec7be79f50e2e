//! The settings of this service.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser};
use shared_service::settings::{
    AdminSettings, ArfSettings, BrokerSettings, CredentialsKeysSettings, DatabaseSettings, EmbedderSettings,
    ProtocolSettings, TelemetrySettings, Validate, VespaSettings,
};

use crate::sources::{AllowedHosts, GithubApis, GithubLimits, SourceLimits};

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
    pub credentials: CredentialsKeysSettings,
    #[command(flatten)]
    pub protocol: ProtocolSettings,
    #[command(flatten)]
    pub sync: SyncSettings,
    #[command(flatten)]
    pub admin: AdminSettings<9002>,
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
}

/// What only this service has.
#[derive(Debug, Clone, Args)]
pub struct SyncSettings {
    /// Jobs that run at the same time
    #[arg(long, env = "MAX_JOBS", value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub max_jobs: u16,
    /// Writes to the stores that are under way at the same time, of all jobs together
    #[arg(long, env = "WRITES_IN_FLIGHT", value_name = "COUNT", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub writes_in_flight: u32,
    /// How long a sync goes on asking for the vectors of one batch while the embedder is overloaded or away, before it fails
    #[arg(long, env = "EMBEDDER_PATIENCE", value_name = "DURATION", default_value = "2m", value_parser = humantime::parse_duration)]
    pub embedder_patience: Duration,
    /// Largest raw file that is kept, in bytes; of larger ones only the text is
    #[arg(long, env = "MAX_BLOB_BYTES", value_name = "BYTES", default_value_t = 16 << 20, value_parser = clap::value_parser!(u64).range(..=16 << 20))]
    pub max_blob_bytes: u64,
    /// How often jobs of lost workers are looked for
    #[arg(long, env = "REAPER_INTERVAL", value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub reaper_interval: Duration,
    /// How often due schedules are looked for, at least; at most 1m
    #[arg(long, env = "SCHEDULER_INTERVAL", value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub scheduler_interval: Duration,
    /// Folders that the source `files` may read, as name=/folder,name2=/folder2
    #[arg(long, env = "FILES_ROOTS", value_name = "NAME=FOLDER,…", default_value = "", hide_default_value = true)]
    pub files_roots: FileRoots,
    /// Servers that the source `postgresql` may connect to, as host, host:port or *.domain, separated by commas. Empty
    /// allows every server that the worker can reach
    #[arg(long, env = "POSTGRESQL_SOURCE_HOSTS", value_name = "HOST,…", default_value = "", hide_default_value = true)]
    pub postgresql_source_hosts: AllowedHosts,
    /// APIs that the source `github` may use and send tokens to, the default one first; https, or http on a loopback
    /// address; or none
    #[arg(long, env = "GITHUB_API_URLS", value_name = "URL,…", default_value = "https://api.github.com")]
    pub github_api_urls: GithubApis,
    /// Longest time that a job waits for GitHub's rate limit without an answer before it fails; GitHub's own window is
    /// one hour
    #[arg(long, env = "GITHUB_MAX_WAIT", value_name = "DURATION", default_value = "65m", value_parser = humantime::parse_duration)]
    pub github_max_wait: Duration,
    /// Whether the sources for tests may run
    #[arg(long, env = "ENABLE_INTERNAL_SOURCES", value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set)]
    pub enable_internal_sources: bool,
}

impl SyncSettings {
    /// What sources may reach.
    #[must_use]
    pub fn limits(&self) -> SourceLimits {
        SourceLimits {
            file_roots: self.files_roots.0.clone(),
            max_blob_bytes: self.max_blob_bytes,
            postgresql_hosts: self.postgresql_source_hosts.clone(),
            github: GithubLimits {
                apis: self.github_api_urls.clone(),
                max_wait: self.github_max_wait,
                ..GithubLimits::NONE
            },
        }
    }
}

/// Allowed folders by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileRoots(BTreeMap<String, PathBuf>);

impl FromStr for FileRoots {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut roots = BTreeMap::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, folder) = part.split_once('=').ok_or_else(|| format!("'{part}' is not name=/folder"))?;
            let folder = PathBuf::from(folder);
            if name.is_empty() || name.chars().count() > 64 {
                return Err("a name must have 1 to 64 characters".to_owned());
            }
            if !folder.is_absolute() {
                return Err(format!("the folder of '{name}' is not an absolute path"));
            }
            if roots.insert(name.to_owned(), folder).is_some() {
                return Err(format!("'{name}' comes twice"));
            }
        }
        Ok(Self(roots))
    }
}

impl Validate for Settings {
    fn validate(&self) -> Result<(), String> {
        self.database.validate()?;
        self.protocol.validate()?;
        self.sync.validate()
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
        let missing = self.files_roots.0.iter().find(|(_, folder)| !folder.is_dir());
        missing.map_or(Ok(()), |(name, folder)| {
            Err(format!("FILES_ROOTS: the folder of '{name}', {}, does not exist", folder.display()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_names_with_absolute_folders() {
        let roots: FileRoots = "docs=/srv/docs, code=/srv/code".parse().unwrap();
        assert_eq!(roots.0.get("code"), Some(&PathBuf::from("/srv/code")));
        assert_eq!("".parse(), Ok(FileRoots::default()));
        for wrong in ["docs", "=/srv", "docs=srv", "a=/x,a=/y"] {
            assert!(wrong.parse::<FileRoots>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_root_that_does_not_exist_is_named() {
        let arguments = ["sync", "--files-roots", "docs=/no/such/folder"];
        #[derive(Parser)]
        struct Only {
            #[command(flatten)]
            sync: SyncSettings,
        }
        let refused = Only::parse_from(arguments).sync.validate().unwrap_err();
        assert!(refused.contains("FILES_ROOTS") && refused.contains("docs"), "{refused}");
    }
}
