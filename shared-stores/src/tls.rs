//! Whether a TLS provider is installed: the HTTP clients panic without one, and a library must not.

/// `true` once the binary has installed a process-wide TLS provider.
pub(crate) fn is_provider_installed() -> bool {
    rustls::crypto::CryptoProvider::get_default().is_some()
}

/// What to do when there is none.
pub(crate) const MISSING_PROVIDER: &str =
    "no TLS provider is installed: call rustls::crypto::ring::default_provider().install_default() first";
