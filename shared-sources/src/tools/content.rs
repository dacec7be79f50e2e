//! What is in a file: text in whatever encoding, or something else.

use encoding_rs::{Encoding, WINDOWS_1252};

/// A file's content as far as search is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Text.
    Text(String),
    /// Pictures, archives, programs; with the MIME type if it could be told.
    Binary(Option<&'static str>),
}

impl Content {
    /// Looks at the first bytes of a file; the last character may be cut.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
            let (text, _) = encoding.decode_without_bom_handling(bytes.get(mark..).unwrap_or_default());
            // UTF-32 begins like UTF-16.
            return if text.contains('\0') { Self::Binary(None) } else { Self::Text(text.into_owned()) };
        }
        let recognised = infer::get(bytes).filter(|kind| kind.matcher_type() != infer::MatcherType::Text);
        let mime_type = recognised.map(|kind| kind.mime_type());
        if bytes.contains(&0) {
            return Self::Binary(mime_type);
        }
        if let Some(text) = as_utf8(bytes) {
            // Of the known binary forms only PDF can be nothing but UTF-8; the others' marks begin ordinary texts too.
            return match mime_type {
                Some("application/pdf") => Self::Binary(mime_type),
                _ => Self::Text(text.to_owned()),
            };
        }
        if recognised.is_some() || has_many_controls(bytes) {
            return Self::Binary(mime_type);
        }
        let (text, _, _) = WINDOWS_1252.decode(bytes);
        Self::Text(text.into_owned())
    }
}

fn as_utf8(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        // No error length: the text ends within a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok().filter(|text| !text.is_empty())
        }
        Err(_) => None,
    }
}

fn has_many_controls(bytes: &[u8]) -> bool {
    let controls = bytes.iter().filter(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127)).count();
    controls.saturating_mul(100) > bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Option<String> {
        match Content::of(bytes) {
            Content::Text(text) => Some(text),
            Content::Binary(_) => None,
        }
    }

    #[test]
    fn encodings_are_told_apart() {
        assert_eq!(text("Käse".as_bytes()).as_deref(), Some("Käse"));
        assert_eq!(text(b"\xef\xbb\xbfK\xc3\xa4se").as_deref(), Some("Käse"));
        assert_eq!(text(b"\xff\xfeK\0\xe4\0s\0e\0").as_deref(), Some("Käse"));
        assert_eq!(text(b"\xfe\xff\0K\0\xe4\0s\0e").as_deref(), Some("Käse"));
        assert_eq!(text(b"K\xe4se \x80 5").as_deref(), Some("Käse € 5"));
    }

    #[test]
    fn a_character_cut_at_the_end_is_left_out() {
        assert_eq!(text(b"K\xc3").as_deref(), Some("K"));
    }

    #[test]
    fn binary_is_no_text() {
        assert_eq!(Content::of(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), Content::Binary(Some("image/png")));
        assert_eq!(Content::of(b"%PDF-1.7 all ASCII"), Content::Binary(Some("application/pdf")));
        assert_eq!(Content::of(b"\x01\x02\x03\xff\xfe"), Content::Binary(None));
        assert_eq!(Content::of(b"\xff\xfe\0\0K\0\0\0"), Content::Binary(None));
    }

    #[test]
    fn text_that_begins_like_a_picture_is_text() {
        assert_eq!(text(b"BMW is a car maker").as_deref(), Some("BMW is a car maker"));
    }
}
