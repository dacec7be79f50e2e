//! How a database's texts come here and what their bytes mean.
//!
//! The server turns them into UTF-8, and fails at a byte that has no meaning in the database's encoding. Where such
//! bytes can be, texts come as they are stored and are read here: what has no meaning costs nothing but itself.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write as _;

use encoding_rs::{
    DecoderResult, EUC_JP, EUC_KR, Encoding, GBK, ISO_8859_3, ISO_8859_6, ISO_8859_7, ISO_8859_8, UTF_8, WINDOWS_874,
    WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255, WINDOWS_1257, WINDOWS_1258,
};
use tokio_postgres::types::{FromSql, Type};

/// How texts of a database come.
#[derive(Debug)]
pub(super) enum Texts {
    /// As UTF-8, made by the server if need be.
    Converted,
    /// As they are stored, under the server's name of the encoding.
    Stored(&'static str, &'static Encoding),
}

/// The encodings in which a database may hold bytes that the server can't convert, by the names that it gives them.
/// In `SQL_ASCII` there may be anything; what isn't UTF-8 has no meaning then.
const STORED: [(&str, &Encoding); 17] = [
    ("SQL_ASCII", UTF_8),
    ("EUC_CN", GBK),
    ("EUC_JP", EUC_JP),
    ("EUC_KR", EUC_KR),
    ("LATIN3", ISO_8859_3),
    ("ISO_8859_6", ISO_8859_6),
    ("ISO_8859_7", ISO_8859_7),
    ("ISO_8859_8", ISO_8859_8),
    ("WIN874", WINDOWS_874),
    ("WIN1250", WINDOWS_1250),
    ("WIN1251", WINDOWS_1251),
    ("WIN1252", WINDOWS_1252),
    ("WIN1253", WINDOWS_1253),
    ("WIN1254", WINDOWS_1254),
    ("WIN1255", WINDOWS_1255),
    ("WIN1257", WINDOWS_1257),
    ("WIN1258", WINDOWS_1258),
];

impl Texts {
    /// Of a database of this encoding.
    pub(super) fn of(encoding: &str) -> Self {
        let stored = STORED.iter().find(|(name, _)| *name == encoding);
        stored.map_or(Self::Converted, |(name, encoding)| Self::Stored(name, encoding))
    }

    /// The SQL that sends the text `expression`.
    pub(super) fn sent(&self, expression: &str) -> String {
        match self {
            Self::Converted => expression.to_owned(),
            Self::Stored(name, _) => format!("pg_catalog.convert_to({expression}, '{name}')"),
        }
    }

    /// What was sent. A byte without meaning becomes the escape of half a character, as in Python's `surrogateescape`:
    /// no other text has it, and within JSON it is one character.
    pub(super) fn read<'a>(&self, sent: Sent<'a>) -> Cow<'a, str> {
        match self {
            Self::Converted => read_utf8(sent.0),
            Self::Stored(_, encoding) if *encoding == UTF_8 => read_utf8(sent.0),
            Self::Stored(_, encoding) => read(sent.0, encoding).into(),
        }
    }
}

/// A text's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a>(pub(super) &'a [u8]);

impl<'a> FromSql<'a> for Sent<'a> {
    fn from_sql(_: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(bytes))
    }

    fn accepts(type_: &Type) -> bool {
        [Type::TEXT, Type::BYTEA].contains(type_)
    }
}

fn read_utf8(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        escape(&mut text, chunk.invalid());
    }
    text.into()
}

fn read(bytes: &[u8], encoding: &'static Encoding) -> String {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        let (result, length) = decoder.decode_to_string_without_replacement(rest, &mut text, true);
        let (done, after) = rest.split_at(length);
        rest = after;
        match result {
            DecoderResult::InputEmpty => return text,
            DecoderResult::OutputFull => text.reserve(rest.len().max(16)),
            DecoderResult::Malformed(bad, good_after) => {
                let bad_end = done.len().saturating_sub(usize::from(good_after));
                let bad_begin = bad_end.saturating_sub(usize::from(bad));
                escape(&mut text, done.get(bad_begin..bad_end).unwrap_or_default());
            }
        }
    }
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "\\udc{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_without_meaning_costs_itself_and_stays_apart_from_others() {
        for (encoding, bytes, text) in [
            ("UTF8", &b"caf\xc3\xa9"[..], "café"),
            ("UTF8", b"caf\xe9!", "caf\\udce9!"),
            ("SQL_ASCII", b"caf\xe9 caf\xc3\xa9", "caf\\udce9 café"),
            ("WIN1252", b"caf\xe9 \x81 \x80", "café \u{81} €"),
            ("WIN1253", b"\xe1\xd2\xe2", "α\\udcd2β"),
            ("EUC_JP", b"\xc6\xfc\xcb\xdc \xff\xfe \"x\"", "日本 \\udcff\\udcfe \"x\""),
            ("EUC_KR", b"\xc7\xd1\xb1\xdb", "한글"),
            ("EUC_CN", b"\xd6\xd0\xce\xc4", "中文"),
        ] {
            assert_eq!(Texts::of(encoding).read(Sent(bytes)), text, "{encoding}");
        }
    }

    #[test]
    fn a_long_text_is_read_to_its_end() {
        let long = "ж\u{451}".repeat(100_000);
        let bytes: Vec<u8> = b"\xe6\xb8".repeat(100_000);
        assert_eq!(Texts::of("WIN1251").read(Sent(&bytes)), long);
    }

    #[test]
    fn only_what_the_server_might_not_convert_comes_as_it_is_stored() {
        for encoding in ["UTF8", "LATIN1", "LATIN9", "KOI8R", "EUC_TW", "MULE_INTERNAL"] {
            assert_eq!(Texts::of(encoding).sent("t.a"), "t.a");
        }
        assert_eq!(Texts::of("SQL_ASCII").sent("t.a"), "pg_catalog.convert_to(t.a, 'SQL_ASCII')");
    }
}
