//! Reads table after table in one transaction.

use std::pin::pin;

use futures::TryStreamExt as _;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};
use tracing::debug;

use super::encoding::{Sent, Texts};
use super::find::{Found, find_tables};
use super::place::{Place, reason_of_one_table};
use super::row::{Row, id_by};
use super::table::Table;
use super::{query, storage};
use crate::left_out::LeftOut;
use crate::tools::busy::with_thread_to_itself;
use crate::{EntitySink, ReadSummary, SourceError};

/// Settings that not every version has: a dropped connection is noticed while a query runs; no limit on the whole read.
const OPTIONAL_SETTINGS: &str = "
    SELECT set_config(s.name, v.value, false)
    FROM (VALUES ('client_connection_check_interval', '5s'), ('transaction_timeout', '0')) AS v(name, value)
    JOIN pg_catalog.pg_settings s ON s.name = v.name";

/// One state for the whole run, as the role sees it. Texts of values don't depend on the role's or the database's
/// settings, and the catalogue's names resolve to nothing that the owner's database defines. With fewer digits an older
/// server would let two floating-point numbers look alike. What parallel workers lock doesn't show as ours.
const BEGIN: &str = "
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL search_path = pg_catalog;
    SET LOCAL row_security = on;
    SET LOCAL statement_timeout = 0;
    SET LOCAL lock_timeout = '1min';
    SET LOCAL idle_in_transaction_session_timeout = 0;
    SET LOCAL timezone = 'UTC';
    SET LOCAL datestyle = 'ISO';
    SET LOCAL intervalstyle = 'iso_8601';
    SET LOCAL bytea_output = 'hex';
    SET LOCAL extra_float_digits = 3;
    SET LOCAL max_parallel_workers_per_gather = 0;";

/// Policies and views may call functions that name tables without their schemas: they find what they find in any other
/// session of the role. What fails for one table is taken back to here.
const READ: &str = "
    SET LOCAL search_path = DEFAULT;
    SAVEPOINT tables;";

/// Also lets go of the table: nobody needs to wait with changes of it until the run ends.
const GO_ON: &str = "ROLLBACK TO SAVEPOINT tables";

/// Reads all tables, or those `wanted`.
///
/// # Errors
/// [`SourceError`]; `Stopped` if nobody takes entities any more.
pub(super) async fn read_tables(
    client: &Client,
    place: &Place,
    wanted: &[String],
    sink: &EntitySink,
) -> Result<ReadSummary, SourceError> {
    if let Err(error) = place.in_time("settings", client.batch_execute(OPTIONAL_SETTINGS)).await? {
        debug!(server = place.server, %error, "go on without optional settings");
    }
    place.within("the beginning of a transaction", client.batch_execute(BEGIN)).await?;
    let found = find_tables(client, place, wanted).await?;
    place.within("a savepoint", client.batch_execute(READ)).await?;
    let left_out = LeftOut::default();
    for unreadable in &found.unreadable {
        left_out.gap_with_all_below(&place.table_id(&unreadable.name), unreadable.reason);
    }
    let reading = Reading { client, place, texts: &found.texts, sink, left_out: &left_out };
    reading.read_each(&found).await?;
    place.within("the end of the transaction", client.batch_execute("COMMIT")).await?;
    Ok(left_out.into_summary())
}

/// What reading a table takes.
struct Reading<'a> {
    client: &'a Client,
    place: &'a Place,
    texts: &'a Texts,
    sink: &'a EntitySink,
    left_out: &'a LeftOut,
}

/// How the reading of a table ended.
enum End {
    Complete,
    /// The table was changed as a whole since the run's snapshot.
    Changed,
    /// The server can't read this table.
    Failed(Error),
}

