//! PostgreSQL, by the services' own setting.

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use shared_database::{Database, DatabaseError};
use shared_service::settings::postgres_url;

use crate::failure::Failure;

/// Where PostgreSQL is; few connections are enough.
#[derive(Debug, Args)]
pub struct Postgres {
    /// PostgreSQL, as postgres://user:password@host/database; a secret
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: SecretString,
}

impl Postgres {
    /// Makes connections when they are needed.
    pub fn open(&self) -> Result<Database, Failure> {
        open(&self.database_url)
    }
}

/// Makes connections when they are needed.
pub fn open(url: &SecretString) -> Result<Database, Failure> {
    let url = postgres_url(url.expose_secret());
    let url = url.map_err(|error| Failure::Usage(format!("DATABASE_URL: {error}")))?;
    Database::new(&url, 2).map_err(|error| Failure::Unchecked(error.to_string()))
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        let mut text = error.to_string();
        // What PostgreSQL said, such as a column that another version has.
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self::Unchecked(text)
    }
}
