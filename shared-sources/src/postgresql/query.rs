//! The SQL that reads a table's rows.
//!
//! It runs under the session's own `search_path`, for policies and views may call functions that need it: every name
//! here says where it is from.

use std::fmt::Write as _;

use super::encoding::Texts;
use super::place::Place;
use super::table::{Column, Form, Kind, Table};

/// A larger row is counted as skipped: nobody searches in it, and it would have to fit into memory several times.
const MAX_ROW_BYTES: usize = 4 * 1024 * 1024;

/// Longest key of such a row that is told.
const MAX_KEY_CHARS: usize = 400;

/// Of a larger text only the beginning is read, and three dots tell so: not every encoding of a database has an
/// ellipsis.
const MAX_VALUE_BYTES: usize = 1024 * 1024;
/// The beginning, in characters: at four bytes each they are no more than that.
const BEGINNING_CHARS: usize = MAX_VALUE_BYTES / 4;

/// Rows as JSON texts with the number of copies, the key of a row that is too large, and the child that a row is from.
/// Only a table without primary key can have copies; there the server counts them, on its disk if need be.
pub(super) fn of_rows(place: &Place, texts: &Texts, table: &Table) -> String {
    let columns: Vec<String> = table.columns.iter().map(column).collect();
    let rows = format!(
        "SELECT pg_catalog.row_to_json(v.*)::pg_catalog.text AS json, {key} AS key, {child} AS child
         FROM {from} AS t CROSS JOIN LATERAL (SELECT {columns}) AS v {children}",
        key = key(table),
        child = if tells_children(table) { "t.tableoid" } else { "NULL::pg_catalog.oid" },
        from = from(place, table),
        columns = columns.join(", "),
        children = children(table),
    );
    let counted = if table.key.is_empty() {
        format!(
            "SELECT json, pg_catalog.count(*) AS copies, NULL::pg_catalog.text AS key, NULL::pg_catalog.oid AS child
             FROM ({rows}) AS r GROUP BY json"
        )
    } else {
        format!("SELECT json, 1::pg_catalog.int8 AS copies, key, child FROM ({rows} OFFSET 0) AS r")
    };
    let is_small = format!("pg_catalog.octet_length(json) OPERATOR(pg_catalog.<=) {MAX_ROW_BYTES}");
    format!(
        "SELECT CASE WHEN {is_small} THEN {json} END, copies, CASE WHEN NOT {is_small} THEN {key} END, child
         FROM ({counted}) AS c",
        json = texts.sent("json"),
        key = texts.sent("key"),
    )
}

/// A key says which row it is among those of one table: the child's part of the id comes from here.
fn tells_children(table: &Table) -> bool {
    !table.children.is_empty() && !table.key.is_empty()
}

fn from(place: &Place, table: &Table) -> String {
    let only = match table.kind {
        Kind::Table | Kind::Foreign if table.children.is_empty() => "ONLY ",
        Kind::Table | Kind::Foreign | Kind::Partitioned | Kind::View | Kind::Materialized => "",
    };
    format!("{only}{}.{}", quoted(&place.schema), quoted(&table.name))
}

/// The other children are read themselves. Where the role can't tell them apart, there are none.
fn children(table: &Table) -> String {
    if table.children.is_empty() || table.is_limited {
        return String::new();
    }
    let mut oids = table.oid.to_string();
    for child in &table.children {
        let _ = write!(oids, ",{}", child.oid);
    }
    format!("WHERE t.tableoid OPERATOR(pg_catalog.=) ANY ('{{{oids}}}'::pg_catalog.oid[])")
}

/// Of a row that is too large only its key is told.
fn key(table: &Table) -> String {
    if table.key.is_empty() {
        return "NULL::pg_catalog.text".to_owned();
    }
    let values: Vec<String> = table.key.iter().map(|name| format!("v.{}", quoted(name))).collect();
    let key = format!("pg_catalog.json_build_array({})::pg_catalog.text", values.join(", "));
    format!("pg_catalog.\"left\"({key}, {MAX_KEY_CHARS})")
}

fn column(column: &Column) -> String {
    let name = quoted(&column.name);
    match column.form {
        Form::Plain | Form::Moment => format!("t.{name}"),
        Form::Text => format!(
            "CASE WHEN pg_catalog.octet_length(t.{name}) OPERATOR(pg_catalog.>) {MAX_VALUE_BYTES} \
             THEN pg_catalog.concat(pg_catalog.\"left\"(t.{name}, {BEGINNING_CHARS}), '...') \
             ELSE t.{name} END AS {name}"
        ),
        Form::Numeric => format!("t.{name}::pg_catalog.text AS {name}"),
        Form::Bytes => format!(
            "CASE WHEN t.{name} IS NOT NULL THEN \
             pg_catalog.json_build_object('bytes', pg_catalog.octet_length(t.{name}), \
             'sha256', pg_catalog.encode(pg_catalog.sha256(t.{name}), 'hex')) END AS {name}"
        ),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
