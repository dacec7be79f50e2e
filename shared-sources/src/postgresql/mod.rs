//! `postgresql`: the tables of a database, row by row.
//!
//! One run reads one state: everything happens in a single read-only transaction of isolation level REPEATABLE READ.
//! Memory stays bounded, because rows are taken off the connection only as fast as the pipeline takes entities; a slow
//! pipeline therefore keeps the transaction open on the owner's database, which holds back VACUUM there for that long,
//! and ALTER TABLE as long as the table is being read.
//!
//! When the job stops, the connection is dropped; a server from version 14 on notices within seconds even while it
//! computes. If the connection breaks, the run fails with [`SourceError::Unreachable`] and the next one starts afresh.
//! Servers from version 11 on are understood.
//!
//! What is not read is bounded and told: a text beyond 1 MiB is cut, and a row beyond 4 MiB counts as failed and leaves
//! the index. A table counts as failed, and what is known of it stays, if it may not be read, if its reading fails, or
//! if it was truncated, rewritten or replaced since the run began: such changes don't keep to the run's one state. Rows
//! that row-level security hides from the role aren't there for us. Views and foreign tables are read only if they are
//! named: they repeat or fetch what is elsewhere.
//!
//! A row is known by its primary key. Without one it is known by a hash of its content and, among equal rows, by
//! number: changing such a row removes an entity and adds another.

use self::settings::PostgresqlSettings;
use crate::connector::{Connector, Given, NoSettings};
use crate::{ReadSummary, SourceDefinition, SourceError};

mod check;
mod connect;
mod definition;
mod encoding;
mod find;
mod hosts;
mod inheritance;
mod json;
mod place;
mod query;
mod read;
mod row;
mod settings;
mod storage;
mod table;
mod tables;
#[cfg(test)]
pub(crate) mod tests;
mod tls;

/// The source `postgresql`.
pub(crate) struct Postgresql;

impl Connector for Postgresql {
    const DEFINITION: SourceDefinition = definition::DEFINITION;
    type Config = check::Config;
    type Credentials = check::Credentials;
    type Settings = PostgresqlSettings;
    type GatewaySettings = NoSettings;

    fn refuse_credentials(credentials: &check::Credentials, _: &NoSettings) -> Option<String> {
        check::refuse_credentials(credentials)
    }

    async fn read(given: Given<'_, Self>) -> Result<ReadSummary, SourceError> {
        read::read(given).await
    }
}
