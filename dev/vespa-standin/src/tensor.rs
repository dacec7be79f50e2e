//! Vectors: the values of the one tensor field, as JSON, as bytes on disk and as a query's input.
//!
//! Only the dense forms are spoken: an array of numbers, or an object with `values`. Numbers that are none (NaN,
//! infinite) are refused, where the real thing would store them.

use serde::Deserialize;
use serde_json::{Map, Value};

/// How many numbers a vector has; set when the server starts, declared in the real thing's schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimensions(u16);

impl Dimensions {
    /// What deploy/vespa declares.
    pub const DEFAULT: Self = Self(1536);

    /// At least one.
    pub fn new(count: u16) -> Option<Self> {
        (count > 0).then_some(Self(count))
    }

    /// The number of numbers.
    pub fn count(self) -> usize {
        usize::from(self.0)
    }

    /// The tensor's type as Vespa writes it.
    pub fn tensor_type(self) -> String {
        type_of(self.count())
    }
}

fn type_of(count: usize) -> String {
    format!("tensor<float>(x[{count}])")
}

/// A vector of finite numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector(Vec<f32>);

impl Vector {
    /// Reads the value of a document's field; the text of a refusal is Vespa's.
    pub fn from_json(value: &Value, dimensions: Dimensions) -> Result<Self, String> {
        let values = values_of(value)?;
        if values.is_empty() {
            return Err("The 'values' array does not contain any values".into());
        }
        if values.len() != dimensions.count() {
            return Err(format!("Expected {} values, but got {}", dimensions.count(), values.len()));
        }
        values.iter().map(number).collect::<Result<_, _>>().map(Self)
    }

    /// Reads a query's input. Vespa fills up a vector that is too short with zeros; here it is refused like any other
    /// that doesn't fit.
    pub fn from_input(text: &str, dimensions: Dimensions) -> Result<Self, String> {
        let expected = dimensions.tensor_type();
        let refuse =
            |why: String| format!("Could not parse '{}' as a tensor of type {expected}: {why}", shortened(text));
        let mut content = text.trim();
        if content.starts_with("tensor") {
            let (given, rest) =
                content.split_once(':').ok_or_else(|| refuse("Expected ':' after 'tensor'".to_owned()))?;
            if given.trim() != expected {
                return Err(refuse(format!("Got tensor with type string '{given}', but was passed type {expected}")));
            }
            content = rest.trim();
        }
        let mut value: Value = content.parse().map_err(|_| {
            refuse("Expected a number, hex string, or a string starting by {, [ or tensor(...)".to_owned())
        })?;
        let count = values_of(&value).map_err(refuse)?.len();
        if count > dimensions.count() {
            return Err(refuse(too_many(content, dimensions.count())));
        }
        fill_up(&mut value, dimensions.count());
        Self::from_json(&value, dimensions).map_err(refuse)
    }

    /// Reads what [`Self::to_bytes`] has written; `None` if it is anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<4>();
        rest.is_empty().then(|| Self(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect()))
    }

    /// The numbers as little-endian bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    /// As documents are shown: `{"type":…,"values":[…]}`, `format.tensors=short`.
    pub fn to_json(&self) -> Value {
        let values = self.0.iter().map(|number| Value::from(f64::from(*number))).collect();
        let members = [("type".to_owned(), type_of(self.0.len()).into()), ("values".to_owned(), Value::Array(values))];
        Value::Object(Map::from_iter(members))
    }

    /// `closeness` of the distance metric `angular`: 1 / (1 + the angle in radians). A vector of zeros is at right
    /// angles to everything.
    pub fn closeness(&self, other: &Self) -> f64 {
        let (mut product, mut left, mut right) = (0.0, 0.0, 0.0);
        for (a, b) in self.0.iter().zip(&other.0) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            product += a * b;
            left += a * a;
            right += b * b;
        }
        let norms = left * right;
        let cosine = if norms > 0.0 { product / norms.sqrt() } else { 0.0 };
        1.0 / (1.0 + cosine.clamp(-1.0, 1.0).acos())
    }
}

/// The numbers of `[…]` or `{"values":[…]}`; a type beside them is ignored, as Vespa does.
fn values_of(value: &Value) -> Result<&Vec<Value>, String> {
    match value {
        Value::Array(values) => Ok(values),
        Value::Object(members) => match members.get("values") {
            Some(Value::Array(values)) => Ok(values),
            _ => Err("Only an array of numbers or an object with an array 'values' is spoken by this stand-in".into()),
        },
        other => Err(format!("Expected start of array or object, got {other}")),
    }
}

/// A query's vector that is too short gets zeros behind it: nobody is told.
fn fill_up(value: &mut Value, count: usize) {
    let values = match value {
        Value::Object(members) => members.get_mut("values"),
        other => Some(other),
    };
    if let Some(Value::Array(values)) = values {
        values.resize_with(count.max(values.len()), || Value::from(0));
    }
}

