//! Where the data is: in texts, ids, URLs and errors. None of them ever holds the password.

use std::future::Future;
use std::time::Duration;

use percent_encoding::utf8_percent_encode;
use shared_models::job::ErrorCategory;
use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

use super::check::{Config, Credentials};
use crate::SourceError;
use crate::tools::reasons::with_reasons;
use crate::tools::url;

const DEFAULT_PORT: u16 = 5432;

/// The database, the schema and the role.
#[derive(Debug)]
pub(super) struct Place {
    /// `host:port`.
    pub(super) server: String,
    /// `postgresql://host/database`, without user and password.
    pub(super) url: String,
    pub(super) database: String,
    pub(super) schema: String,
    pub(super) user: String,
    /// Longest time that the server may send nothing.
    silence: Duration,
}

impl Place {
    /// # Errors
    /// [`SourceError::Misconfigured`] if the host is none.
    pub(super) fn new(credentials: &Credentials, config: &Config, silence: Duration) -> Result<Self, SourceError> {
        let Credentials { host, port, database, user, .. } = credentials;
        // A path would mean a socket of the worker's own machine, whose server may trust everyone on it.
        if host.contains('/') || host.starts_with('@') {
            return Err(SourceError::Misconfigured("host must be a host name or an address".to_owned()));
        }
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let authority = if *port == DEFAULT_PORT { host.clone() } else { format!("{host}:{port}") };
        Ok(Self {
            server: format!("{host}:{port}"),
            url: format!("postgresql://{authority}/{}", encoded(database)),
            database: database.clone(),
            schema: config.schema.clone(),
            user: user.clone(),
            silence,
        })
    }

    /// Where people see a table.
    pub(super) fn table_url(&self, table: &str) -> String {
        format!("{}/{}.{}", self.url, encoded(&self.schema), encoded(table))
    }

    /// Id of a table of the schema.
    pub(super) fn table_id(&self, table: &str) -> String {
        table_id(&self.schema, table)
    }

    /// What a failed connect means.
    pub(super) fn connect_error(&self, error: &Error) -> SourceError {
        let Self { server, database, user, .. } = self;
        let Some(told) = error.as_db_error() else {
            return SourceError::Unreachable(format!("cannot reach PostgreSQL at {server}: {}", describe(error)));
        };
        let (code, message) = (told.code(), told.message());
        if [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION].contains(code) {
            return SourceError::Refused {
                message: format!("PostgreSQL at {server} refused the role '{user}': {message}"),
                category: ErrorCategory::ApiKeyInvalid,
            };
        }
        if *code == SqlState::INVALID_CATALOG_NAME {
            return SourceError::Misconfigured(format!("PostgreSQL at {server} has no database '{database}'"));
        }
        if *code == SqlState::INSUFFICIENT_PRIVILEGE {
            let text = format!("the role '{user}' may not connect to database '{database}' at {server}: {message}");
            return SourceError::Misconfigured(text);
        }
        if is_outage(code) {
            return SourceError::Unreachable(format!("cannot reach PostgreSQL at {server}: {message}"));
        }
        SourceError::Failed(format!("PostgreSQL at {server} did not open a session: {message}"))
    }

    /// No answer in time.
    pub(super) fn no_answer(&self) -> SourceError {
        SourceError::Unreachable(format!("cannot reach PostgreSQL at {}: no answer in time", self.server))
    }

    /// What a failed read of a table means.
    pub(super) fn table_error(&self, table: &str, error: &Error) -> SourceError {
        match self.read_error(error) {
            SourceError::Failed(text) => SourceError::Failed(format!("{text} (table '{table}')")),
            SourceError::Misconfigured(text) => SourceError::Misconfigured(format!("{text} (table '{table}')")),
            other @ (SourceError::Unreachable(_) | SourceError::Refused { .. } | SourceError::Stopped) => other,
        }
    }

    /// What the server answers `about` something.
    ///
    /// # Errors
    /// What a failed read means, or [`SourceError::Unreachable`] if nothing comes in time.
    pub(super) async fn within<T>(
        &self,
        about: &str,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, SourceError> {
        self.in_time(about, answer).await?.map_err(|error| self.read_error(&error))
    }

    /// What the server answers `about` something, be it an error: without a bound a server that is there but sends
    /// nothing would keep the job for ever.
    ///
    /// # Errors
    /// [`SourceError::Unreachable`] if nothing comes in time.
    pub(super) async fn in_time<T>(&self, about: &str, answer: impl Future<Output = T>) -> Result<T, SourceError> {
        tokio::time::timeout(self.silence, answer).await.map_err(|_| {
            let (server, silence) = (&self.server, humantime::format_duration(self.silence));
            SourceError::Unreachable(format!("PostgreSQL at {server} sent nothing about {about} for {silence}"))
        })
    }

    /// What a failed read means.
    pub(super) fn read_error(&self, error: &Error) -> SourceError {
        let Some(told) = error.as_db_error() else { return self.broken_off(Some(error)) };
        let (code, message) = (told.code(), told.message());
        if is_outage(code) {
            return self.broken_off(Some(error));
        }
        if *code == SqlState::INSUFFICIENT_PRIVILEGE {
            return SourceError::Misconfigured(format!("the role '{}' may not read everything: {message}", self.user));
        }
        SourceError::Failed(format!("PostgreSQL at {} failed to read: {message}", self.server))
    }

    /// The connection is gone.
    pub(super) fn broken_off(&self, error: Option<&Error>) -> SourceError {
        let why = error.map_or_else(|| "closed by the server".to_owned(), describe);
        SourceError::Unreachable(format!("the connection to PostgreSQL at {} broke off: {why}", self.server))
    }
}

/// Id of a table. A dot within a name is escaped, so no two tables share an id.
pub(super) fn table_id(schema: &str, table: &str) -> String {
    let escaped = |name: &str| name.replace('%', "%25").replace('.', "%2E").replace('/', "%2F");
    format!("{}.{}", escaped(schema), escaped(table))
}

/// Why one table can't be read, if it is the table alone: the session goes on, and nobody asked it to stop.
pub(super) fn reason_of_one_table(error: &Error) -> Option<&str> {
    let told = error.as_db_error()?;
    let is_of_the_session = matches!(told.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
        || is_outage(told.code())
        || *told.code() == SqlState::QUERY_CANCELED;
    (!is_of_the_session).then(|| told.message())
}

/// Shutdown, start, too many connections, class 08.
fn is_outage(code: &SqlState) -> bool {
    let outages = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    outages.contains(code) || code.code().starts_with("08")
}

fn describe(error: &Error) -> String {
    match error.as_db_error() {
        Some(told) => told.message().to_owned(),
        None => with_reasons(error.to_string(), error),
    }
}

fn encoded(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, url::PART)
}
