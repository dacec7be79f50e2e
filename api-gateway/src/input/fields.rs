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

    /// true or false, or none. Also in the words and numbers that pydantic takes for them.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        let value = self.value(name)?;
        let flag = match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => boolean(text),
            Value::Number(number) => whole_number(&number.to_string()).and_then(|number| match number {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            }),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        if flag.is_none() {
            self.refuse(name, "Input should be a valid boolean, unable to interpret input", "bool_parsing");
        }
        flag
    }

    /// A whole number within bounds, or none. Also as text, as pydantic takes it.
    pub fn integer(&mut self, name: &str, bounds: RangeInclusive<i64>) -> Option<i64> {
        let value = self.value(name)?;
        let number = match value {
            Value::Number(number) => whole_number(&number.to_string()),
            Value::String(text) => whole_number(text),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
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

/// A whole number in digits, with a sign or without; 3.0 is one too.
fn whole_number(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.split_once('.').map_or(
        text,
        |(digits, zeros)| {
            if zeros.bytes().all(|byte| byte == b'0') { digits } else { "" }
        },
    );
    digits.parse().ok()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_flags_are_taken_in_the_forms_that_pydantic_takes() {
        let integer = |given: Value| {
            let body = json!({"n": given});
            let mut fields = Fields::of_body(body.as_object().unwrap());
            let number = fields.integer("n", 1..=1000);
            fields.finish().map(|()| number).ok().flatten()
        };
        for ten in [json!(10), json!(10.0), json!("10"), json!(" 10 "), json!("+10"), json!("10.0"), json!("010")] {
            assert_eq!(integer(ten.clone()), Some(10), "{ten}");
        }
        for none in
            [json!("ten"), json!("1.5"), json!(1.5), json!(""), json!("1e1"), json!("1001"), json!([10]), json!({})]
        {
            assert_eq!(integer(none.clone()), None, "{none}");
        }
        let flag = |given: Value| {
            let body = json!({"f": given});
            let mut fields = Fields::of_body(body.as_object().unwrap());
            let flag = fields.boolean("f");
            fields.finish().map(|()| flag).ok().flatten()
        };
        for yes in [json!(true), json!("true"), json!("True"), json!("yes"), json!("1"), json!(1), json!(1.0)] {
            assert_eq!(flag(yes.clone()), Some(true), "{yes}");
        }
        for no in [json!(false), json!("off"), json!("0"), json!(0)] {
            assert_eq!(flag(no.clone()), Some(false), "{no}");
        }
        for none in [json!("maybe"), json!(2), json!([]), json!("")] {
            assert_eq!(flag(none.clone()), None, "{none}");
        }
    }
}
