//! JSON as a database holds it: with more digits than our numbers have, halves of characters, any depth, a name twice.
//!
//! PostgreSQL's `json` is the text that somebody stored, and its `jsonb` has numbers of any size. Whatever of it a
//! [`Value`] can't say is kept as text.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// What is nested deeper is kept as text. Every level is read once more for each that it is in.
const MAX_DEPTH: usize = 64;

/// A value as the server wrote it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Json<'a>(&'a str);

/// What becomes of the halves of characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Halves {
    /// As when people read them.
    Replaced,
    /// A text that has any stays as the server wrote it, so that no two texts become one.
    Kept,
}

enum Shape<'a> {
    Object(Members<'a>),
    Array(Vec<Json<'a>>),
    Text(Text),
    Number(&'a str),
    /// `null`, `true`, `false`.
    Word(&'a str),
}

/// An object's members, as they come.
#[derive(Debug)]
pub(super) struct Members<'a>(pub(super) Vec<(Text, Json<'a>)>);

/// A text without halves of characters and NUL, which no store takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Text {
    pub(super) text: String,
    had_halves: bool,
}

impl<'a> Json<'a> {
    /// `None` if it isn't JSON.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str::<&RawValue>(text).ok().map(Self::from)
    }

    /// The members, if it is an object.
    pub(super) fn members(self) -> Option<Members<'a>> {
        serde_json::from_str(self.0).ok()
    }

    /// The value, with whatever a [`Value`] can't say as text.
    pub(super) fn value(self) -> Value {
        self.value_at(0)
    }

    /// The text, if it is one.
    pub(super) fn text(self) -> Option<String> {
        match self.shape() {
            Shape::Text(text) => Some(text.text),
            Shape::Object(_) | Shape::Array(_) | Shape::Number(_) | Shape::Word(_) => None,
        }
    }

    /// What people read: a text as it is, else JSON with every digit.
    pub(super) fn readable(self) -> String {
        self.text().unwrap_or_else(|| self.written(Halves::Replaced))
    }

    /// JSON that is the same for the same value only, as far as its text tells.
    pub(super) fn identity(self) -> String {
        self.written(Halves::Kept)
    }

    pub(super) fn is_null(self) -> bool {
        self.0 == "null"
    }

    fn written(self, halves: Halves) -> String {
        self.written_at(0, halves)
    }

    fn written_at(self, depth: usize, halves: Halves) -> String {
        let mut json = String::new();
        self.write(&mut json, depth, halves);
        json
    }

    /// Told by the first byte: to look into it would be to read it once more.
    fn is_too_deep(self, depth: usize) -> bool {
        depth >= MAX_DEPTH && self.0.starts_with(['{', '['])
    }

    fn shape(self) -> Shape<'a> {
        let of_text = || Text { text: self.0.to_owned(), had_halves: false };
        match self.0.as_bytes().first() {
            Some(b'{') => self.members().map_or_else(|| Shape::Text(of_text()), Shape::Object),
            Some(b'[') => {
                let items: Result<Vec<&RawValue>, _> = serde_json::from_str(self.0);
                items.map_or_else(
                    |_| Shape::Text(of_text()),
                    |items| Shape::Array(items.into_iter().map(Self::from).collect()),
                )
            }
            Some(b'"') => Shape::Text(serde_json::from_str(self.0).unwrap_or_else(|_| of_text())),
            Some(b't' | b'f' | b'n') => Shape::Word(self.0),
            Some(_) | None => Shape::Number(self.0),
        }
    }

    fn value_at(self, depth: usize) -> Value {
        if self.is_too_deep(depth) {
            return Value::from(self.0);
        }
        match self.shape() {
            // Before anything in it is read: that could have names twice as well, at every level.
            Shape::Object(members) if members.have_a_name_twice() => {
                Value::from(self.written_at(depth, Halves::Replaced))
            }
            Shape::Object(Members(members)) => {
                let value = |(name, value): (Text, Self)| (name.text, value.value_at(depth + 1));
                Value::Object(members.into_iter().map(value).collect::<Map<_, _>>())
            }
            Shape::Array(items) => items.into_iter().map(|item| item.value_at(depth + 1)).collect(),
            Shape::Text(text) => Value::from(text.text),
            Shape::Number(number) => exact(number).map_or_else(|| Value::from(number), Value::Number),
            Shape::Word("true") => Value::Bool(true),
            Shape::Word("false") => Value::Bool(false),
            Shape::Word(_) => Value::Null,
        }
    }

    fn write(self, json: &mut String, depth: usize, halves: Halves) {
        if self.is_too_deep(depth) {
            json.push_str(self.0);
            return;
        }
        match self.shape() {
            Shape::Object(Members(members)) => {
                json.push('{');
                for (place, (name, value)) in members.into_iter().enumerate() {
                    json.push_str(if place == 0 { "" } else { "," });
                    json.push_str(&quoted(&name));
                    json.push(':');
                    value.write(json, depth + 1, halves);
                }
                json.push('}');
            }
            Shape::Array(items) => {
                json.push('[');
                for (place, item) in items.into_iter().enumerate() {
                    json.push_str(if place == 0 { "" } else { "," });
                    item.write(json, depth + 1, halves);
                }
                json.push(']');
            }
            Shape::Text(text) if text.had_halves && halves == Halves::Kept => json.push_str(self.0),
            Shape::Text(text) => json.push_str(&quoted(&text)),
            Shape::Number(as_written) | Shape::Word(as_written) => json.push_str(as_written),
        }
    }
}

impl Members<'_> {
    fn have_a_name_twice(&self) -> bool {
        let mut names = HashSet::with_capacity(self.0.len());
        !self.0.iter().all(|(name, _)| names.insert(name.text.as_str()))
    }
}

