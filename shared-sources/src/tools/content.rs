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
        // Of the known binary forms only PDF can be nothing but text; the others' marks begin ordinary texts too.
        if mime_type == Some("application/pdf") {
            return Self::Binary(mime_type);
        }
        let whole = without_cut_character(bytes);
        if let Ok(text) = std::str::from_utf8(whole)
            && (!text.is_empty() || bytes.is_empty())
        {
            return Self::Text(text.to_owned());
        }
        if has_many_controls(bytes) || (recognised.is_some() && !begins_like_text(bytes)) {
            return Self::Binary(mime_type);
        }
        Self::Text(if is_damaged_utf8(whole) {
            String::from_utf8_lossy(whole).into_owned()
        } else {
            WINDOWS_1252.decode(bytes).0.into_owned()
        })
    }
}

/// `bytes` without a last character that is cut.
fn without_cut_character(bytes: &[u8]) -> &[u8] {
    let last = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let is_cut = std::str::from_utf8(last).is_err_and(|error| error.error_len().is_none());
    let end = if is_cut { bytes.len().saturating_sub(last.len()) } else { bytes.len() };
    bytes.get(..end).unwrap_or(bytes)
}

/// Whether it is UTF-8 with a few bytes that aren't. In other encodings letters of several bytes come together by
/// chance, and single bytes are many more.
fn is_damaged_utf8(bytes: &[u8]) -> bool {
    let (mut letters, mut strays) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        letters += chunk.valid().chars().filter(|letter| !letter.is_ascii()).count();
        strays += chunk.invalid().len();
    }
    letters.saturating_mul(2) >= strays
}

/// Marks such as `BM` and `MZ` are ordinary letters.
fn begins_like_text(bytes: &[u8]) -> bool {
    bytes.iter().take(2).all(u8::is_ascii_graphic)
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
    fn text_that_begins_like_a_picture_or_a_program_is_text() {
        assert_eq!(text(b"BMW is a car maker").as_deref(), Some("BMW is a car maker"));
        assert_eq!(text(b"BMW f\xe4hrt").as_deref(), Some("BMW fährt"));
        assert_eq!(text(b"MZ ist f\xfcr alle").as_deref(), Some("MZ ist für alle"));
        for mark in
            ["ID3", "GIF89a", "OggS", "BZh", "PK", "Rar!", "RIFF", "7z", "!<arch>", "%!PS", "FWS", "wOFF", "SQLi"]
        {
            let mut bytes = mark.as_bytes().to_vec();
            bytes.extend(b" gef\xe4llt mir");
            assert_eq!(text(&bytes), Some(format!("{mark} gefällt mir")));
        }
    }

    #[test]
    fn compressed_content_behind_a_mark_of_letters_is_binary() {
        for mark in ["BZh91AY&SY", "GIF89a", "PK\x03\x04", "ID3\x04"] {
            let noise = (1_u8..=255).rev().chain(1..=255);
            let bytes: Vec<u8> = mark.bytes().chain(noise).collect();
            assert!(matches!(Content::of(&bytes), Content::Binary(Some(_))), "{mark}");
        }
    }

    #[test]
    fn stray_bytes_in_utf8_are_lost_and_nothing_else() {
        let mut log = "Straße gesperrt\n".repeat(200).into_bytes();
        log.extend(b"\x80raw\n");
        let read = text(&log).unwrap();
        assert!(read.starts_with("Straße gesperrt\n") && read.ends_with("\u{fffd}raw\n"), "{read}");
        let mut damaged = "日本語 \u{1f600}".as_bytes().to_vec();
        damaged[3] = 0xff;
        damaged.pop();
        assert_eq!(text(&damaged).as_deref(), Some("日\u{fffd}\u{fffd}\u{fffd}語 "));
        // More single bytes than letters of several: another encoding, in which some meet by chance.
        assert_eq!(text(b"\xe4 \xf6 \xfc \xc3\xa4").as_deref(), Some("ä ö ü Ã¤"));
        assert_eq!(text(b"5 \x80").as_deref(), Some("5 €"));
    }
}
