//! Reading the fields of one JSON object.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};
use shared_models::wire::problem::{FieldProblem, Location};

use super::{MAX_FAULTS, shortened};
use crate::problem::Problem;

/// As the sources' fields read them.
pub(super) use shared_models::wire::words::parse_boolean as boolean;

/// The fields of one object; collects what is wrong with them.
pub struct Fields<'a> {
    at: Vec<Location>,
    given: &'a Map<String, Value>,
    problems: Vec<FieldProblem>,
}

impl<'a> Fields<'a> {
    /// The fields of the request's body.
    #[must_use]
    pub fn of_body(given: &'a Map<String, Value>) -> Self {
        Self { at: vec![Location::Name("body".to_owned())], given, problems: Vec::new() }
    }

    /// The fields of an object that is a field itself; pass what is wrong back with [`Self::absorb`].
    #[must_use]
    pub fn nested(&self, name: &str, given: &'a Map<String, Value>) -> Self {
        let mut at = self.at.clone();
        at.push(Location::Name(name.to_owned()));
        Self { at, given, problems: Vec::new() }
    }

    /// Takes over what is wrong with a nested object.
    pub fn absorb(&mut self, nested: Self) {
        self.extend(nested.problems);
    }

    /// Takes over what is wrong inside of fields.
    pub fn extend(&mut self, problems: Vec<FieldProblem>) {
        self.problems.extend(problems);
        self.problems.truncate(MAX_FAULTS);
    }

    /// Whether the field is there, null included.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The field's value, unless it is absent or null.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.given.get(name).filter(|value| !value.is_null())
    }

    /// Adds a fault of the field; an empty name means the object itself. Only so many are told.
    pub fn refuse(&mut self, name: &str, msg: impl Into<String>, kind: &str) {
        if self.problems.len() >= MAX_FAULTS {
            return;
        }
        let mut loc = self.at.clone();
        if !name.is_empty() {
            loc.push(Location::Name(shortened(name)));
        }
        self.problems.push(FieldProblem { loc, msg: msg.into(), kind: kind.to_owned() });
    }

    /// Reports a field that must be there and isn't; answers whether it is.
    pub fn require(&mut self, name: &str) -> bool {
        if !self.has(name) {
            self.refuse(name, "Field required", "missing");
        }
        self.has(name)
    }

    /// A text of so many characters, or none.
    pub fn text(&mut self, name: &str, chars: RangeInclusive<usize>) -> Option<String> {
        let value = self.value(name)?;
        let Some(text) = value.as_str() else {
            self.refuse(name, "Input should be a valid string", "string_type");
            return None;
        };
        let (count, (min, max)) = (text.chars().count(), (chars.start(), chars.end()));
        if count < *min {
            let plural = if *min == 1 { "" } else { "s" };
            self.refuse(name, format!("String should have at least {min} character{plural}"), "string_too_short");
        } else if count > *max {
            self.refuse(name, format!("String should have at most {max} characters"), "string_too_long");
        }
        Some(text.to_owned())
    }

    /// A text that must be there. Empty if it isn't; then [`Self::finish`] fails.
    pub fn required_text(&mut self, name: &str, chars: RangeInclusive<usize>) -> String {
        if !self.require(name) {
            return String::new();
        }
        if self.value(name).is_none() {
            self.refuse(name, "Input should be a valid string", "string_type");
        }
        self.text(name, chars).unwrap_or_default()
    }

    /// true or false, or none. Also as the text, as some languages write it; no other text and no number.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        let value = self.value(name)?;
        let flag = match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.to_ascii_lowercase().parse().ok(),
            Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        };
        if flag.is_none() {
            self.refuse(name, "Input should be a valid boolean, unable to interpret input", "bool_parsing");
        }
        flag
    }

    /// A whole number within bounds, or none.
    pub fn integer(&mut self, name: &str, bounds: RangeInclusive<i64>) -> Option<i64> {
        let value = self.value(name)?;
        let number = match value {
            // 3.0 is a whole number too.
            Value::Number(number) => number.as_i64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok()),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let Some(number) = number else {
            self.refuse(name, "Input should be a valid integer", "int_type");
            return None;
        };
        if let Err((msg, kind)) = within(number, &bounds) {
            self.refuse(name, msg, kind);
        }
        Some(number)
    }

    /// An object, or none.
    pub fn object(&mut self, name: &str) -> Option<&'a Map<String, Value>> {
        match self.value(name)? {
            Value::Object(fields) => Some(fields),
            _ => {
                self.refuse(name, "Input should be a valid dictionary", "dict_type");
                None
            }
        }
    }

    /// Refuses every field that isn't one of these.
    pub fn only(&mut self, known: &[&str]) {
        let extra: Vec<&String> = self.given.keys().filter(|name| !known.contains(&name.as_str())).collect();
        for name in extra {
            self.refuse(name, "Extra inputs are not permitted", "extra_forbidden");
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 422 with everything that is wrong.
    pub fn finish(mut self) -> Result<(), Problem> {
        self.check()
    }

    /// As [`Self::finish`], for a reader that doesn't own the fields.
    ///
    /// # Errors
    /// 422 with everything that is wrong so far.
    pub fn check(&mut self) -> Result<(), Problem> {
        let problems = std::mem::take(&mut self.problems);
        if problems.is_empty() { Ok(()) } else { Err(Problem::Unprocessable(problems)) }
    }
}

pub(super) fn within(number: i64, bounds: &RangeInclusive<i64>) -> Result<(), (String, &'static str)> {
    if number < *bounds.start() {
        let msg = format!("Input should be greater than or equal to {}", bounds.start());
        return Err((msg, "greater_than_equal"));
    }
    if number > *bounds.end() {
        return Err((format!("Input should be less than or equal to {}", bounds.end()), "less_than_equal"));
    }
    Ok(())
}
