//! TLS with a server whose certificate is checked, always by its name and its issuer.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::SourceError;

/// Trusts `root` alone, or what this machine trusts.
///
/// # Errors
/// [`SourceError::Misconfigured`] if `root` isn't a certificate; [`SourceError::Failed`] if this machine trusts nobody.
pub(super) fn connector(root: Option<&str>) -> Result<MakeRustlsConnect, SourceError> {
    let Some(pem) = root else {
        let (tls, _unusable) = MakeRustlsConnect::with_native_certs()
            .map_err(|_| SourceError::Failed("this worker trusts no certificate authority".to_owned()))?;
        return Ok(tls);
    };
    let roots = roots(pem).ok_or_else(|| {
        SourceError::Misconfigured("sslrootcert is not a certificate of an authority as PEM text".to_owned())
    })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SourceError::Failed(format!("set up TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn roots(pem: &str) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.ok()?).ok()?;
    }
    (!roots.is_empty()).then_some(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_misconfigured() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in ["", "hello", broken, "-----BEGIN CERTIFICATE-----"] {
            let Err(error) = connector(Some(pem)) else { panic!("{pem}") };
            assert!(matches!(error, SourceError::Misconfigured(_)), "{error}");
        }
    }
}
