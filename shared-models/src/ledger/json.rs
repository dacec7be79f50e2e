//! JSON that means one thing to every reader: what is hashed, signed or shown as evidence is read by this and written
//! by RFC 8785.
//!
//! Refused is what two readers may understand differently: a name that an object has twice, numbers that aren't whole
//! or that a double doesn't hold, and what is nested so deeply that a reader may give up.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Objects and lists may be nested as deeply; what is written here needs six.
pub const MAX_DEPTH: u8 = 32;

/// No whole number is further from 0, so that every reader knows it exactly.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// Why a text isn't such JSON.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Larger than what is read at all.
    #[error("{bytes} bytes, at most {most} are read")]
    TooLarge {
        /// Bytes that are there.
        bytes: usize,
        /// Bytes that may be there.
        most: usize,
    },
    /// No JSON, or such that readers may differ about it.
    #[error("{0}")]
    Malformed(#[from] serde_json::Error),
    /// A number that readers may differ about.
    #[error("a number that isn't whole, or is beyond 2^53")]
    Number,
    /// Nested too deeply.
    #[error("nested deeper than {MAX_DEPTH}")]
    Depth,
}

/// Reads a text of at most `most` bytes.
///
/// # Errors
/// It is too large, no JSON, or readers may differ about it.
pub fn read(bytes: &[u8], most: usize) -> Result<Value, JsonError> {
    if bytes.len() > most {
        return Err(JsonError::TooLarge { bytes: bytes.len(), most });
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// The one text of a value, by RFC 8785.
///
/// # Errors
/// Readers may differ about its numbers, or it is nested too deeply.
pub fn canonical(value: &Value) -> Result<Vec<u8>, JsonError> {
    // The only difference between the two is the order of names; a tenth of the time is what a whole ledger is read in.
    Ok(if check(value, 0)? { serde_json::to_vec(value)? } else { serde_jcs::to_vec(value)? })
}

/// Says also whether the names of all objects are in their order already: names of ASCII, for others are ordered by
/// UTF-16, which isn't the order of their bytes.
fn check(value: &Value, depth: u8) -> Result<bool, JsonError> {
    let is_nested = matches!(value, Value::Array(_) | Value::Object(_));
    if is_nested && depth >= MAX_DEPTH {
        return Err(JsonError::Depth);
    }
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(true),
        Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if size.is_some_and(|size| size <= MAX_NUMBER) { Ok(true) } else { Err(JsonError::Number) }
        }
        Value::Array(values) => {
            values.iter().try_fold(true, |is_ordered, value| Ok(check(value, depth + 1)? && is_ordered))
        }
        Value::Object(fields) => {
            let is_ordered = fields.keys().all(|name| name.is_ascii()) && fields.keys().is_sorted();
            fields.values().try_fold(is_ordered, |is_ordered, value| Ok(check(value, depth + 1)? && is_ordered))
        }
    }
}

/// Reads a value at this depth.
#[derive(Clone, Copy)]
struct Strict {
    depth: u8,
}

impl Strict {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH { Err(E::custom(JsonError::Depth)) } else { Ok(Self { depth: self.depth + 1 }) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with whole numbers")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if value <= MAX_NUMBER { Ok(value.into()) } else { Err(E::custom(JsonError::Number)) }
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() <= MAX_NUMBER { Ok(value.into()) } else { Err(E::custom(JsonError::Number)) }
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Value, E> {
        Err(E::custom(JsonError::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(below)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut fields = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            let value = object.next_value_seed(below)?;
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("an object has a name twice"));
            }
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts with everything that is escaped, and with what UTF-8 and UTF-16 order differently.
    const LETTERS: &str = "[\u{0}-\u{22}/A\\\\z\u{7f}\u{80}é\u{2028}\u{e000}\u{fb33}\u{ffff}😀🔒]{0,4}";

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
            LETTERS.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |below| {
            let fields = prop::collection::vec((prop_oneof![LETTERS, "[a-z_]{1,3}"], below.clone()), 0..5);
            prop_oneof![
                prop::collection::vec(below, 0..5).prop_map(Value::from),
                fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_quick_way_to_the_canonical_text_is_the_same_text(value in values()) {
            prop_assert_eq!(canonical(&value).unwrap(), serde_jcs::to_vec(&value).unwrap());
        }
    }

    #[test]
    fn what_readers_may_differ_about_is_refused() {
        for (text, why) in [
            (r#"{"a":1,"a":1}"#, "twice"),
            (r#"{"a":{"b":1,"\u0062":2}}"#, "twice"),
            ("1.0", "whole"),
            ("1e3", "whole"),
            ("-0", "whole"),
            ("9007199254740992", "whole"),
            ("-9007199254740992", "whole"),
            ("1e400", "number"),
            (r#""\ud800""#, "hex escape"),
            ("[1] ]", "trailing"),
            ("", "EOF"),
        ] {
            let error = read(text.as_bytes(), 100).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(read(b"\"\xff\"", 100).is_err());
        assert!(matches!(read(b"[   ]", 4), Err(JsonError::TooLarge { bytes: 5, most: 4 })));
    }

    #[test]
    fn what_is_nested_deeply_is_refused_by_its_depth() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let deepest = read(nested(32).as_bytes(), 100).unwrap();
        assert_eq!(canonical(&deepest).unwrap(), nested(32).as_bytes());
        assert!(read(nested(33).as_bytes(), 100).unwrap_err().to_string().contains("nested"));
        assert!(read("[".repeat(1_000_000).as_bytes(), 1_000_000).is_err());
        assert!(read("{\"a\":".repeat(100_000).as_bytes(), 1_000_000).is_err());
        let deeper = (0..60).fold(deepest, |value, _| Value::Array(vec![value]));
        assert!(matches!(canonical(&deeper), Err(JsonError::Depth)));
        assert!(matches!(canonical(&deeper[0][0]), Err(JsonError::Depth)));
    }

    #[test]
    fn the_canonical_text_is_that_of_rfc_8785() {
        // The specification's example of how names are ordered, and its escapes.
        let names = "{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7}";
        let text = String::from_utf8(canonical(&read(names.as_bytes(), 200).unwrap()).unwrap()).unwrap();
        assert_eq!(text, "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}");
        let escapes = read(br#" [ "\u0000\u001f\b\t\n\f\r\"\\\/\u007f" , -9007199254740991 ] "#, 100).unwrap();
        let text = String::from_utf8(canonical(&escapes).unwrap()).unwrap();
        assert_eq!(text, "[\"\\u0000\\u001f\\b\\t\\n\\f\\r\\\"\\\\/\u{7f}\",-9007199254740991]");
        assert!(matches!(canonical(&Value::from(0.5)), Err(JsonError::Number)));
        assert!(matches!(canonical(&Value::from(u64::MAX)), Err(JsonError::Number)));
    }
}
