//! Looking words up in the full-text index. Each search is added to those that have found something before; its number
//! among them is given, or none if there was no word to look up.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::schema::Field;
use crate::store::StoreError;
use crate::text;
use crate::yql::Grammar;

/// What a search has found: serials, and how well.
pub(super) type Found = HashMap<i64, f64>;

/// `field contains "…"`: the words of the text, one after the other.
pub(super) fn phrase(
    connection: &Connection,
    field: &Field,
    value: &str,
    found: &mut Vec<Found>,
) -> Result<Option<usize>, StoreError> {
    let terms = if text::words(value).is_empty() { String::new() } else { quoted(value) };
    search(connection, &[field.name], &terms, found)
}

/// `field in ("…")`: a value is looked up as it is, so only single words are ever found.
pub(super) fn whole(
    connection: &Connection,
    field: &Field,
    values: &[String],
    found: &mut Vec<Found>,
) -> Result<Option<usize>, StoreError> {
    let terms = values.iter().filter(|value| text::words(value) == [value.as_str()]).map(|value| quoted(value));
    search(connection, &[field.name], &terms.collect::<Vec<_>>().join(" OR "), found)
}

/// `userInput(…)`
pub(super) fn words(
    connection: &Connection,
    fields: &[&str],
    value: &str,
    grammar: Grammar,
    found: &mut Vec<Found>,
) -> Result<Option<usize>, StoreError> {
    let terms: Vec<String> = text::words(value).iter().map(|word| quoted(word)).collect();
    let terms = terms.join(match grammar {
        Grammar::Any => " OR ",
        Grammar::All => " AND ",
    });
    search(connection, fields, &terms, found)
}

/// The words of a text, one after the other.
fn quoted(value: &str) -> String {
    format!("\"{}\"", text::words(value).join(" "))
}

fn search(
    connection: &Connection,
    fields: &[&str],
    terms: &str,
    found: &mut Vec<Found>,
) -> Result<Option<usize>, StoreError> {
    if terms.is_empty() {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached("SELECT rowid, bm25(words) FROM words WHERE words MATCH ?")?;
    let expression = format!("{{{}}} : ({terms})", fields.join(" "));
    let rows = statement.query_map([expression], |row| Ok((row.get::<_, i64>(0)?, -row.get::<_, f64>(1)?)))?;
    found.push(rows.collect::<Result<_, _>>()?);
    Ok(Some(found.len() - 1))
}
