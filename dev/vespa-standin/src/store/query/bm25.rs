//! BM25 as Vespa's rank feature of that name: `k1` 1.2, `b` 0.75, lengths in words, an idf that is always positive,
//! each document type with statistics of its own.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::store::StoreError;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// How often a word stands in one field of a document.
struct Occurrence {
    serial: i64,
    doc_type: u8,
    count: f64,
    /// Words in the field.
    length: f64,
}

/// What is known of a field in all documents of a type.
#[derive(Debug, Clone, Copy)]
struct Statistics {
    documents: f64,
    average_length: f64,
}

/// Adds to each of `hits`, by its serial, the scores of the words in the fields.
pub(super) fn score(
    connection: &Connection,
    fields: &[&str],
    words: &[String],
    hits: &mut HashMap<i64, f64>,
) -> Result<(), StoreError> {
    if hits.is_empty() {
        return Ok(());
    }
    for field in fields {
        let statistics = statistics(connection, field)?;
        for word in words {
            let occurrences = occurrences(connection, field, word)?;
            let mut frequencies: HashMap<u8, f64> = HashMap::new();
            for occurrence in &occurrences {
                *frequencies.entry(occurrence.doc_type).or_default() += 1.0;
            }
            for occurrence in &occurrences {
                let Some(score) = hits.get_mut(&occurrence.serial) else { continue };
                let (Some(statistics), Some(frequency)) =
                    (statistics.get(&occurrence.doc_type), frequencies.get(&occurrence.doc_type))
                else {
                    continue;
                };
                *score += idf(*frequency, statistics.documents) * saturated(occurrence, statistics.average_length);
            }
        }
    }
    Ok(())
}

fn idf(frequency: f64, documents: f64) -> f64 {
    let documents = documents.max(1.0);
    let frequency = frequency.clamp(1.0, documents);
    (1.0 + (documents - frequency + 0.5) / (frequency + 0.5)).ln()
}

fn saturated(occurrence: &Occurrence, average_length: f64) -> f64 {
    let length = occurrence.length / average_length.max(1.0);
    occurrence.count * (K1 + 1.0) / (occurrence.count + K1 * (1.0 - B + B * length))
}

/// By the number of the type.
fn statistics(connection: &Connection, field: &str) -> Result<HashMap<u8, Statistics>, StoreError> {
    // Every document counts for the frequency, but only those with words in the field for its length.
    let mut statement = connection.prepare_cached(&format!(
        "SELECT type, 1.0 * documents, 1.0 * {field}_words / max({field}_documents, 1) FROM word_total"
    ))?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, Statistics { documents: row.get(1)?, average_length: row.get(2)? })))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn occurrences(connection: &Connection, field: &str, word: &str) -> Result<Vec<Occurrence>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT doc, type, 1.0 * count(*), 1.0 * {field} FROM words_instance JOIN word_count ON serial = doc
         WHERE term = ? AND col = ? GROUP BY doc"
    ))?;
    let rows = statement.query_map([word, field], |row| {
        Ok(Occurrence { serial: row.get(0)?, doc_type: row.get(1)?, count: row.get(2)?, length: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
