//! Text fit for the index and for PostgreSQL: bounded, without control characters.

use serde_json::{Map, Value};
use shared_stores::vespa::is_text;

/// Longest text of one entity, bytes.
pub(crate) const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// `text` cut to [`MAX_TEXT_BYTES`]; what neither Vespa nor PostgreSQL takes becomes a space.
pub(crate) fn searchable(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    if text.contains(is_refused) { text.replace(is_refused, " ") } else { text }
}

/// Longest value of a field, bytes. An answer of a search carries the fields of many entities.
const MAX_VALUE_BYTES: usize = 8 * 1024;
/// Where there are more bytes of fields than this, values are shorter.
const MANY_BYTES: usize = 128 * 1024;
const SHORT_VALUE_BYTES: usize = 512;
/// Shorter than this no value is cut.
const SHORTEST_VALUE_BYTES: usize = 32;

/// The fields of an entity, long values cut, which an ellipsis tells; what is no text but
/// long becomes the beginning of its JSON. Of fields that are too many even so, the last ones are left out.
pub(crate) fn bounded(fields: Map<String, Value>) -> Map<String, Value> {
    let mut bounded = with_values_of(fields, MAX_VALUE_BYTES);
    let mut max_bytes = SHORT_VALUE_BYTES;
    while fields_bytes(&bounded) > MANY_BYTES && max_bytes >= SHORTEST_VALUE_BYTES {
        bounded = with_values_of(bounded, max_bytes);
        max_bytes /= 2;
    }
    first_of(bounded, MANY_BYTES)
}

/// As many fields as take no more than `max_bytes`.
fn first_of(fields: Map<String, Value>, max_bytes: usize) -> Map<String, Value> {
    let mut taken = 0_usize;
    let fits = |(name, value): &(String, Value)| {
        taken = taken.saturating_add(field_bytes(name, value));
        taken <= max_bytes
    };
    fields.into_iter().take_while(fits).collect()
}

/// About what `fields` take as JSON.
pub fn fields_bytes(fields: &Map<String, Value>) -> usize {
    fields.iter().map(|(name, value)| field_bytes(name, value)).fold(0, usize::saturating_add)
}

fn field_bytes(name: &str, value: &Value) -> usize {
    name.len().saturating_add(value_bytes(value)).saturating_add(FIELD_MARKS)
}

/// Quotes, colon and comma of a field.
const FIELD_MARKS: usize = 4;

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len().saturating_add(2),
        Value::Array(items) => {
            items.iter().map(|item| value_bytes(item).saturating_add(1)).fold(2, usize::saturating_add)
        }
        Value::Object(fields) => fields_bytes(fields).saturating_add(2),
        Value::Number(_) => 20,
        Value::Null | Value::Bool(_) => 4,
    }
}

fn with_values_of(fields: Map<String, Value>, max_bytes: usize) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name, bounded_value(value, max_bytes))).collect()
}

fn bounded_value(value: Value, max_bytes: usize) -> Value {
    match value {
        Value::String(text) => Value::String(beginning(text, max_bytes)),
        Value::Array(_) | Value::Object(_) => {
            let json = value.to_string();
            if json.len() > max_bytes { Value::String(beginning(json, max_bytes)) } else { value }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

/// `text` cut as the value of a field.
pub(crate) fn bounded_text(text: String) -> String {
    beginning(text, MAX_VALUE_BYTES)
}

fn beginning(mut text: String, max_bytes: usize) -> String {
    if text.len() > max_bytes {
        text.truncate(text.floor_char_boundary(max_bytes));
        text.push('…');
    }
    text
}

/// Takes NUL out of every key and text of `fields`: `jsonb` doesn't take it.
pub(crate) fn without_nul(fields: Map<String, Value>) -> Map<String, Value> {
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

/// PostgreSQL refuses less than Vespa: NUL only.
fn is_refused(character: char) -> bool {
    !is_text(character)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = searchable("é".repeat(MAX_TEXT_BYTES));
        assert_eq!(text.len(), MAX_TEXT_BYTES);
        let text = searchable(format!("a{}", "é".repeat(MAX_TEXT_BYTES)));
        assert_eq!(text.len(), MAX_TEXT_BYTES - 1);
    }

    #[test]
    fn long_values_are_cut_and_many_even_more() {
        let of = |value: Value| bounded(value.as_object().unwrap().clone());
        let long = "é".repeat(MAX_VALUE_BYTES);
        let fields =
            of(json!({"long": long, "list": vec![7; 5_000], "short": "x", "number": 1.5, "small": [1, {"a": null}]}));
        assert_eq!(fields["long"].as_str().unwrap().len(), MAX_VALUE_BYTES + "…".len());
        assert!(fields["list"].as_str().is_some_and(|text| text.starts_with("[7,7") && text.ends_with('…')));
        assert_eq!((&fields["short"], &fields["number"]), (&json!("x"), &json!(1.5)));
        assert_eq!(fields["small"], json!([1, {"a": null}]));
        let many = (0..100).map(|number| (number.to_string(), json!("x".repeat(5_000)))).collect();
        assert_eq!(of(Value::Object(many))["99"].as_str().unwrap().len(), SHORT_VALUE_BYTES + "…".len());
    }

    #[test]
    fn fields_are_bounded_in_sum() {
        let of = |count: usize, name: usize, value: &Value| {
            let fields = (0..count).map(|number| (format!("{number:0name$}"), value.clone())).collect();
            let bounded = bounded(fields);
            assert!(serde_json::to_vec(&bounded).unwrap().len() <= MANY_BYTES + 1_000);
            bounded
        };
        // As many columns as a table can have: none is left out, all are cut more.
        let wide = of(1_600, 8, &json!("x".repeat(2_500)));
        assert_eq!((wide.len(), wide["00000000"].as_str().unwrap().len()), (1_600, 64 + "…".len()));
        // Cut more won't do.
        for value in [json!("x".repeat(2_500)), json!(123_456_789), Value::Null] {
            let named = of(1_600, 200, &value);
            assert!(named.len() > 400 && named.len() < 700, "{}", named.len());
        }
        assert_eq!(of(1_600, 8, &Value::Null).len(), 1_600);
    }

    #[test]
    fn control_characters_become_spaces() {
        assert_eq!(searchable("a\0b\u{1b}c\td\u{ffff}".to_owned()), "a b c\td ");
    }
}
