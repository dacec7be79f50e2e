//! Request bodies: at most [`MAX_BODY_BYTES`], JSON, without null characters (PostgreSQL stores none).

use std::borrow::Cow;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::web::BytesMut;
use futures::StreamExt as _;
use serde_json::{Map, Value};
use shared_models::wire::problem::{FieldProblem, Location};

use super::problem;
use crate::problem::{MAX_BODY_BYTES, Problem};

/// A JSON body, or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Body(pub Option<Value>);

impl Body {
    /// Reads the body of a request with these headers, which may take so much time.
    ///
    /// # Errors
    /// 408, 413, or 422 if it isn't JSON or holds null characters.
    pub async fn read(headers: &HeaderMap, payload: Payload, time: Duration) -> Result<Self, Problem> {
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let announced: Option<usize> = announced.and_then(|text| text.parse().ok());
        let collected = tokio::time::timeout(time, collect(payload, announced)).await;
        Self::parse(&collected.map_err(|_| Problem::BodyTooSlow(time))??)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let text = as_utf8(bytes);
        let bytes = text.as_ref();
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(None));
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|error| malformed(bytes, &error))?;
        if has_null_character(&value) {
            let fault = problem(&["body"], "Value error, text must not contain null characters", "value_error");
            return Err(Problem::Unprocessable(vec![fault]));
        }
        Ok(Self(Some(value)))
    }

    /// The body's object.
    ///
    /// # Errors
    /// 422 if there is no body, or it isn't an object.
    pub fn object(&self) -> Result<&Map<String, Value>, Problem> {
        let fault = match &self.0 {
            Some(Value::Object(fields)) => return Ok(fields),
            None => problem(&["body"], "Field required", "missing"),
            Some(_) => problem(
                &["body"],
                "Input should be a valid dictionary or object to extract fields from",
                "model_attributes_type",
            ),
        };
        Err(Problem::Unprocessable(vec![fault]))
    }

    /// The body's object, or an empty one if there is no body.
    ///
    /// # Errors
    /// 422 if the body isn't an object.
    pub fn object_or_empty(&self) -> Result<Map<String, Value>, Problem> {
        match &self.0 {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(_) => self.object().cloned(),
        }
    }
}

/// Reads the payload to its end, or to the limit.
async fn collect(mut payload: Payload, announced: Option<usize>) -> Result<BytesMut, Problem> {
    let mut bytes = BytesMut::new();
    let mut is_too_large = announced.is_some_and(|length| length > MAX_BODY_BYTES);
    let mut received = 0_usize;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::Unprocessable(vec![problem(&["body"], "The body ended too early", "body_incomplete")])
        })?;
        received = received.saturating_add(chunk.len());
        is_too_large = is_too_large || received > MAX_BODY_BYTES;
        if !is_too_large {
            bytes.extend_from_slice(&chunk);
        } else if received > MAX_BODY_BYTES.saturating_mul(2) {
            // What is a little too large is read away, so that the client sees the answer and not a broken connection.
            break;
        }
    }
    if is_too_large { Err(Problem::BodyTooLarge(size_text(announced))) } else { Ok(bytes) }
}

fn size_text(announced: Option<usize>) -> String {
    const MIB: usize = 1024 * 1024;
    let Some(bytes) = announced else { return "larger".to_owned() };
    let hundredths = bytes.saturating_mul(100).div_ceil(MIB);
    format!("{}.{:02}MB", hundredths / 100, hundredths % 100)
}

/// The bytes as UTF-8 without a byte-order mark. As in Python's reader, which Airweave has, UTF-16 is told by its mark
/// or, since JSON begins with a character of ASCII, by where the zeros are.
fn as_utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    let (units, read): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => return rest.into(),
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        [first, 0, ..] if *first != 0 => (bytes, u16::from_le_bytes),
        [0, second, ..] if *second != 0 => (bytes, u16::from_be_bytes),
        _ => return bytes.into(),
    };
    let (units, []) = units.as_chunks::<2>() else { return bytes.into() };
    let decoded = char::decode_utf16(units.iter().map(|unit| read(*unit))).collect::<Result<String, _>>();
    decoded.map_or_else(|_| bytes.into(), |text| text.into_bytes().into())
}

fn malformed(bytes: &[u8], error: &serde_json::Error) -> Problem {
    let before: usize =
        bytes.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let offset = before + error.column().saturating_sub(1);
    let fault = FieldProblem {
        loc: vec![Location::Name("body".to_owned()), Location::Index(offset)],
        msg: "JSON decode error".to_owned(),
        kind: "json_invalid".to_owned(),
    };
    Problem::Unprocessable(vec![fault])
}

fn has_null_character(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_null_character),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_null_character(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(bytes: &[u8]) -> String {
        Body::parse(bytes).unwrap_err().to_string()
    }

    #[test]
    fn malformed_json_is_pointed_at() {
        assert_eq!(fault(b"{x"), "body.1: JSON decode error");
        assert_eq!(fault(b"{\n\n  x"), "body.5: JSON decode error");
        assert!(fault(&[b"[".repeat(500), b"]".repeat(500)].concat()).contains("JSON decode error"));
        assert!(fault(br#""\ud800""#).contains("JSON decode error"));
    }

    #[test]
    fn json_is_read_in_the_encodings_that_editors_write() {
        let text = r#"{"name": "Käse \u{1f9c0}"}"#.replace("\\u{1f9c0}", "\u{1f9c0}");
        let utf_16 = |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        let (little, big) = (utf_16(u16::to_le_bytes), utf_16(u16::to_be_bytes));
        let plain = Body::parse(text.as_bytes()).unwrap();
        assert_eq!(plain.object().unwrap()["name"], "Käse \u{1f9c0}");
        for bytes in [
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            [b"\xff\xfe", little.as_slice()].concat(),
            [b"\xfe\xff", big.as_slice()].concat(),
            little,
            big,
        ] {
            assert_eq!(Body::parse(&bytes).unwrap(), plain, "{bytes:?}");
        }
        assert!(Body::parse(b"\xef\xbb\xbf").unwrap().0.is_none());
        assert!(fault(b"{\0\x22").contains("JSON decode error"));
        assert!(fault(b"\xff\xfe{\0\x00\xd8").contains("JSON decode error"));
    }

    #[test]
    fn null_characters_never_reach_the_database() {
        assert!(fault(br#"{"config": {"include": ["a\u0000b"]}}"#).contains("null characters"));
        assert!(fault(br#"{"a\u0000": 1}"#).contains("null characters"));
    }

    #[test]
    fn no_body_and_no_object_are_told_apart() {
        let problem = |bytes: &[u8]| Body::parse(bytes).unwrap().object().unwrap_err().to_string();
        assert_eq!(problem(b" "), "body: Field required");
        assert!(problem(b"[]").contains("valid dictionary"));
        assert!(Body::parse(b"").unwrap().object_or_empty().unwrap().is_empty());
    }

    #[test]
    fn sizes_are_rounded_up() {
        assert_eq!(size_text(Some(MAX_BODY_BYTES + 1)), "10.01MB");
        assert_eq!(size_text(Some(3 * 1024 * 1024 / 2 * 10)), "15.00MB");
    }
}
