//! `postgresql`: the tables of a database, row by row.
//!
//! One run reads one state: everything happens in a single read-only transaction of isolation level REPEATABLE READ.
//! Memory stays bounded, because rows are taken off the connection only as fast as the pipeline takes entities; a slow
//! pipeline therefore keeps the transaction open on the owner's database, which holds back VACUUM and ALTER TABLE there
//! for that long.
//!
//! When the job stops, the connection is dropped; a server from version 14 on notices within seconds even while it
//! computes. If the connection breaks, the run fails with [`SourceError::Unreachable`] and the next one starts afresh.
//! Servers from version 11 on are understood.
//!
//! What is not read is bounded and told: a text beyond 1 MiB is cut, a row beyond 4 MiB counts as failed and leaves the
//! index, a table that may not be read counts as failed and what is known of it stays. Rows that row-level security hides
//! from the role aren't there for us. Views and foreign tables are read only if they are named: they repeat or fetch what is
//! elsewhere.
//!
//! A row is known by its primary key. Without one it is known by a hash of its content and, among equal rows, by number:
//! changing such a row removes an entity and adds another.

use std::time::Duration;

use serde::Deserialize;

use self::place::Place;
use super::{EntitySink, ReadSummary, SourceError, SourceLimits};

mod connect;
mod hosts;
mod place;
mod read;
mod row;
mod table;
#[cfg(test)]
mod tests;
mod tls;

pub use hosts::AllowedHosts;

/// How long the server may sort, join or wait for a lock before it sends an answer or the next row.
const SILENCE: Duration = Duration::from_mins(15);
/// Bound of a polite goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// What the owner may set.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    schema: String,
    tables: Vec<String>,
}

/// Where the database is and who reads it. No `Debug`: it holds a password.
#[derive(Deserialize)]
pub(super) struct Credentials {
    host: String,
    port: u16,
    database: String,
    user: String,
    password: Option<String>,
    sslmode: TlsMode,
    /// Missing in credentials that an older version stored.
    #[serde(default)]
    sslrootcert: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TlsMode {
    Disable,
    Require,
}

/// Yields one entity per table and one per row.
pub(super) async fn read(
    config: Config,
    credentials: Credentials,
    limits: &SourceLimits,
    sink: &EntitySink,
) -> Result<ReadSummary, SourceError> {
    let Credentials { host, port, sslmode, sslrootcert, .. } = &credentials;
    if !limits.postgresql_hosts.allow(host, *port) {
        return Err(SourceError::Misconfigured(format!("host '{host}', port {port}, is not allowed on this worker")));
    }
    if *sslmode == TlsMode::Disable && sslrootcert.is_some() {
        return Err(SourceError::Misconfigured("sslrootcert needs sslmode 'require'".to_owned()));
    }
    tokio::select! {
        biased;
        () = sink.closed() => Err(SourceError::Stopped),
        outcome = Box::pin(read_all(&config, &credentials, SILENCE, sink)) => outcome,
    }
}

async fn read_all(
    config: &Config,
    credentials: &Credentials,
    silence: Duration,
    sink: &EntitySink,
) -> Result<ReadSummary, SourceError> {
    let place = Place::new(credentials, config, silence)?;
    let (client, mut link) = connect::connect(credentials, &place).await?;
    // The connection is driven here, not by a task of its own: nothing outlives this future.
    let summary = tokio::select! {
        biased;
        outcome = read::read_tables(&client, &place, &config.tables, sink) => outcome?,
        ended = &mut link => return Err(place.broken_off(ended.err().as_ref())),
    };
    drop(client);
    let _ended = tokio::time::timeout(GOODBYE, link).await;
    Ok(summary)
}
