//! Looking words up in the full-text index. Each search is added to those that have found something before; its number
//! among them is given, or none if there was no word to look up.

use std::collections::HashMap;

use rusqlite::Connection;

use super::bm25;
use crate::linguistics::documents;
use crate::schema::{Field, RANKED};
use crate::store::StoreError;
use crate::yql::{Term, Terms, Wanted};

/// What a search has found: serials, and how well.
pub(super) type Found = HashMap<i64, f64>;

/// `field contains "…"`: the words of the text, one after the other.
pub(super) fn phrase(
    connection: &Connection,
    field: &Field,
    value: &str,
    found: &mut Vec<Found>,
) -> Result<Option<usize>, StoreError> {
    let words = documents::words(value);
    if words.is_empty() {
        return Ok(None);
    }
    search(connection, &[field.name], &quoted(&words), &words, found)
}

/// `field in ("…")`: a value is looked up as it is, so only single words are ever found.
pub(super) fn whole(
    connection: &Connection,
    field: &Field,
    values: &[String],
    found: &mut Vec<Found>,
) -> Result<Option<usize>, StoreError> {
    let words: Vec<String> =
        values.iter().filter(|value| documents::words(value) == [value.as_str()]).cloned().collect();
    if words.is_empty() {
        return Ok(None);
    }
    let expression = words.iter().map(|word| quoted(std::slice::from_ref(word))).collect::<Vec<_>>().join(" OR ");
    search(connection, &[field.name], &expression, &words, found)
}

/// `userInput(…)`
pub(super) fn terms(
    connection: &Connection,
    fields: &[&str],
    terms: &Terms,
    found: &mut Vec<Found>,
) -> Result<Option<usize>, StoreError> {
    let expression = |term: &Term| match term {
        Term::Words(words) => {
            let words: Vec<String> = words.iter().map(|word| quoted(std::slice::from_ref(word))).collect();
            Some(format!("({})", words.join(" AND ")))
        }
        Term::Phrase(words) if !words.is_empty() => Some(quoted(words)),
        Term::Phrase(_) | Term::Unfindable => None,
    };
    let expressions: Vec<Option<String>> = terms.terms.iter().map(expression).collect();
    let is_hopeless = terms.wanted == Wanted::All && expressions.iter().any(Option::is_none);
    let expressions: Vec<String> = expressions.into_iter().flatten().collect();
    if is_hopeless || expressions.is_empty() {
        return Ok(None);
    }
    let join = match terms.wanted {
        Wanted::Any => " OR ",
        Wanted::All => " AND ",
    };
    let words = terms.terms.iter().flat_map(|term| match term {
        Term::Words(words) | Term::Phrase(words) => words.clone(),
        Term::Unfindable => Vec::new(),
    });
    search(connection, fields, &expressions.join(join), &words.collect::<Vec<_>>(), found)
}

/// Words, one after the other. They hold no quotes.
fn quoted(words: &[String]) -> String {
    format!("\"{}\"", words.join(" "))
}

fn search(
    connection: &Connection,
    fields: &[&str],
    expression: &str,
    words: &[String],
    found: &mut Vec<Found>,
) -> Result<Option<usize>, StoreError> {
    let expression = format!("{{{}}} : ({expression})", fields.join(" "));
    let mut statement = connection.prepare_cached("SELECT rowid FROM words WHERE words MATCH ?")?;
    let rows = statement.query_map([expression], |row| Ok((row.get::<_, i64>(0)?, 0.0)))?;
    let mut hits: Found = rows.collect::<Result<_, _>>()?;
    let ranked: Vec<&str> = fields.iter().copied().filter(|field| RANKED.contains(field)).collect();
    bm25::score(connection, &ranked, words, &mut hits)?;
    found.push(hits);
    Ok(Some(found.len() - 1))
}
