//! The body of a put, made in one pass: JSON whose strings hold nothing that Vespa refuses.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use super::VespaError;
use super::text::clean_text;

/// About what a chunk takes with its fields: most bodies are made without growing.
const USUAL_BYTES: usize = 4 * 1024;

#[derive(Serialize)]
struct Put<'a, F> {
    fields: &'a F,
}

/// The body of a put of `fields`, every string in it cleaned with [`clean_text`].
pub(super) fn put<F: Serialize>(fields: &F) -> Result<Vec<u8>, VespaError> {
    let mut body = Vec::with_capacity(USUAL_BYTES);
    let mut serializer = Serializer::with_formatter(&mut body, Clean);
    Put { fields }.serialize(&mut serializer).map_err(|_| VespaError::Setup("fields are not JSON".to_owned()))?;
    Ok(body)
}

/// Writes JSON as usual, but leaves out of strings what Vespa refuses.
struct Clean;

impl Formatter for Clean {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        writer.write_all(clean_text(fragment).as_bytes())
    }

    fn write_char_escape<W: Write + ?Sized>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::Backspace | CharEscape::FormFeed | CharEscape::AsciiControl(_) => Ok(()),
            CharEscape::Quote
            | CharEscape::ReverseSolidus
            | CharEscape::Solidus
            | CharEscape::LineFeed
            | CharEscape::CarriageReturn
            | CharEscape::Tab => CompactFormatter.write_char_escape(writer, escape),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_vespa_refuses_is_left_out_wherever_it_is() {
        let fields =
            json!({"a": ["x\u{0}\"\\\t\n\r\u{8}\u{c}"], "b": [{"c": "y\u{ffff}\u{7f}z"}], "d": 1, "e": "Grüße 🎉"});
        let body: Value = serde_json::from_slice(&put(&fields).unwrap()).unwrap();
        let clean = json!({"a": ["x\"\\\t\n\r"], "b": [{"c": "yz"}], "d": 1, "e": "Grüße 🎉"});
        assert_eq!(body, json!({ "fields": clean }));
    }

    #[test]
    fn numbers_of_a_vector_stay_what_they_are() {
        let body = put(&json!({"n": 9_007_199_254_740_993_u64})).unwrap();
        assert_eq!(body, br#"{"fields":{"n":9007199254740993}}"#);
        assert_eq!(put(&[0.1_f32, -1.5e-7]).unwrap(), br#"{"fields":[0.1,-1.5e-7]}"#);
    }
}
