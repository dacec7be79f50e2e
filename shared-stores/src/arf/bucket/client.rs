//! The clients of a bucket.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::list::PaginatedListStore;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreScheme, RetryConfig};
use url::Url;

use super::Result;
use super::current::Current;
use super::patience::{FIRST_PAUSE, LONGEST_PAUSE, RETRIES, RETRY_FOR};
use super::versions::{Connector, Versions};
use crate::arf::ArfError;
use crate::tls;

/// All clients of one bucket.
pub(super) struct Clients {
    /// Sends each request once.
    pub(super) writes: Arc<dyn ObjectStore>,
    pub(super) current: Current,
    /// S3 only.
    pub(super) versions: Option<Versions>,
    /// The prefix in the URL.
    pub(super) root: Path,
}

/// Opens the bucket that the URL names. Settings override the environment variables of the same names.
pub(super) fn open(url: &Url, settings: &[(&str, &str)]) -> Result<Clients> {
    if !tls::is_provider_installed() {
        return Err(ArfError::Setup(tls::MISSING_PROVIDER.to_owned()));
    }
    let (scheme, root) =
        ObjectStoreScheme::parse(url).map_err(|_| ArfError::Setup("unknown kind of ARF store URL".to_owned()))?;
    match scheme {
        ObjectStoreScheme::AmazonS3 => s3(url, settings, root),
        ObjectStoreScheme::GoogleCloudStorage => gcs(url, settings, root),
        ObjectStoreScheme::MicrosoftAzure => azure(url, settings, root),
        _ => Err(ArfError::Setup("ARF store URLs start with file, s3, gs or az".to_owned())),
    }
}

fn s3(url: &Url, settings: &[(&str, &str)], root: Path) -> Result<Clients> {
    let builder = AmazonS3Builder::from_env().with_url(url.as_str());
    let builder = configured(builder, settings, |builder, key, value| builder.with_config(key, value))?;
    let region = builder.get_config_value(&object_store::aws::AmazonS3ConfigKey::Region);
    let writes = builder.clone().with_retry(once()).build().map_err(failed)?;
    let connector = Connector::default();
    let patient = builder.with_retry(patiently()).with_http_connector(connector.clone()).build().map_err(failed)?;
    let (current, store) = current(patient);
    Ok(Clients { writes: Arc::new(writes), current, versions: Versions::new(store, region, &connector), root })
}

fn gcs(url: &Url, settings: &[(&str, &str)], root: Path) -> Result<Clients> {
    let builder = GoogleCloudStorageBuilder::from_env().with_url(url.as_str());
    let builder = configured(builder, settings, |builder, key, value| builder.with_config(key, value))?;
    let writes = builder.clone().with_retry(once()).build().map_err(failed)?;
    let patient = builder.with_retry(patiently()).build().map_err(failed)?;
    Ok(without_versions(writes, patient, root))
}

fn azure(url: &Url, settings: &[(&str, &str)], root: Path) -> Result<Clients> {
    let builder = MicrosoftAzureBuilder::from_env().with_url(url.as_str());
    let builder = configured(builder, settings, |builder, key, value| builder.with_config(key, value))?;
    let writes = builder.clone().with_retry(once()).build().map_err(failed)?;
    let patient = builder.with_retry(patiently()).build().map_err(failed)?;
    Ok(without_versions(writes, patient, root))
}

/// A builder of any store with our settings, then those given.
fn configured<B, K>(builder: B, settings: &[(&str, &str)], set: impl Fn(B, K, &str) -> B) -> Result<B>
where
    K: FromStr<Err = object_store::Error>,
{
    let ours = client_settings();
    ours.iter()
        .chain(settings)
        .try_fold(builder, |builder, (key, value)| Ok(set(builder, key.parse().map_err(failed)?, value)))
}

fn without_versions<S: ObjectStore + PaginatedListStore>(writes: S, patient: S, root: Path) -> Clients {
    Clients { writes: Arc::new(writes), current: current(patient).0, versions: None, root }
}

fn current<S: ObjectStore + PaginatedListStore>(store: S) -> (Current, Arc<S>) {
    let store = Arc::new(store);
    (Current { store: store.clone(), pages: store.clone() }, store)
}

fn failed(error: object_store::Error) -> ArfError {
    ArfError::store("set up")(error)
}

fn once() -> RetryConfig {
    RetryConfig { max_retries: 0, retry_timeout: Duration::ZERO, ..RetryConfig::default() }
}

fn patiently() -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, base: 2.0 };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_FOR }
}

/// Longest time of one request, and of connecting.
const fn client_settings() -> [(&'static str, &'static str); 2] {
    [("timeout", "10 seconds"), ("connect_timeout", "2 seconds")]
}
