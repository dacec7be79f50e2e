//! Text fit for the index and for PostgreSQL: bounded, without control characters.

use serde_json::{Map, Value};

/// Longest text of one entity, bytes.
pub(super) const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// `text` cut to [`MAX_TEXT_BYTES`]; what neither Vespa nor PostgreSQL takes becomes a space.
pub(super) fn searchable(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    if text.contains(is_refused) { text.replace(is_refused, " ") } else { text }
}

/// Takes NUL out of every key and text of `fields`: `jsonb` doesn't take it.
pub(super) fn without_nul(fields: Map<String, Value>) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (text_without_nul(name), value_without_nul(value))).collect()
}

fn value_without_nul(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text_without_nul(text)),
        Value::Array(items) => items.into_iter().map(value_without_nul).collect(),
        Value::Object(fields) => Value::Object(without_nul(fields)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

fn text_without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

fn is_refused(character: char) -> bool {
    let is_noncharacter = u32::from(character) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&character);
    is_noncharacter || (character.is_control() && !matches!(character, '\t' | '\n' | '\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = searchable("é".repeat(MAX_TEXT_BYTES));
        assert_eq!(text.len(), MAX_TEXT_BYTES);
        let text = searchable(format!("a{}", "é".repeat(MAX_TEXT_BYTES)));
        assert_eq!(text.len(), MAX_TEXT_BYTES - 1);
    }

    #[test]
    fn control_characters_become_spaces() {
        assert_eq!(searchable("a\0b\u{1b}c\td\u{ffff}".to_owned()), "a b c\td ");
    }
}
