//! The clients of a bucket in S3, Google Cloud Storage or Azure.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{HttpClient, HttpConnector, ReqwestConnector};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::list::PaginatedListStore;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig};
use parking_lot::Mutex;
use url::Url;

use super::patience::{FIRST_PAUSE, LONGEST_PAUSE, RETRIES, RETRY_FOR};
use crate::tls;

/// All clients of one bucket.
pub(crate) struct Clients {
    /// Sends each request once.
    pub(crate) once: Arc<dyn ObjectStore>,
    /// Repeats what the store refuses for the moment.
    pub(crate) patient: Arc<dyn ObjectStore>,
    /// The same, listed page by page.
    pub(crate) pages: Arc<dyn PaginatedListStore>,
    /// S3 only.
    pub(crate) s3: Option<S3Client>,
    /// The prefix in the URL.
    pub(crate) root: Path,
}

/// The patient client of S3, with all that signing and sending a request of one's own takes.
pub(crate) struct S3Client {
    pub(crate) store: Arc<AmazonS3>,
    pub(crate) http: Option<HttpClient>,
    /// The one that was named.
    pub(crate) region: Option<String>,
}

/// What the store that is opened is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Raw captures.
    Arf,
    /// The ledger, whose bucket may lock what it gets.
    Ledger,
}

/// Why there are no clients.
#[derive(Debug)]
pub(crate) enum CannotOpen {
    /// Because of the URL, or of the process.
    Setup(String),
    /// Because of a setting.
    Store(object_store::Error),
}

type Result<T> = std::result::Result<T, CannotOpen>;

/// Opens the bucket that the URL names. Settings override the environment variables of the same names.
pub(crate) fn open(url: &Url, settings: &[(&str, &str)], purpose: Use) -> Result<Clients> {
    if !tls::is_provider_installed() {
        return Err(CannotOpen::Setup(tls::MISSING_PROVIDER.to_owned()));
    }
    let name = purpose.name();
    let (scheme, root) =
        ObjectStoreScheme::parse(url).map_err(|_| CannotOpen::Setup(format!("unknown kind of {name} store URL")))?;
    match scheme {
        ObjectStoreScheme::AmazonS3 => s3(url, settings, purpose, root),
        ObjectStoreScheme::GoogleCloudStorage => gcs(url, settings, root),
        ObjectStoreScheme::MicrosoftAzure => azure(url, settings, root),
        _ => Err(CannotOpen::Setup(format!("{name} store URLs start with file, s3, gs or az"))),
    }
}

impl Use {
    const fn name(self) -> &'static str {
        match self {
            Self::Arf => "ARF",
            Self::Ledger => "ledger",
        }
    }
}

fn s3(url: &Url, settings: &[(&str, &str)], purpose: Use, root: Path) -> Result<Clients> {
    let builder = AmazonS3Builder::from_env().with_url(url.as_str());
    let mut builder = configured(builder, settings, |builder, key, value| builder.with_config(key, value))?;
    if purpose == Use::Ledger && builder.get_config_value(&AmazonS3ConfigKey::Checksum).is_none() {
        // Amazon refuses a PUT without a checksum where a bucket locks what it gets.
        builder = builder.with_checksum_algorithm(Checksum::SHA256);
    }
    let region = builder.get_config_value(&AmazonS3ConfigKey::Region);
    let once = builder.clone().with_retry(once()).build()?;
    let connector = Connector::default();
    let patient = builder.with_retry(patiently()).with_http_connector(connector.clone()).build()?;
    let store = Arc::new(patient);
    let http = connector.made.lock().clone();
    let s3 = Some(S3Client { store: store.clone(), http, region });
    Ok(Clients { once: Arc::new(once), patient: store.clone(), pages: store, s3, root })
}

fn gcs(url: &Url, settings: &[(&str, &str)], root: Path) -> Result<Clients> {
    let builder = GoogleCloudStorageBuilder::from_env().with_url(url.as_str());
    let builder = configured(builder, settings, |builder, key, value| builder.with_config(key, value))?;
    let once = builder.clone().with_retry(once()).build()?;
    let patient = builder.with_retry(patiently()).build()?;
    Ok(without_s3(once, patient, root))
}

fn azure(url: &Url, settings: &[(&str, &str)], root: Path) -> Result<Clients> {
    let builder = MicrosoftAzureBuilder::from_env().with_url(url.as_str());
    let builder = configured(builder, settings, |builder, key, value| builder.with_config(key, value))?;
    let once = builder.clone().with_retry(once()).build()?;
    let patient = builder.with_retry(patiently()).build()?;
    Ok(without_s3(once, patient, root))
}

/// A builder of any store with our settings, then those given.
fn configured<B, K>(builder: B, settings: &[(&str, &str)], set: impl Fn(B, K, &str) -> B) -> Result<B>
where
    K: FromStr<Err = object_store::Error>,
{
    let ours = client_settings();
    ours.iter().chain(settings).try_fold(builder, |builder, (key, value)| Ok(set(builder, key.parse()?, value)))
}

fn without_s3<S: ObjectStore + PaginatedListStore>(once: S, patient: S, root: Path) -> Clients {
    let patient = Arc::new(patient);
    Clients { once: Arc::new(once), patient: patient.clone(), pages: patient, s3: None, root }
}

impl From<object_store::Error> for CannotOpen {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

/// Remembers the HTTP client that a store was given, with all of its options.
#[derive(Debug, Clone, Default)]
struct Connector {
    made: Arc<Mutex<Option<HttpClient>>>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        // Clients that fetch credentials are made before the store's own.
        *self.made.lock() = Some(client.clone());
        Ok(client)
    }
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
