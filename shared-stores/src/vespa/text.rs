//! Text that Vespa accepts.

use std::borrow::Cow;

/// Removes what Vespa refuses in a string field: control characters but tab, newline and carriage return, and Unicode
/// noncharacters.
///
/// Vespa's list is `isTextCharacter` in vespajlib's `com.yahoo.text.Text`. It tolerates U+007F to U+009F and some
/// noncharacters; those go as well, they mean nothing in text.
#[must_use]
pub fn clean_text(text: &str) -> Cow<'_, str> {
    // Most text is ASCII, and bytes are looked at faster than characters.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
    if text.bytes().all(is_plain) || text.chars().all(is_text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| is_text(*c)).collect())
}

/// Whether [`clean_text`] leaves `c` as it is.
#[must_use]
pub fn is_text(c: char) -> bool {
    let code = u32::from(c);
    let is_noncharacter = (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE;
    matches!(c, '\t' | '\n' | '\r') || !(c.is_control() || is_noncharacter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_is_not_copied() {
        assert!(matches!(clean_text("Grüße\tan\r\nalle 🎉"), Cow::Borrowed(_)));
    }

    #[test]
    fn controls_and_noncharacters_go() {
        assert_eq!(clean_text("a\u{0}b\u{1b}c\u{7f}d\u{85}e\u{fdd0}f\u{ffff}g\u{1fffe}h"), "abcdefgh");
    }
}
