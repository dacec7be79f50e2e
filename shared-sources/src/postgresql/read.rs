//! One run, from connecting to the last row.

use std::time::Duration;

use super::check::{Config, Credentials, TlsMode};
use super::place::Place;
use super::{Postgresql, connect, tables};
use crate::connector::Given;
use crate::{EntitySink, ReadSummary, SourceError};

/// How long the server may sort, join or wait for a lock before it sends an answer or the next row.
const SILENCE: Duration = Duration::from_mins(15);
/// Bound of a polite goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Yields one entity per table and one per row.
pub(super) async fn read(given: Given<'_, Postgresql>) -> Result<ReadSummary, SourceError> {
    let Given { config, credentials, access, sink, .. } = given;
    let Credentials { host, port, sslmode, sslrootcert, .. } = &credentials;
    if !access.settings.postgresql.hosts.allow(host, *port) {
        return Err(SourceError::Misconfigured(format!("host '{host}', port {port}, is not allowed on this worker")));
    }
    if *sslmode == TlsMode::Disable && sslrootcert.is_some() {
        return Err(SourceError::Misconfigured("sslrootcert needs sslmode 'require'".to_owned()));
    }
    read_all(&config, &credentials, SILENCE, sink).await
}

pub(super) async fn read_all(
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
        outcome = tables::read_tables(&client, &place, &config.tables, sink) => outcome?,
        ended = &mut link => return Err(place.broken_off(ended.err().as_ref())),
    };
    drop(client);
    let _ended = tokio::time::timeout(GOODBYE, link).await;
    Ok(summary)
}