impl Reading<'_> {
    /// A table that fails costs itself; where every table fails, the run does.
    async fn read_each(&self, found: &Found) -> Result<(), SourceError> {
        let mut failed = Vec::new();
        for table in &found.tables {
            self.sink.send(table.entity(self.place)).await?;
            match self.read(table).await? {
                End::Complete => {}
                End::Changed => {
                    let why = "it was truncated, rewritten or replaced while the sync ran; could not be read for now";
                    self.left_out.gap_with_all_below(&table.id, why);
                }
                End::Failed(error) => {
                    let why = reason_of_one_table(&error).unwrap_or_default();
                    self.left_out.gap_with_all_below(&table.id, &format!("could not be read for now: {why}"));
                    failed.push(self.place.table_error(&table.name, &error));
                }
            }
            self.place.within("the next table", self.client.batch_execute(GO_ON)).await?;
        }
        if failed.len() < found.tables.len() { Ok(()) } else { failed.into_iter().next().map_or(Ok(()), Err) }
    }

    async fn read(&self, table: &Table) -> Result<End, SourceError> {
        if let Some(failed) = self.read_rows(table).await? {
            return Ok(failed);
        }
        let about = format!("changes of table '{}'", table.name);
        match self.place.in_time(&about, storage::has_changed(self.client, table)).await? {
            Ok(true) => Ok(End::Changed),
            Ok(false) => Ok(End::Complete),
            Err(error) => self.failed(table, error),
        }
    }

    /// Yields the rows up to the last one, or up to what fails for this table alone.
    async fn read_rows(&self, table: &Table) -> Result<Option<End>, SourceError> {
        let Self { client, place, texts, .. } = *self;
        let about = format!("the rows of table '{}'", table.name);
        let nothing: [&(dyn ToSql + Sync); 0] = [];
        let query = query::of_rows(place, texts, table);
        let mut rows = pin!(match place.in_time(&about, client.query_raw(&query, nothing)).await? {
            Ok(rows) => rows,
            Err(error) => return self.failed(table, error).map(Some),
        });
        let web_url = place.table_url(&table.name);
        loop {
            match place.in_time(&about, rows.try_next()).await? {
                Ok(Some(found)) => self.take(table, &found, &web_url).await?,
                Ok(None) => return Ok(None),
                Err(error) => return self.failed(table, error).map(Some),
            }
        }
    }

    /// # Errors
    /// What the failure means for the run, if it isn't of this table alone.
    fn failed(&self, table: &Table, error: Error) -> Result<End, SourceError> {
        match reason_of_one_table(&error) {
            Some(_) => Ok(End::Failed(error)),
            None => Err(self.place.table_error(&table.name, &error)),
        }
    }

    /// Yields what a row of the query becomes.
    async fn take(&self, table: &Table, found: &tokio_postgres::Row, web_url: &str) -> Result<(), SourceError> {
        let Self { place, texts, .. } = *self;
        let failed = |error: Error| place.table_error(&table.name, &error);
        let json: Option<Sent<'_>> = found.try_get(0).map_err(failed)?;
        let copies: i64 = found.try_get(1).map_err(failed)?;
        let child: Option<u32> = found.try_get(3).map_err(failed)?;
        let child = child.and_then(|oid| table.children.iter().find(|child| child.oid == oid));
        let Some(json) = json else {
            let key: Option<Sent<'_>> = found.try_get(2).map_err(failed)?;
            self.leave_out(key.map(|key| id_by(table, child, &texts.read(key))), table, copies, "is larger than 4 MiB");
            return Ok(());
        };
        let row = with_thread_to_itself(json.0.len(), || Row::parse(table, child, json, texts));
        let Some(row) = row else {
            self.leave_out(None, table, copies, "isn't JSON");
            return Ok(());
        };
        for ordinal in 0..copies {
            self.sink.send(row.entity(table, ordinal, web_url)).await?;
        }
        Ok(())
    }

    fn leave_out(&self, id: Option<String>, table: &Table, copies: i64, why: &str) {
        for _ in 0..copies {
            match &id {
                Some(id) => self.left_out.unusable(id, &format!("it {why}")),
                None => {
                    let why = format!("one of its rows, which have no primary key, {why}");
                    self.left_out.unusable(&table.id, &why);
                }
            }
        }
    }
}
