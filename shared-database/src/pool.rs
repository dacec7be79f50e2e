//! Connections: how a session is set up, the pool, the migrations.

use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::pooled_connection::deadpool::{Object, Pool, PoolError};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection as _, AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl as _};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{DatabaseError, Result};

/// Every migration, embedded.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// A pooled connection.
pub type Connection = Object<AsyncPgConnection>;

/// What every session sets: a frozen process must not hold a lock, and a commit is on disk when it is answered.
const SESSION: &str = "-c idle_in_transaction_session_timeout=3s -c statement_timeout=30s -c lock_timeout=2s \
                       -c synchronous_commit=on -c timezone=UTC -c default_transaction_isolation=read\\ committed";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const POOL_WAIT: Duration = Duration::from_secs(5);

/// Advisory lock under which migrations run: several gateways may start at once. ASCII "unweave".
const MIGRATION_LOCK: i64 = 0x75_6e_77_65_61_76_65;

/// The pool. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pool: Pool<AsyncPgConnection>,
}

impl Database {
    /// A pool of at most `size` connections; connects on first use.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] if the pool can't be built.
    pub fn new(url: &SecretString, size: usize) -> Result<Self> {
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Verified;
        config.custom_setup = Box::new(|url| {
            let url = url.to_owned();
            async move { establish(&url).await }.boxed()
        });
        let manager = AsyncDieselConnectionManager::new_with_config(url.expose_secret(), config);
        let pool = Pool::builder(manager)
            .max_size(size)
            .wait_timeout(Some(POOL_WAIT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .recycle_timeout(Some(CONNECT_TIMEOUT))
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(|error| DatabaseError::Unavailable(error.to_string()))?;
        Ok(Self { pool })
    }

    /// A connection.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] if none can be had in time.
    pub async fn connection(&self) -> Result<Connection> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Timeout(_) => DatabaseError::Unavailable("no connection within the time limit".to_owned()),
            other => DatabaseError::Unavailable(other.to_string()),
        })
    }

    /// Runs `work` in a transaction; a deadlock or serialization failure runs it again.
    ///
    /// # Errors
    /// What `work` fails with, or any database error.
    pub async fn transaction<T, F>(&self, mut work: F) -> Result<T>
    where
        T: Send,
        F: for<'r> FnMut(&'r mut AsyncPgConnection) -> BoxFuture<'r, Result<T>> + Send,
    {
        const ATTEMPTS: u32 = 5;
        let mut attempt = 1;
        loop {
            let mut connection = self.connection().await?;
            match connection.transaction(async |db| work(db).await).await {
                Err(DatabaseError::Conflict(_)) if attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// Whether PostgreSQL answers.
    ///
    /// # Errors
    /// What kept it from answering.
    pub async fn ping(&self) -> Result<()> {
        diesel::sql_query("SELECT 1").execute(&mut self.connection().await?).await?;
        Ok(())
    }
}

async fn establish(url: &str) -> ConnectionResult<AsyncPgConnection> {
    let bad = |error: &dyn std::fmt::Display| ConnectionError::BadConnection(error.to_string());
    let mut config: tokio_postgres::Config = url.parse().map_err(|_| {
        // The parser's own text may quote the URL, and with it the password.
        ConnectionError::InvalidConnectionUrl("DATABASE_URL is not a PostgreSQL URL".to_owned())
    })?;
    let options = config.get_options().map_or_else(|| SESSION.to_owned(), |given| format!("{SESSION} {given}"));
    config.options(options).connect_timeout(CONNECT_TIMEOUT).keepalives_idle(Duration::from_secs(10));
    config.keepalives_interval(Duration::from_secs(5)).keepalives_retries(3);
    config.tcp_user_timeout(Duration::from_secs(20));
    if config.get_application_name().is_none() {
        config.application_name("unweave");
    }
    if config.get_ssl_mode() == SslMode::Require {
        let (tls, _untrusted) =
            MakeRustlsConnect::with_native_certs().map_err(|_| bad(&"no trusted certificates on this machine"))?;
        let (client, connection) = config.connect(tls).await.map_err(|error| bad(&describe(&error)))?;
        return AsyncPgConnection::try_from_client_and_connection(client, connection).await;
    }
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.map_err(|error| bad(&describe(&error)))?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}

fn describe(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// Brings the database at `url` to this version. Several processes may call it at once.
///
/// # Errors
/// [`DatabaseError::Unavailable`] or [`DatabaseError::Migration`].
pub async fn migrate(url: &SecretString) -> Result<()> {
    with_migration_lock(url, |harness| {
        harness.run_pending_migrations(MIGRATIONS).map(drop).map_err(|error| error.to_string())
    })
    .await
}

/// Takes every migration back: all tables and all data go. For the test that each runs down and up again.
///
/// # Errors
/// [`DatabaseError::Unavailable`] or [`DatabaseError::Migration`].
pub async fn revert_all(url: &SecretString) -> Result<()> {
    with_migration_lock(url, |harness| {
        harness.revert_all_migrations(MIGRATIONS).map(drop).map_err(|error| error.to_string())
    })
    .await
}

async fn with_migration_lock(
    url: &SecretString,
    run: fn(&mut AsyncMigrationHarness<AsyncPgConnection>) -> std::result::Result<(), String>,
) -> Result<()> {
    let mut connection =
        establish(url.expose_secret()).await.map_err(|error| DatabaseError::Unavailable(error.to_string()))?;
    diesel::sql_query("SET lock_timeout = 0").execute(&mut connection).await?;
    diesel::sql_query("SET statement_timeout = 0").execute(&mut connection).await?;
    diesel::sql_query(format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).execute(&mut connection).await?;
    // The harness blocks; the lock goes with the connection.
    let outcome = tokio::task::spawn_blocking(move || run(&mut AsyncMigrationHarness::new(connection))).await;
    match outcome {
        Ok(done) => done.map_err(DatabaseError::Migration),
        Err(error) => Err(DatabaseError::Migration(error.to_string())),
    }
}
