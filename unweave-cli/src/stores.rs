//! Vespa, the ARF store and the ledger store, by the services' own settings.
//!
//! Each is read here and not by clap: what clap says of a value that it can't read quotes it.

use std::time::Duration;

use clap::{ArgAction, Args};
use secrecy::{ExposeSecret as _, SecretString};
use shared_database::Database;
use shared_ledger::Watch;
use shared_models::ledger::Origin;
use shared_service::settings::{http_url, object_store_url};
use shared_stores::{ArfError, ArfStore, LedgerStore, VespaClient, VespaError};
use url::Url;

use crate::failure::Failure;

/// So long the ledger store is waited for.
const LOOK_WITHIN: Duration = Duration::from_secs(60);

/// The index.
#[derive(Debug, Args)]
pub struct Index {
    /// Vespa, as http://host:8080
    #[arg(long, env = "VESPA_URL", value_name = "URL", hide_env_values = true)]
    vespa_url: SecretString,
}

impl Index {
    /// Connects when something is asked.
    pub fn open(&self) -> Result<VespaClient, Failure> {
        let url = http_url(self.vespa_url.expose_secret()).map_err(bad("VESPA_URL"))?;
        Ok(VespaClient::new(&url)?)
    }
}

/// The store of raw captures.
#[derive(Debug, Args)]
pub struct Blobs {
    /// The ARF store: file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix
    #[arg(long, env = "ARF_URL", value_name = "URL", hide_env_values = true)]
    arf_url: SecretString,
    /// The cleanup-workers' setting: whether earlier versions of blobs in a bucket of S3 count, too
    #[arg(long, env = "ARF_PURGE_VERSIONS", value_name = "BOOL", default_value = "false", action = ArgAction::Set)]
    arf_purge_versions: bool,
}

impl Blobs {
    /// Where it is.
    pub fn url(&self) -> Result<Url, Failure> {
        object_store_url(self.arf_url.expose_secret()).map_err(bad("ARF_URL"))
    }

    /// Opens what is there: a folder that isn't is no empty store.
    pub fn open(&self) -> Result<ArfStore, Failure> {
        let store = ArfStore::open_existing(&self.url()?)?;
        Ok(if self.arf_purge_versions { store.with_all_versions()? } else { store })
    }
}

/// The ledger store, where there is one.
#[derive(Debug, Args)]
pub struct Remembered {
    /// The ledger store; while PostgreSQL has less than it, nothing is done
    #[arg(long, env = "LEDGER_URL", value_name = "URL", hide_env_values = true, requires = "ledger_origin")]
    ledger_url: Option<SecretString>,
    /// The ledger's name
    #[arg(long, env = "LEDGER_ORIGIN", value_name = "NAME")]
    ledger_origin: Option<Origin>,
}

impl Remembered {
    /// The ledger's name, if it has one.
    pub const fn origin(&self) -> Option<&Origin> {
        self.ledger_origin.as_ref()
    }

    /// Compares PostgreSQL with the ledger store: what a restore doesn't know looks like data that nobody knows, and
    /// what it brought back looks alive.
    ///
    /// # Errors
    /// History is lost, the store isn't this ledger's, or one of the two can't be read.
    pub async fn compare_with(&self, database: &Database) -> Result<(), Failure> {
        let (Some(url), Some(origin)) = (&self.ledger_url, &self.ledger_origin) else { return Ok(()) };
        let url = object_store_url(url.expose_secret()).map_err(bad("LEDGER_URL"))?;
        let watch = Watch::new(database.clone(), LedgerStore::open_to_read(&url)?, origin.clone(), false);
        // What couldn't be compared isn't taken for whole.
        let looked = tokio::time::timeout(LOOK_WITHIN, watch.look()).await;
        let looked = looked.map_err(|_| Failure::Unchecked(format!("LEDGER_URL: no answer within {LOOK_WITHIN:?}")))?;
        looked.map_err(|error| Failure::Unchecked(format!("PostgreSQL and LEDGER_URL can't be compared: {error}")))?;
        watch.state().map_err(|why| Failure::refused("history", why))
    }
}

fn bad(setting: &'static str) -> impl Fn(&'static str) -> Failure {
    move |error| Failure::Usage(format!("{setting}: {error}"))
}

impl From<VespaError> for Failure {
    fn from(error: VespaError) -> Self {
        Self::Unchecked(error.to_string())
    }
}

impl From<ArfError> for Failure {
    fn from(error: ArfError) -> Self {
        match error {
            ArfError::Setup(text) => Self::Usage(text),
            error => Self::Unchecked(error.to_string()),
        }
    }
}
