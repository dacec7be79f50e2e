//! A session of the owner's database, ready to read.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, Error, NoTls};

use super::check::{Credentials, TlsMode};
use super::place::Place;
use super::tls;
use crate::SourceError;

/// Bound of the whole way to a session: name, TCP, TLS, password.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Drives the connection; ends when it breaks or the client is gone.
pub(super) type Link = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Opens the session.
///
/// # Errors
/// [`SourceError`] as [`Place::connect_error`] tells.
pub(super) async fn connect(credentials: &Credentials, place: &Place) -> Result<(Client, Link), SourceError> {
    let config = config(credentials);
    let connecting = async {
        match credentials.sslmode {
            TlsMode::Disable => {
                let (client, connection) = config.connect(NoTls).await.map_err(|error| place.connect_error(&error))?;
                let link: Link = Box::pin(connection);
                Ok((client, link))
            }
            TlsMode::Require => {
                let tls = tls::connector(credentials.sslrootcert.as_deref())?;
                let (client, connection) = config.connect(tls).await.map_err(|error| place.connect_error(&error))?;
                let link: Link = Box::pin(connection);
                Ok((client, link))
            }
        }
    };
    tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or_else(|_| Err(place.no_answer()))
}

fn config(credentials: &Credentials) -> Config {
    let mut config = Config::new();
    config
        .host(&credentials.host)
        .port(credentials.port)
        .dbname(&credentials.database)
        .user(&credentials.user)
        // Without a password the server, not this side, says that it wants one.
        .password(credentials.password.as_deref().unwrap_or_default())
        .ssl_mode(match credentials.sslmode {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Require => SslMode::Require,
        })
        .application_name("unweave")
        .connect_timeout(CONNECT_TIMEOUT)
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(30));
    config
}