impl<'a> From<&'a RawValue> for Json<'a> {
    fn from(value: &'a RawValue) -> Self {
        Self(value.get())
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(object: D) -> Result<Self, D::Error> {
        struct AsTheyCome;

        impl<'de> Visitor<'de> for AsTheyCome {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = object.next_entry::<Text, &'de RawValue>()? {
                    members.push((name, Json::from(value)));
                }
                Ok(Members(members))
            }
        }

        object.deserialize_map(AsTheyCome)
    }
}

impl<'de> Deserialize<'de> for Text {
    /// From bytes, because half a character is no text to serde.
    fn deserialize<D: Deserializer<'de>>(text: D) -> Result<Self, D::Error> {
        struct Wtf8;

        impl Visitor<'_> for Wtf8 {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Text, E> {
                Ok(Text::of_wtf8(bytes))
            }
        }

        text.deserialize_bytes(Wtf8)
    }
}

impl Text {
    fn of_wtf8(bytes: &[u8]) -> Self {
        let (text, had_halves) = match std::str::from_utf8(bytes) {
            Ok(text) => (text.to_owned(), false),
            Err(_) => (String::from_utf8_lossy(&without_halves(bytes.to_vec())).into_owned(), true),
        };
        Self { text: if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }, had_halves }
    }
}

/// WTF-8 as UTF-8: the replacement character takes three bytes, as half a character does.
fn without_halves(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut rest = bytes.as_mut_slice();
    while let [first, tail @ ..] = rest {
        if let (0xed, [second @ 0xa0..=0xbf, third, ..]) = (*first, &mut *tail) {
            (*first, *second, *third) = (0xef, 0xbf, 0xbd);
        }
        rest = tail;
    }
    bytes
}

fn quoted(text: &Text) -> String {
    Value::from(text.text.as_str()).to_string()
}

/// The number, unless it loses a digit.
fn exact(number: &str) -> Option<Number> {
    let read: Number = serde_json::from_str(number).ok()?;
    (decimal(&read.to_string())? == decimal(number)?).then_some(read)
}

/// Sign, digits without zeros around them, and the power of ten that the last one counts.
fn decimal(number: &str) -> Option<(bool, String, i64)> {
    let (is_negative, number) = number.strip_prefix('-').map_or((false, number), |number| (true, number));
    let (mantissa, power) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let power = power.parse::<i64>().ok()?.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(zeros)?;
    let significant = significant.trim_start_matches('0');
    Some(if significant.is_empty() { (false, String::new(), 0) } else { (is_negative, significant.to_owned(), power) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(text: &str) -> Json<'_> {
        Json::parse(text).unwrap()
    }

    #[test]
    fn no_number_loses_a_digit() {
        for exact in ["0", "-1", "1.5", "1.50", "1e2", "18446744073709551615", "-9223372036854775808", "0.1", "1E-3"] {
            assert!(parsed(exact).value().is_number(), "{exact}");
        }
        for long in
            ["1e400", "-1e400", "1e99999999999999999999", "18446744073709551617", "12345678901234567890.123456789"]
        {
            assert_eq!(parsed(long).value(), json!(long));
        }
        let list = "[ 1.10, 1e400 ,{\"a\" : 1234567890123456789012345}]";
        assert_eq!(parsed(list).readable(), "[1.10,1e400,{\"a\":1234567890123456789012345}]");
        assert_eq!(parsed(list).value(), json!([1.1, "1e400", {"a": "1234567890123456789012345"}]));
    }

    #[test]
    fn halves_of_characters_and_nul_are_replaced_and_identities_differ() {
        let cut = r#"{"a\ud83d":"é\u00e9 \ud83d\ude00 \ud83d","b":"\udc00\u0000\u007f"}"#;
        let fffd = '\u{fffd}';
        assert_eq!(
            parsed(cut).value(),
            json!({format!("a{fffd}"): format!("éé 😀 {fffd}"), "b": format!("{fffd}{fffd}\u{7f}")})
        );
        assert!(parsed(cut).readable().starts_with("{\"a\u{fffd}\":\"éé 😀 \u{fffd}\""));
        assert_ne!(parsed(r#"["\udce9"]"#).identity(), parsed(r#"["\udce8"]"#).identity());
        assert_eq!(parsed("[2,  \"x\\u0041\"]").identity(), r#"[2,"xA"]"#);
    }

    #[test]
    fn names_that_come_twice_are_all_kept() {
        let twice = r#"{"a": [{"b": "one", "b": "two"}], "c": 1}"#;
        assert_eq!(parsed(twice).value(), json!({"a": [r#"{"b":"one","b":"two"}"#], "c": 1}));
        assert_eq!(parsed(twice).readable(), r#"{"a":[{"b":"one","b":"two"}],"c":1}"#);
    }

    #[test]
    fn what_is_nested_deeply_is_kept_as_text() {
        let deep = format!("{}\"needle\"{}", "[".repeat(5_000), "]".repeat(5_000));
        let value = parsed(&deep).value();
        assert!(value.to_string().contains("needle"));
        let depth = value.to_string().chars().take_while(|character| *character == '[').count();
        assert_eq!(depth, MAX_DEPTH);
        assert_eq!(parsed(&deep).readable(), deep);
    }

    /// Each level is read once for each that it is in, and not the square of that.
    #[test]
    fn names_that_come_twice_at_every_level_are_kept_as_they_are() {
        let levels = 120;
        let text = format!("{}[{}1]{}", r#"{"a":1,"a":"#.repeat(levels), "1,".repeat(1_000), "}".repeat(levels));
        assert_eq!(Json::parse(&text).unwrap().value(), Value::from(text.as_str()));
    }
}
