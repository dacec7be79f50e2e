//! Reads table after table in one transaction.

use std::fmt::Write as _;
use std::pin::pin;

use futures::TryStreamExt as _;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;
use tracing::debug;

use super::place::Place;
use super::row;
use super::table::{Form, Kind, Table, find_tables};
use crate::left_out::LeftOut;
use crate::{EntitySink, ReadSummary, SourceError};

/// A larger row is counted as skipped: nobody searches in it, and it would have to fit into memory several times.
const MAX_ROW_BYTES: usize = 4 * 1024 * 1024;

/// Longest key of such a row that is told.
const MAX_KEY_CHARS: usize = 400;

/// Of a larger text only the beginning is read, and three dots tell so:
/// not every encoding of a database has an ellipsis.
const MAX_VALUE_BYTES: usize = 1024 * 1024;
/// The beginning, in characters: at four bytes each they are no more than that.
const BEGINNING_CHARS: usize = MAX_VALUE_BYTES / 4;

/// Settings that not every version has: a dropped connection is noticed while a query runs; no limit on the whole read.
const OPTIONAL_SETTINGS: &str = "
    SELECT set_config(s.name, v.value, false)
    FROM (VALUES ('client_connection_check_interval', '5s'), ('transaction_timeout', '0')) AS v(name, value)
    JOIN pg_catalog.pg_settings s ON s.name = v.name";

/// One state for the whole run, as the role sees it. Texts of values don't depend on the role's or the database's
/// settings, and no name resolves to something that the owner's database defines.
const BEGIN: &str = "
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL search_path = pg_catalog;
    SET LOCAL row_security = on;
    SET LOCAL statement_timeout = 0;
    SET LOCAL lock_timeout = '1min';
    SET LOCAL idle_in_transaction_session_timeout = 0;
    SET LOCAL timezone = 'UTC';
    SET LOCAL datestyle = 'ISO, YMD';
    SET LOCAL intervalstyle = 'iso_8601';
    SET LOCAL extra_float_digits = 1;";

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
    let left_out = LeftOut::default();
    for table in &found.unreadable {
        left_out.gap_with_all_below(&place.table_id(table), "the role may not read the table");
    }
    for table in &found.tables {
        sink.send(table.entity(place)).await?;
        read_rows(client, place, table, sink, &left_out).await?;
    }
    place.within("the end of the transaction", client.batch_execute("COMMIT")).await?;
    Ok(left_out.into_summary())
}

async fn read_rows(
    client: &Client,
    place: &Place,
    table: &Table,
    sink: &EntitySink,
    left_out: &LeftOut,
) -> Result<(), SourceError> {
    let failed = |error: tokio_postgres::Error| place.table_error(&table.name, &error);
    let about = format!("the rows of table '{}'", table.name);
    let nothing: [&(dyn ToSql + Sync); 0] = [];
    let query = query(place, table);
    let mut rows = pin!(place.in_time(&about, client.query_raw(&query, nothing)).await?.map_err(failed)?);
    let web_url = place.table_url(&table.name);
    loop {
        let next = place.in_time(&about, rows.try_next()).await?;
        let Some(found) = next.map_err(failed)? else { return Ok(()) };
        let copies: i64 = found.try_get(1).map_err(failed)?;
        let json = found.try_get::<_, Option<&str>>(0).map_err(failed)?;
        let Some(row) = json.and_then(|json| row::Row::parse(table, json)) else {
            let key: Option<&str> = found.try_get(2).map_err(failed)?;
            let (id, why) = match json {
                Some(json) => (row::id_of_unusable(table, json), "is nested too deeply, or holds what JSON can't"),
                None => (key.map(|key| row::id_by(table, key)), "is larger than 4 MiB"),
            };
            for _ in 0..copies {
                match &id {
                    Some(id) => left_out.unusable(id, &format!("it {why}")),
                    None => left_out.unusable(&table.id, &format!("one of its rows, which have no primary key, {why}")),
                }
            }
            continue;
        };
        for ordinal in 0..copies {
            sink.send(row.entity(table, ordinal, &web_url)).await?;
        }
    }
}

/// Rows as JSON texts with the number of copies. Only a table without primary key can have copies; there the server
/// counts them, on its disk if need be.
fn query(place: &Place, table: &Table) -> String {
    let mut columns = String::new();
    for (place, column) in table.columns.iter().enumerate() {
        let name = quoted(&column.name);
        let comma = if place == 0 { "" } else { ", " };
        let _ = match column.form {
            Form::Plain | Form::Moment => write!(columns, "{comma}t.{name}"),
            Form::Text => write!(
                columns,
                "{comma}CASE WHEN octet_length(t.{name}) > {MAX_VALUE_BYTES} \
                 THEN left(t.{name}, {BEGINNING_CHARS}) || '...' ELSE t.{name} END AS {name}"
            ),
            Form::Numeric => write!(columns, "{comma}t.{name}::text AS {name}"),
            Form::Bytes => write!(
                columns,
                "{comma}CASE WHEN t.{name} IS NOT NULL THEN json_build_object('bytes', octet_length(t.{name}), \
                 'sha256', encode(sha256(t.{name}), 'hex')) END AS {name}"
            ),
        };
    }
    // Children of an inheriting table are tables of their own.
    let only = match table.kind {
        Kind::Table | Kind::Foreign => "ONLY ",
        Kind::Partitioned | Kind::View | Kind::Materialized => "",
    };
    let from = format!("{only}{}.{}", quoted(&place.schema), quoted(&table.name));
    // Of a row that is too large only its key is told.
    let keys: Vec<String> = table.key.iter().map(|name| format!("v.{}", quoted(name))).collect();
    let key = if keys.is_empty() {
        "NULL::text".to_owned()
    } else {
        format!("left(json_build_array({})::text, {MAX_KEY_CHARS})", keys.join(", "))
    };
    let rows =
        format!("SELECT row_to_json(v.*)::text AS json, {key} AS key FROM (SELECT {columns} FROM {from} AS t) AS v");
    let counted = if table.key.is_empty() {
        format!("SELECT json, count(*) AS copies, NULL::text AS key FROM ({rows}) AS r GROUP BY json")
    } else {
        format!("SELECT json, 1::bigint AS copies, key FROM ({rows} OFFSET 0) AS r")
    };
    format!(
        "SELECT CASE WHEN octet_length(json) <= {MAX_ROW_BYTES} THEN json END, copies,
                CASE WHEN octet_length(json) > {MAX_ROW_BYTES} THEN key END FROM ({counted}) AS c"
    )
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
