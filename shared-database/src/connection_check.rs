//! Whether PostgreSQL can be reached and is one that this version can work with.

use diesel::QueryableByName;
use diesel::migration::{Migration, MigrationSource as _};
use diesel::pg::Pg;
use diesel::sql_types::{Bool, Integer, Text};
use diesel_async::RunQueryDsl as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{DatabaseError, Result};
use crate::pool::MIGRATIONS;
use crate::session::{self, Session};

/// The oldest version of PostgreSQL that has what we ask for, as `server_version_num`.
const OLDEST: i32 = 150_000;

/// Who brings the database to this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrations {
    /// The one who asks, when it starts.
    RunAtStart,
    /// Somebody else, who must have done so before.
    MustBeThere,
}

#[derive(QueryableByName)]
struct Server {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Integer)]
    number: i32,
    #[diesel(sql_type = Bool)]
    is_standby: bool,
    #[diesel(sql_type = Bool)]
    has_migrations: bool,
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Looks at the server at `url`, and says which version it is and whether its tables are of this version of ours.
/// Changes nothing.
///
/// # Errors
/// [`DatabaseError::Unavailable`] if it can't be reached, is too old or a standby, [`DatabaseError::Migration`] if its
/// tables aren't there; else any database error.
pub async fn check(url: SecretString, migrations: Migrations) -> Result<String> {
    let session = session::open(url.expose_secret()).await;
    let mut session = session.map_err(|error| DatabaseError::Unavailable(error.to_string()))?;
    let server: Server = diesel::sql_query(
        "SELECT current_setting('server_version') AS version, current_setting('server_version_num')::integer AS number, \
         pg_is_in_recovery() AS is_standby, to_regclass('__diesel_schema_migrations') IS NOT NULL AS has_migrations",
    )
    .get_result(&mut session)
    .await?;
    if server.number < OLDEST {
        return Err(DatabaseError::Unavailable(format!("it is version {}; 15 or newer is needed", server.version)));
    }
    if server.is_standby {
        return Err(DatabaseError::Unavailable("it is a standby, which takes no writes".to_owned()));
    }
    let pending = pending_migrations(&mut session, server.has_migrations).await?;
    match (pending, migrations) {
        (0, _) => Ok(format!("version {}, its tables are up to date", server.version)),
        (_, Migrations::RunAtStart) => {
            Ok(format!("version {}, {pending} migrations will run at the start", server.version))
        }
        (_, Migrations::MustBeThere) => {
            Err(DatabaseError::Migration(format!("{pending} are missing: start an api-gateway of this version first")))
        }
    }
}

async fn pending_migrations(session: &mut Session, has_migrations: bool) -> Result<usize> {
    let mut applied: Vec<Applied> = Vec::new();
    if has_migrations {
        applied = diesel::sql_query("SELECT version FROM __diesel_schema_migrations").load(session).await?;
    }
    let ours: Vec<Box<dyn Migration<Pg>>> =
        MIGRATIONS.migrations().map_err(|error| DatabaseError::Migration(error.to_string()))?;
    let is_applied = |name: String| applied.iter().any(|applied| applied.version == name);
    Ok(ours.iter().filter(|migration| !is_applied(migration.name().version().to_string())).count())
}
