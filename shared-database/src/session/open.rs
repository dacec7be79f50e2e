//! Opening a session: its settings, its keepalives, its encryption.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::path::PathBuf;
use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::AsyncPgConnection;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::net::UnixStream;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Session;
use super::sql_state::LastError;
use super::wire::ReadAlong;

/// What every session sets: a frozen process must not hold a lock, and a commit is on disk when it is answered. Our
/// statements go by indexes, in their order; a plan that reads a whole table, or all rows of a sync, is kept prepared
/// from the time when there were few, and would be run when there are millions.
const SETTINGS: &str = "-c idle_in_transaction_session_timeout=3s -c statement_timeout=30s -c lock_timeout=2s \
                        -c synchronous_commit=on -c timezone=UTC -c default_transaction_isolation=read\\ committed \
                        -c enable_seqscan=off -c enable_bitmapscan=off";

/// Longest time to open a session.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const DEFAULT_PORT: u16 = 5432;

/// Opens a session with the server of a `DATABASE_URL`. Encrypted if the URL says `sslmode=require`.
///
/// # Errors
/// [`ConnectionError`], without the URL: it may hold a password.
pub(crate) async fn open(url: &str) -> ConnectionResult<Session> {
    let mut config = config(url)?;
    let last_error = LastError::default();
    if let Some(socket) = unix_socket(&config) {
        return open_unix(&config, socket, last_error).await;
    }
    if config.get_ssl_mode() == SslMode::Require {
        let (tls, _untrusted) =
            MakeRustlsConnect::with_native_certs().map_err(|_| bad("no trusted certificates on this machine"))?;
        return open_tcp(&config, Encrypted(tls, last_error.clone()), last_error).await;
    }
    // Plain: what takes the place of the encryption is asked for directly, and encrypts nothing.
    config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    open_tcp(&config, Plain(last_error.clone()), last_error).await
}

fn config(url: &str) -> ConnectionResult<Config> {
    let mut config: Config = url.parse().map_err(|_| {
        // The parser's own text may quote the URL, and with it the password.
        ConnectionError::InvalidConnectionUrl("DATABASE_URL is not a PostgreSQL URL".to_owned())
    })?;
    let options = config.get_options().map_or_else(|| SETTINGS.to_owned(), |given| format!("{SETTINGS} {given}"));
    config.options(options).connect_timeout(CONNECT_TIMEOUT);
    config.keepalives_idle(Duration::from_secs(10)).keepalives_interval(Duration::from_secs(5)).keepalives_retries(3);
    config.tcp_user_timeout(Duration::from_secs(20));
    if config.get_application_name().is_none() {
        config.application_name("unweave");
    }
    Ok(config)
}

async fn open_tcp<T>(config: &Config, channel: T, last_error: LastError) -> ConnectionResult<Session>
where
    T: MakeTlsConnect<Socket, Stream: Send + 'static, TlsConnect: Send> + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let (client, connection) = config.connect(channel).await.map_err(|error| told(&error))?;
    let diesel = AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
    Ok(Session::new(diesel, last_error))
}

/// The socket in the file system, if the URL names a folder and no host.
fn unix_socket(config: &Config) -> Option<PathBuf> {
    let port = config.get_ports().first().copied().unwrap_or(DEFAULT_PORT);
    match config.get_hosts().first()? {
        Host::Unix(folder) => Some(folder.join(format!(".s.PGSQL.{port}"))),
        Host::Tcp(_) => None,
    }
}

#[expect(clippy::disallowed_methods, reason = "as Diesel does for other sockets: the task ends with the session")]
async fn open_unix(config: &Config, socket: PathBuf, last_error: LastError) -> ConnectionResult<Session> {
    let opening = async {
        let stream = UnixStream::connect(socket).await.map_err(|error| bad(&error.to_string()))?;
        let stream = ReadAlong::plain(stream, last_error.clone());
        config.connect_raw(stream, NoTls).await.map_err(|error| told(&error))
    };
    let opened = tokio::time::timeout(CONNECT_TIMEOUT, opening).await;
    let (client, connection) = opened.map_err(|_| bad("no connection within the time limit"))??;
    tokio::spawn(connection);
    Ok(Session::new(AsyncPgConnection::try_from(client).await?, last_error))
}

/// Makes plain channels, in the place of encrypted ones.
#[derive(Clone)]
struct Plain(LastError);

impl MakeTlsConnect<Socket> for Plain {
    type Stream = ReadAlong<Socket>;
    type TlsConnect = Self;
    type Error = Infallible;

    fn make_tls_connect(&mut self, _host: &str) -> Result<Self, Infallible> {
        Ok(self.clone())
    }
}

impl TlsConnect<Socket> for Plain {
    type Stream = ReadAlong<Socket>;
    type Error = Infallible;
    type Future = Ready<Result<ReadAlong<Socket>, Infallible>>;

    fn connect(self, socket: Socket) -> Self::Future {
        ready(Ok(ReadAlong::plain(socket, self.0)))
    }
}

/// Makes encrypted channels.
struct Encrypted<T>(T, LastError);

impl<T> MakeTlsConnect<Socket> for Encrypted<T>
where
    T: MakeTlsConnect<Socket>,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send + 'static,
    T::Stream: 'static,
    <T::TlsConnect as TlsConnect<Socket>>::Error: 'static,
{
    type Stream = ReadAlong<T::Stream>;
    type TlsConnect = Encrypted<T::TlsConnect>;
    type Error = T::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, T::Error> {
        Ok(Encrypted(self.0.make_tls_connect(host)?, self.1.clone()))
    }
}

impl<C> TlsConnect<Socket> for Encrypted<C>
where
    C: TlsConnect<Socket, Stream: 'static, Error: 'static, Future: Send + 'static>,
{
    type Stream = ReadAlong<C::Stream>;
    type Error = C::Error;
    type Future = BoxFuture<'static, Result<ReadAlong<C::Stream>, C::Error>>;

    fn connect(self, socket: Socket) -> Self::Future {
        let Self(channel, last_error) = self;
        channel.connect(socket).map(|opened| opened.map(|stream| ReadAlong::encrypted(stream, last_error))).boxed()
    }
}

fn bad(text: &str) -> ConnectionError {
    ConnectionError::BadConnection(text.to_owned())
}

/// With all that lies behind it.
fn told(error: &tokio_postgres::Error) -> ConnectionError {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    ConnectionError::BadConnection(text)
}
