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
//! index, a table that may not be read counts as failed and what is known of it stays. Rows that row-level security
//! hides from the role aren't there for us. Views and foreign tables are read only if they are named: they repeat or
//! fetch what is elsewhere.
//!
//! A row is known by its primary key. Without one it is known by a hash of its content and, among equal rows, by
//! number: changing such a row removes an entity and adds another.

use self::settings::PostgresqlSettings;
use crate::connector::{Connector, Given};
use crate::{ReadSummary, SourceDefinition, SourceError};

mod check;
mod connect;
mod definition;
mod hosts;
mod place;
mod read;
mod row;
mod settings;
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

    fn refuse_credentials(credentials: &check::Credentials) -> Option<String> {
        check::refuse_credentials(credentials)
    }

    async fn read(given: Given<'_, Self>) -> Result<ReadSummary, SourceError> {
        read::read(given).await
    }
}
