//! Tables for people: one line a row, no frames, so that `grep` and `awk` work on them too.

use chrono::{DateTime, SecondsFormat, Utc};
use comfy_table::{ContentArrangement, Table, presets};

/// What is shown where there is nothing.
pub const NOTHING: &str = "-";

/// The lines of a table with these headings.
pub fn lines<const N: usize>(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Vec<String> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(headings);
    for row in rows {
        // A row is a line, whatever a name holds.
        table.add_row(row.map(|cell| crate::output::one_line(&cell)));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Lines of a name and what it is, for one thing.
pub fn described<'a>(facts: impl IntoIterator<Item = (&'a str, String)>) -> Vec<String> {
    let facts: Vec<_> = facts.into_iter().collect();
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    facts.into_iter().map(|(name, text)| format!("{name:<width$}  {text}")).collect()
}

/// A time, to the second.
pub fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A text, or the sign for nothing.
pub fn shown(text: Option<impl ToString>) -> String {
    text.map_or_else(|| NOTHING.to_owned(), |text| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_and_columns_stand_below_each_other() {
        let rows = [["1".to_owned(), "a\nb\u{1b}[2J".to_owned()], ["1000".to_owned(), String::new()]];
        assert_eq!(lines(["id", "name"], rows), [" id    name", " 1     a\\u{a}b\\u{1b}[2J", " 1000"]);
        assert_eq!(described([("a", "1".to_owned()), ("long", "2".to_owned())]), ["a     1", "long  2"]);
    }
}
