//! Validation of config and credentials against a source's fields.

use serde_json::{Map, Number, Value};

use shared_models::wire::words::{either, parse_boolean};

use super::unknown::Unknown;
use super::{Field, FieldDefault, FieldKind, ValidatedFields};

/// Bounds of a list of texts.
const MAX_ITEMS: usize = 1_000;
const MAX_ITEM_CHARS: usize = 1_024;

/// The fields that don't fit, e.g. `entity_count: Input should be greater than or equal to 1`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct InvalidFields(pub Vec<String>);

/// Checks `given` against `fields`, fills defaults in, and drops the unknown keys that `unknown` takes.
///
/// # Errors
/// [`InvalidFields`] with one text for each field that doesn't fit. A secret's value is never part of it.
pub fn validate(
    fields: &[Field],
    given: &Map<String, Value>,
    unknown: Unknown<'_>,
) -> Result<ValidatedFields, InvalidFields> {
    let mut valid = Map::new();
    let mut problems = Vec::new();
    for field in fields {
        match validate_field(field, given.get(field.name)) {
            Ok(value) => {
                valid.insert(field.name.to_owned(), value);
            }
            Err(problem) => problems.push(format!("{}: {problem}", field.name)),
        }
    }
    problems.extend(unknown.refused(fields, given));
    if problems.is_empty() { Ok(valid) } else { Err(InvalidFields(problems)) }
}

fn validate_field(field: &Field, given: Option<&Value>) -> Result<Value, String> {
    let default = field.default.to_json();
    match given {
        None => default.ok_or_else(|| "Field required".to_owned()),
        Some(Value::Null) if default == Some(Value::Null) => Ok(Value::Null),
        Some(Value::String(text)) if text.is_empty() && is_like_absent(field) => Ok(Value::Null),
        Some(value) => validate_value(field.kind, value),
    }
}

/// Whether an empty text means that the field isn't given.
const fn is_like_absent(field: &Field) -> bool {
    matches!((field.kind, field.default), (FieldKind::Text { .. }, FieldDefault::Null))
}

fn validate_value(kind: FieldKind, value: &Value) -> Result<Value, String> {
    match kind {
        FieldKind::Text { max_chars } => {
            let given = text(value, max_chars)?;
            if given.trim().is_empty() {
                return Err("String should have at least 1 character".to_owned());
            }
            Ok(value.clone())
        }
        FieldKind::Formed { max_chars, problem } => match problem(text(value, max_chars)?) {
            None => Ok(value.clone()),
            Some(problem) => Err(problem),
        },
        FieldKind::FreeText { max_chars } => text(value, max_chars).map(|_| value.clone()),
        FieldKind::Choice(choices) => match value.as_str() {
            Some(given) if choices.contains(&given) => Ok(value.clone()),
            _ => Err(format!("Input should be {}", either(choices))),
        },
        FieldKind::Integer { min, max } => whole(value, min, max),
        FieldKind::Weight { max } => match value.as_str() {
            Some(text) if text.trim().is_empty() => Ok(Value::from(0)),
            _ => whole(value, 0, max),
        },
        FieldKind::Float { min, max } => {
            let number = float(value)?;
            bounds(&number, &min, &max)?;
            Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
        }
        FieldKind::Boolean => boolean(value).map(Value::Bool),
        FieldKind::TextList => text_list(value),
    }
}

fn text(value: &Value, max_chars: usize) -> Result<&str, String> {
    let given = value.as_str().ok_or("Input should be a valid string")?;
    if given.chars().count() > max_chars {
        return Err(format!("String should have at most {max_chars} characters"));
    }
    if given.contains('\0') {
        return Err("String should not contain a null character".to_owned());
    }
    Ok(given)
}

fn text_list(value: &Value) -> Result<Value, String> {
    let items = value.as_array().ok_or("Input should be a valid list")?;
    if items.len() > MAX_ITEMS {
        return Err(format!("List should have at most {MAX_ITEMS} items after validation, not {}", items.len()));
    }
    for (at, item) in items.iter().enumerate() {
        let kind = FieldKind::Text { max_chars: MAX_ITEM_CHARS };
        validate_value(kind, item).map_err(|problem| format!("item {at}: {problem}"))?;
    }
    Ok(value.clone())
}

fn whole(value: &Value, min: i64, max: i64) -> Result<Value, String> {
    let number = integer(value)?;
    bounds(&number, &min, &max)?;
    Ok(number.into())
}

fn integer(value: &Value) -> Result<i64, String> {
    let unreadable = || "Input should be a valid integer, unable to parse string as an integer".to_owned();
    match value {
        Value::Bool(flag) => Ok(i64::from(*flag)),
        Value::Number(number) => number.as_i64().map_or_else(|| exact(number), Ok),
        Value::String(text) => {
            let text = text.trim();
            // `10.0` is the whole number 10.
            let digits = text.split_once('.').map_or(text, |(digits, rest)| {
                if !rest.is_empty() && rest.bytes().all(|digit| digit == b'0') { digits } else { text }
            });
            digits.parse().map_err(|_| unreadable())
        }
        Value::Null | Value::Array(_) | Value::Object(_) => Err("Input should be a valid integer".to_owned()),
    }
}

/// A JSON number like `10.0` is whole, too.
fn exact(number: &Number) -> Result<i64, String> {
    match number.as_f64() {
        Some(float) if float.fract() != 0.0 => {
            Err("Input should be a valid integer, got a number with a fractional part".to_owned())
        }
        // Beyond 2^53 not every whole number has a float of its own.
        Some(float) if float.abs() <= 9_007_199_254_740_992.0 => {
            format!("{float:.0}").parse().map_err(|_| "Input should be a valid integer".to_owned())
        }
        Some(_) | None => Err("Unable to parse input string as an integer, exceeded maximum size".to_owned()),
    }
}

fn float(value: &Value) -> Result<f64, String> {
    let number = match value {
        Value::Bool(flag) => f64::from(u8::from(*flag)),
        Value::Number(number) => number.as_f64().ok_or("Input should be a valid number")?,
        Value::String(text) => text
            .trim()
            .parse()
            .map_err(|_| "Input should be a valid number, unable to parse string as a number".to_owned())?,
        Value::Null | Value::Array(_) | Value::Object(_) => return Err("Input should be a valid number".to_owned()),
    };
    if number.is_finite() { Ok(number) } else { Err("Input should be a finite number".to_owned()) }
}

fn boolean(value: &Value) -> Result<bool, String> {
    let told = match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => match number.as_f64() {
            Some(1.0) => Some(true),
            Some(0.0) => Some(false),
            Some(_) | None => None,
        },
        Value::String(text) => parse_boolean(text),
        Value::Null | Value::Array(_) | Value::Object(_) => return Err("Input should be a valid boolean".to_owned()),
    };
    told.ok_or_else(|| "Input should be a valid boolean, unable to interpret input".to_owned())
}

fn bounds<T: PartialOrd + std::fmt::Display>(number: &T, min: &T, max: &T) -> Result<(), String> {
    if number < min {
        return Err(format!("Input should be greater than or equal to {min}"));
    }
    if number > max {
        return Err(format!("Input should be less than or equal to {max}"));
    }
    Ok(())
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
