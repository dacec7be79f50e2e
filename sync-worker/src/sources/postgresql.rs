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

use std::time::Duration;

use serde::Deserialize;

use self::place::Place;
use super::{EntitySink, ReadSummary, SourceError};

mod connect;
mod place;
mod read;
mod row;
mod table;
#[cfg(test)]
mod tests;

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
    sink: &EntitySink,
) -> Result<ReadSummary, SourceError> {
    tokio::select! {
        biased;
        () = sink.closed() => Err(SourceError::Stopped),
        outcome = Box::pin(read_all(&config, &credentials, sink)) => outcome,
    }
}

async fn read_all(config: &Config, credentials: &Credentials, sink: &EntitySink) -> Result<ReadSummary, SourceError> {
    let place = Place::new(credentials, config)?;
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
