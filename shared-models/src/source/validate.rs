//! Validation of config and credentials against a source's fields.

use serde_json::{Map, Number, Value};

use super::{Field, FieldKind, ValidatedFields};

/// The fields that don't fit, e.g. `entity_count: Input should be greater than or equal to 1`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct InvalidFields(pub Vec<String>);

/// Checks `given` against `fields`, fills defaults in and drops unknown keys.
///
/// # Errors
/// [`InvalidFields`] with one text for each field that doesn't fit. A secret's value is never part of it.
pub fn validate(fields: &[Field], given: &Map<String, Value>) -> Result<ValidatedFields, InvalidFields> {
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
    if problems.is_empty() { Ok(valid) } else { Err(InvalidFields(problems)) }
}

fn validate_field(field: &Field, given: Option<&Value>) -> Result<Value, String> {
    let default = field.default.to_json();
    match given {
        None => default.ok_or_else(|| "Field required".to_owned()),
        Some(Value::Null) if default == Some(Value::Null) => Ok(Value::Null),
        Some(value) => validate_value(field.kind, value),
    }
}

fn validate_value(kind: FieldKind, value: &Value) -> Result<Value, String> {
    match kind {
        FieldKind::Text { max_chars } => text(value, max_chars),
        FieldKind::Choice(choices) => match value.as_str() {
            Some(given) if choices.contains(&given) => Ok(value.clone()),
            _ => Err(format!("Input should be one of '{}'", choices.join("', '"))),
        },
        FieldKind::Integer { min, max } => {
            let number = integer(value).ok_or("Input should be a valid integer")?;
            bounds(&number, &min, &max)?;
            Ok(number.into())
        }
        FieldKind::Float { min, max } => {
            let number = float(value).ok_or("Input should be a valid number")?;
            bounds(&number, &min, &max)?;
            Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
        }
        FieldKind::Boolean => match value {
            Value::Bool(_) => Ok(value.clone()),
            Value::String(text) if text == "true" || text == "false" => Ok(Value::Bool(text == "true")),
            _ => Err("Input should be a valid boolean".to_owned()),
        },
        FieldKind::TextList => match value {
            Value::Array(items) if items.iter().all(Value::is_string) => Ok(value.clone()),
            _ => Err("Input should be a valid list of strings".to_owned()),
        },
    }
}

fn text(value: &Value, max_chars: usize) -> Result<Value, String> {
    let given = value.as_str().ok_or("Input should be a valid string")?;
    if given.trim().is_empty() {
        return Err("String should have at least 1 character".to_owned());
    }
    if given.chars().count() > max_chars {
        return Err(format!("String should have at most {max_chars} characters"));
    }
    if given.contains('\0') {
        return Err("String should not contain a null character".to_owned());
    }
    Ok(value.clone())
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
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
mod tests {
    use super::super::{STUB, TIMED};
    use super::*;
    use serde_json::json;

    fn check(fields: &[Field], value: &Value) -> Result<Value, String> {
        validate(fields, value.as_object().unwrap()).map(Value::Object).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_filled_in_and_unknown_keys_dropped() {
        let valid = check(TIMED.config_fields, &json!({"entity_count": 20, "colour": "red"}));
        assert_eq!(valid, Ok(json!({"entity_count": 20, "duration_seconds": 10.0, "seed": 42})));
    }

    #[test]
    fn bounds_are_named() {
        let problem = check(TIMED.config_fields, &json!({"entity_count": 0})).unwrap_err();
        assert_eq!(problem, "entity_count: Input should be greater than or equal to 1");
    }

    #[test]
    fn numbers_may_come_as_strings() {
        let valid = check(STUB.config_fields, &json!({"small_entity_weight": "40"})).unwrap();
        assert_eq!(valid["small_entity_weight"], 40);
    }

    #[test]
    fn every_default_fits_its_own_bounds() {
        for source in super::super::all() {
            for field in source.config_fields.iter().chain(source.auth_fields) {
                if let Some(default) = field.default.to_json().filter(|default| !default.is_null()) {
                    assert!(validate_value(field.kind, &default).is_ok(), "{}.{}", source.short_name, field.name);
                }
            }
        }
    }
}
