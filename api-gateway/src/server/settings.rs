//! The settings of the HTTP server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::cors::AllowedOrigins;
use super::tls::TlsFiles;
use crate::client_times::ClientTimes;
use crate::deletion::CASCADE_MARGIN;

/// Where the API is served, to which web pages, and how long clients may take.
#[derive(Debug, Clone, Args)]
pub struct HttpSettings {
    /// Address of the API
    #[arg(long, env = "LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8001")]
    pub listen: SocketAddr,
    /// Certificate chain for HTTPS, a PEM file, read again when it changes; without it the API speaks plain HTTP
    #[arg(long, env = "TLS_CERTIFICATE", value_name = "FILE", requires = "tls_private_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's private key, a PEM file, read again when it changes
    #[arg(long, env = "TLS_PRIVATE_KEY", value_name = "FILE", requires = "tls_certificate")]
    pub tls_private_key: Option<PathBuf>,
    /// Origins whose web pages may call the API from a browser, as https://app.example.com,…; * for every one; none if
    /// not given
    #[arg(long, env = "CORS_ALLOWED_ORIGINS", value_name = "ORIGIN,…", default_value = "", hide_default_value = true)]
    pub cors_allowed_origins: AllowedOrigins,
    /// How long a client may take for the TLS handshake, for a request's head, and to read on in an answer; three times
    /// that for a request's body
    #[arg(long, env = "CLIENT_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub client_timeout: Duration,
    /// How long a connection is kept open after an answer
    #[arg(long, env = "KEEP_ALIVE", value_name = "DURATION", default_value = "75s", value_parser = humantime::parse_duration)]
    pub keep_alive: Duration,
    /// How long a request may take in all
    #[arg(long, env = "REQUEST_TIMEOUT", value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    pub request_timeout: Duration,
}

impl HttpSettings {
    /// The certificate and its key, if HTTPS is wanted.
    #[must_use]
    pub fn tls_files(&self) -> Option<TlsFiles> {
        let (certificate, private_key) = (self.tls_certificate.clone()?, self.tls_private_key.clone()?);
        Some(TlsFiles { certificate, private_key })
    }

    /// How long clients may take.
    #[must_use]
    pub const fn times(&self) -> ClientTimes {
        ClientTimes { client: self.client_timeout, request: self.request_timeout }
    }

    /// Checks them against each other; a request must outlast `cancel_wait` and what follows it.
    ///
    /// # Errors
    /// One line that names the setting.
    pub fn validate(&self, cancel_wait: Duration) -> Result<(), String> {
        if self.client_timeout < Duration::from_millis(100) {
            return Err("CLIENT_TIMEOUT must be at least 100ms".to_owned());
        }
        if self.keep_alive < Duration::from_secs(1) {
            return Err("KEEP_ALIVE must be at least 1s".to_owned());
        }
        let least = cancel_wait + CASCADE_MARGIN;
        if self.request_timeout < least {
            let least = humantime::format_duration(least);
            return Err(format!("REQUEST_TIMEOUT must be at least {least}: CANCEL_WAIT and what follows it"));
        }
        self.tls_files().map_or(Ok(()), |files| files.check())
    }
}
