//! HTTPS: the certificate and its key, read from files and read again when the files change.
//!
//! Whoever renews certificates replaces the files (or the link to them) and is done: connections made from then on get
//! the new certificate, those that are open go on. Files that don't fit each other, as in the middle of a replacement,
//! change nothing; that is logged once for each content.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use parking_lot::{Mutex, RwLock};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use shared_service::{Driver, Periodic};

const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Where the certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the server's certificate first, then those of its issuers.
    pub certificate: PathBuf,
    /// PEM: the private key, PKCS #8, SEC 1 or PKCS #1.
    pub private_key: PathBuf,
}

#[derive(PartialEq, Eq)]
struct Pems {
    certificate: Vec<u8>,
    private_key: Vec<u8>,
}

impl TlsFiles {
    /// Whether they can be used as they are now.
    ///
    /// # Errors
    /// One line that names the setting: a file can't be read or isn't PEM, or the two don't belong together.
    pub fn check(&self) -> Result<(), String> {
        self.read().and_then(|pems| pems.certified_key()).map(drop).map_err(|error| format!("{error:#}"))
    }

    fn read(&self) -> anyhow::Result<Pems> {
        let read = |name: &str, path: &Path| fs::read(path).with_context(|| format!("read {name} {}", path.display()));
        Ok(Pems {
            certificate: read("TLS_CERTIFICATE", &self.certificate)?,
            private_key: read("TLS_PRIVATE_KEY", &self.private_key)?,
        })
    }
}

impl Pems {
    fn certified_key(&self) -> anyhow::Result<CertifiedKey> {
        let chain = CertificateDer::pem_slice_iter(&self.certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.context("parse TLS_CERTIFICATE")?;
        ensure!(!chain.is_empty(), "TLS_CERTIFICATE holds no certificate");
        // The parser's own text could quote the key.
        let key = PrivateKeyDer::from_pem_slice(&self.private_key);
        let key = key.map_err(|_| anyhow::anyhow!("TLS_PRIVATE_KEY holds no private key in PEM form"))?;
        let provider = CryptoProvider::get_default().context("no TLS provider is installed")?;
        CertifiedKey::from_der(chain, key, provider).context("TLS_CERTIFICATE and TLS_PRIVATE_KEY don't fit")
    }
}

/// The certificate that new connections get.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().clone())
    }
}

/// What rustls needs to serve with these files; changes of them are looked for until shutdown.
///
/// # Errors
/// The files can't be read, aren't PEM, or don't belong together.
pub fn server_config(files: TlsFiles, driver: &Driver) -> anyhow::Result<ServerConfig> {
    let seen = files.read()?;
    let current = Arc::new(Current(RwLock::new(Arc::new(seen.certified_key()?))));
    let watch = Arc::new(Watch { files, current: current.clone(), seen: Mutex::new(seen) });
    driver.start(Periodic::every("watch TLS files", LOOK_INTERVAL), move |_| {
        let watch = watch.clone();
        async move { watch.follow() }
    });
    Ok(ServerConfig::builder().with_no_client_auth().with_cert_resolver(current))
}

struct Watch {
    files: TlsFiles,
    current: Arc<Current>,
    seen: Mutex<Pems>,
}

impl Watch {
    /// Takes the key pair in the files if they have changed to one that fits.
    fn follow(&self) -> Result<(), String> {
        let unchanged = |error: anyhow::Error| format!("the certificate stays as it was: {error:#}");
        let pems = self.files.read().map_err(unchanged)?;
        if pems == *self.seen.lock() {
            return Ok(());
        }
        let key = pems.certified_key();
        *self.seen.lock() = pems;
        let outcome = if key.is_ok() { "taken" } else { "refused" };
        metrics::counter!("unweave_tls_certificates_total", "outcome" => outcome).increment(1);
        *self.current.0.write() = Arc::new(key.map_err(unchanged)?);
        tracing::info!("new connections get the certificate that is in the files now");
        Ok(())
    }
}