fn number(value: &Value) -> Result<f32, String> {
    let parsed = match value {
        Value::Number(number) => f32::deserialize(number).ok(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    parsed.filter(|number| number.is_finite()).ok_or_else(|| match value {
        Value::String(text) => format!("Expected a number but got '{text}'"),
        other => format!("Expected a number but got '{other}'"),
    })
}

/// Where Vespa's parser stumbles over an array of the wrong length.
fn too_many(text: &str, expected: usize) -> String {
    let comma = text.match_indices(',').nth(expected - 1).map_or(text.len(), |(at, _)| at);
    format!("At value position {comma}: Expected a ']' but got ','")
}

/// A thousand numbers help nobody who reads a message.
pub fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn three() -> Dimensions {
        Dimensions::new(3).unwrap()
    }

    fn vector(numbers: &[f32]) -> Vector {
        Vector(numbers.to_vec())
    }

    #[test]
    fn both_dense_forms_are_read_and_survive_the_disk() {
        let expected = vector(&[1.0, -0.5, 2.0]);
        for form in [
            json!([1, -0.5, 2.0]),
            json!({"values": [1, -0.5, "2"]}),
            json!({"type": "tensor<float>(x[3])", "values": [1.0, -0.5, 2]}),
        ] {
            assert_eq!(Vector::from_json(&form, three()), Ok(expected.clone()), "{form}");
            assert_eq!(Vector::from_input(&form.to_string(), three()), Ok(expected.clone()), "{form}");
        }
        assert_eq!(Vector::from_input(" tensor<float>(x[3]):[1, -0.5, 2] ", three()), Ok(expected.clone()));
        assert_eq!(Vector::from_input("[1, -0.5]", three()), Ok(vector(&[1.0, -0.5, 0.0])), "Vespa fills it up");
        assert_eq!(Vector::from_bytes(&expected.to_bytes()), Some(expected.clone()));
        assert_eq!(Vector::from_json(&expected.to_json(), three()), Ok(expected));
        assert_eq!(Vector::from_bytes(&[0; 7]), None);
    }

    #[test]
    fn a_document_s_vector_that_does_not_fit_is_refused() {
        for (form, text) in [
            (json!([1, 2]), "Expected 3 values, but got 2"),
            (json!([1, 2, 3, 4]), "Expected 3 values, but got 4"),
            (json!({"values": []}), "The 'values' array does not contain any values"),
            (json!([1, 2, null]), "Expected a number but got 'null'"),
            (json!([1, 2, "NaN"]), "Expected a number but got 'NaN'"),
            (json!([1, 2, 1e39]), "Expected a number but got '1e+39'"),
            (json!("abc"), "Expected start of array or object, got \"abc\""),
            (json!({"cells": []}), "an object with an array 'values'"),
        ] {
            let refused = Vector::from_json(&form, three()).unwrap_err();
            assert!(refused.contains(text), "{form}: {refused}");
        }
    }

    #[test]
    fn an_input_that_does_not_fit_is_refused_with_the_place() {
        for (input, text) in [
            ("[1,2,3,4]", "At value position 6: Expected a ']' but got ','"),
            ("hello", "Expected a number, hex string"),
            ("tensor<float>(x[2]):[1,2]", "Got tensor with type string 'tensor<float>(x[2])'"),
            ("[1, 2, NaN]", "Expected a number, hex string"),
            ("{\"values\":[1,2,null]}", "Expected a number but got 'null'"),
        ] {
            let refused = Vector::from_input(input, three()).unwrap_err();
            let head = format!("Could not parse '{input}' as a tensor of type tensor<float>(x[3]): ");
            assert!(refused.starts_with(&head) && refused.contains(text), "{input}: {refused}");
        }
        let long = format!("[{}]", vec!["1.5"; 400].join(","));
        assert!(Vector::from_input(&long, three()).unwrap_err().len() < 250);
    }

    #[test]
    fn closeness_follows_the_angle_and_not_the_length() {
        let right = std::f64::consts::FRAC_PI_2;
        let near = |left: &[f32], other: &[f32], angle: f64| {
            let closeness = vector(left).closeness(&vector(other));
            assert!((closeness - 1.0 / (1.0 + angle)).abs() < 1e-6, "{left:?} {other:?}: {closeness}");
        };
        near(&[1.0, 2.0], &[10.0, 20.0], 0.0);
        near(&[1.0, 0.0], &[0.0, 3.0], right);
        near(&[1.0, 0.0], &[-1.0, 0.0], 2.0 * right);
        near(&[1.0, 0.0], &[1.0, 1.0], right / 2.0);
        near(&[0.0, 0.0], &[1.0, 1.0], right);
    }
}
