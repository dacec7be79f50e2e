//! Connections: how a session is set up, the pool, the migrations.

use std::time::Duration;

use diesel::migration::{Migration, MigrationSource as _};
use diesel::pg::Pg;
use diesel_async::pooled_connection::deadpool::{Object, Pool, PoolError};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection as _, AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl as _};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{DatabaseError, Result};
use crate::history::History;
use crate::session::{self, CONNECT_TIMEOUT, Session};

/// Every migration, embedded.
pub(crate) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// A pooled connection.
pub type Connection = Object<Session>;

const POOL_WAIT: Duration = Duration::from_secs(5);

/// Advisory lock under which migrations run: several gateways may start at once. ASCII "unweave".
const MIGRATION_LOCK: i64 = 0x75_6e_77_65_61_76_65;

/// The pool. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pool: Pool<Session>,
    history: History,
}

impl Database {
    /// A pool of at most `size` connections; connects on first use.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] if the pool can't be built.
    pub fn new(url: &SecretString, size: usize) -> Result<Self> {
        Self::sharing(url, size, History::default())
    }

    /// The same, of a process that has another pool to the same database: both know what `history` knows.
    ///
    /// # Errors
    /// As [`Database::new`].
    pub fn sharing(url: &SecretString, size: usize, history: History) -> Result<Self> {
        let mut config = ManagerConfig::default();
        // No question at each check-out: a session that is gone is known to be, or shows at its first statement.
        config.recycling_method = RecyclingMethod::Fast;
        let known = history.clone();
        config.custom_setup = Box::new(move |url| {
            let (url, known) = (url.to_owned(), known.clone());
            async move {
                let mut session = session::open(&url).await?;
                known.meet(&mut session).await?;
                Ok(session)
            }
            .boxed()
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
        Ok(Self { pool, history })
    }

    /// Whether PostgreSQL's history is whole, as far as this process knows.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
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

    /// Runs a read, or what may happen twice. Nobody asks a session whether it still works before it is used: if a
    /// session that lay in the pool turns out to be gone, this goes on with a new one.
    ///
    /// # Errors
    /// What `read` fails with, or any database error.
    pub(crate) async fn read<T>(&self, read: impl AsyncFn(&mut Session) -> Result<T>) -> Result<T> {
        let mut session = self.connection().await?;
        let lay_in_pool = Connection::metrics(&session).recycle_count > 0;
        match read(&mut session).await {
            Err(error @ DatabaseError::Unavailable(_)) if lay_in_pool => {
                tracing::debug!(%error, "a session of the pool is gone; the read goes on with a new one");
                drop(session);
                // Those that lie beside it are most likely gone as well.
                self.pool.retain(|_, _| false);
                read(&mut *self.connection().await?).await
            }
            outcome => outcome,
        }
    }

    /// Runs `work` in a transaction; a deadlock or serialization failure runs it again.
    ///
    /// # Errors
    /// What `work` fails with, or any database error.
    pub async fn transaction<T, F>(&self, mut work: F) -> Result<T>
    where
        T: Send,
        F: for<'r> FnMut(&'r mut Session) -> BoxFuture<'r, Result<T>> + Send,
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
        self.read(async |db| {
            diesel::sql_query("SELECT 1").execute(db).await?;
            Ok(())
        })
        .await
    }
}

/// Brings the database at `url` to this version. Several processes may call it at once.
///
/// # Errors
/// [`DatabaseError::Unavailable`] or [`DatabaseError::Migration`].
pub async fn migrate(url: &SecretString) -> Result<()> {
    with_migration_lock(url, |harness| {
        check_origin(harness)?;
        harness.run_pending_migrations(MIGRATIONS).map(drop).map_err(|error| error.to_string())
    })
    .await
}

/// Refuses a database that was made by a version before the first release: its migrations aren't ours, and ours would
/// meet its tables. (A newer version's database has all of ours and more.)
fn check_origin(harness: &mut AsyncMigrationHarness<AsyncPgConnection>) -> std::result::Result<(), String> {
    let told = |error: Box<dyn std::error::Error + Send + Sync>| error.to_string();
    let applied = harness.applied_migrations().map_err(told)?;
    let ours: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations().map_err(told)?;
    let ours: Vec<_> = ours.iter().map(|migration| migration.name().version().as_owned()).collect();
    let is_foreign = applied.iter().any(|version| !ours.contains(version));
    if is_foreign && ours.iter().any(|version| !applied.contains(version)) {
        return Err("the database was made by a version before the first release; start with an empty one \
                    (`make clean-local` removes that of `make up`)"
            .to_owned());
    }
    Ok(())
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
    let session = session::open(url.expose_secret()).await;
    let mut connection = session.map_err(|error| DatabaseError::Unavailable(error.to_string()))?.into_diesel();
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
